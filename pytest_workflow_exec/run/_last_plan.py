"""The plan of commands that a person approved last, by the logs of earlier runs: a help for the eye, and no proof."""

from __future__ import annotations

import contextlib
import difflib
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import read_log
from pytest_workflow_exec.model import RunId, StepId
from pytest_workflow_exec.run._earlier import runs_with_starts

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Covered, PlanChange

_MAX_RUNS = 20
"""So many earlier runs are looked at: a person waits for the question."""


class _Approved(NamedTuple):
    run: RunId
    commands: tuple[str, ...]


def plan_change(root: Path, workflow: str, covered: Sequence[Covered], *, run: RunId) -> PlanChange:
    """Return how a plan differs from the one that was approved last for the same step.

    Args:
        root: The project.
        workflow: The workflow's name.
        covered: What a person is told of the step: its head, and a line for each command.
        run: The run that asks, whose own log does not count.
    """
    from pytest_workflow_exec.approval import PlanChange

    step, now = covered[0].step, _commands([each.does for each in covered])
    before = _last(root, workflow, step, run)
    if before is None:
        return PlanChange(step=step, before="")
    return PlanChange(step=step, before=before.run, lines=tuple(_difference(before.commands, now)))


def _difference(before: Sequence[str], now: Sequence[str]) -> list[str]:
    lines: list[str] = []
    for tag, first, last, new_first, new_last in difflib.SequenceMatcher(
        None, before, now, autojunk=False
    ).get_opcodes():
        if tag == "equal":
            lines += [f"  {line}" for line in now[new_first:new_last]]
            continue
        lines += [f"- {line}" for line in before[first:last]]
        lines += [f"+ {line}" for line in now[new_first:new_last]]
    return lines


def _last(root: Path, workflow: str, step: StepId, run: RunId) -> _Approved | None:
    try:
        for earlier, _ in islice(runs_with_starts(root, workflow), _MAX_RUNS):
            if earlier.id == run:
                continue
            found: _Approved | None = None
            # One that can't be read has nothing to say here; `workflow-exec verify` says why.
            with contextlib.suppress(LogUnreadableError):
                found = _approved(earlier.id, earlier.log, step)
            if found is not None:
                return found
    except LogUnreadableError:
        return None
    return None


def _approved(run: RunId, log: Path, step: StepId) -> _Approved | None:
    asked: dict[str, tuple[str, ...]] = {}
    found: _Approved | None = None
    for record in read_log(log):
        digest = str(record.data.get("digest"))
        if record.type == "gate.requested":
            asked[digest] = _of_request(record.data.get("request"), step)
        elif record.type == "gate.decided" and record.data.get("decision") == "approved" and asked.get(digest):
            found = _Approved(run, asked[digest])
    return found


def _of_request(request: Json, step: StepId) -> tuple[str, ...]:
    covers = request.get("covers") if isinstance(request, Mapping) else None
    said = [
        str(each.get("does"))
        for each in (covers if isinstance(covers, list) else [])
        if isinstance(each, Mapping) and each.get("step") == step and each.get("kind") == "execute"
    ]
    return _commands(said)


def _commands(said: Sequence[str]) -> tuple[str, ...]:
    # Without their numbers: a command that moved is the same command.
    return tuple(line.partition(": ")[2] for line in said[1:])
