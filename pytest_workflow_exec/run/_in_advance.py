"""Plans that were approved before they were proposed: which files of them are about just what a gate asks now."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from pytest_workflow_exec.approval import (
    Ballot,
    BallotRefusedError,
    GateRequest,
    PlanApproval,
    plan_approval_in,
    plan_challenge_of,
)
from pytest_workflow_exec.errors import EvidenceError, WorkflowExecError
from pytest_workflow_exec.evidence import HandedIn, approved_plans

_MAX_DIFFERENCES = 20


class AdvanceBallot(NamedTuple):
    """One signature under a plan, as an answer to what is asked now."""

    ballot: Ballot
    file: Path


class _Other(NamedTuple):
    file: Path
    lines: Sequence[str]
    """How what it is about differs from what is asked."""


def ballots_in_advance(folder: Path, request: GateRequest, say: Callable[[str], None]) -> Iterator[AdvanceBallot]:
    """Give the signatures under plans that are the one that a gate would let run, none of them judged.

    Args:
        folder: Where the approved plans of the workflow lie.
        say: Tells a person which files do not count, and what their plan differs in.
    """
    others: list[_Other] = []
    found = False
    for file in _files(folder, say):
        try:
            if file.problem:
                raise BallotRefusedError(file.problem)
            approval = plan_approval_in(file.content)
            if (approval.workflow, approval.gate) != (request.workflow, request.step):
                continue
            lines = _differences(approval, request)
        except WorkflowExecError as error:
            say(f"{file.path.name} is no approved plan: {error}")
            continue
        if lines:
            others.append(_Other(file.path, lines))
            continue
        found = True
        for signature in approval.signatures:
            ballot = Ballot(
                run=request.run,
                step=request.step,
                request=request.digest,
                answer="approve",
                reason="",
                principal=signature.principal,
                armor=signature.armor,
                until=approval.until,
            )
            yield AdvanceBallot(ballot, file.path)
    if others and not found:
        _explain(others, say)


def _files(folder: Path, say: Callable[[str], None]) -> Sequence[HandedIn]:
    try:
        return list(approved_plans(folder))
    except EvidenceError as error:
        # It is no evidence: what can't be read is as good as absent.
        say(f"no plan counts as approved in advance: {error}")
        return ()


def _differences(approval: PlanApproval, request: GateRequest) -> list[str]:
    """Return what is asked now beside what a file says is signed; nothing of the latter is believed."""
    asked = plan_challenge_of(request, approval.until)
    if asked == approval.challenge:
        return []
    before, now = approval.challenge.decode("ascii").splitlines(), asked.decode("ascii").splitlines()
    return [line for line in difflib.ndiff(before, now) if line[0] in "+-"]


def _explain(others: Sequence[_Other], say: Callable[[str], None]) -> None:
    nearest = min(others, key=lambda other: len(other.lines))
    more = f" (nor about {len(others) - 1} others)" if len(others) > 1 else ""
    say(f"{nearest.file.name} is not about what would run now{more}; - approved, + now:")
    for line in nearest.lines[:_MAX_DIFFERENCES]:
        say(f"  {line}")
    if len(nearest.lines) > _MAX_DIFFERENCES:
        say(f"  [... {len(nearest.lines) - _MAX_DIFFERENCES} more lines]")
