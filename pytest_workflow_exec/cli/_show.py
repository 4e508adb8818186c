"""`workflow-exec show`: what happened in a run, as a tree of its steps or as JSON."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import read_log
from pytest_workflow_exec.report import RunStory, StepStory, mapping
from pytest_workflow_exec.verify import Verdict, verify_log

from ._find import log_of
from ._tree import started_attempts
from ._view import RunView

_READABLE, _BROKEN = 0, 1


def show(arguments: argparse.Namespace) -> int:
    """Print what can be read of a log; return 0, or 1 if it is broken.

    Raises:
        LogUnreadableError: There is no such run, or nothing of it can be read.
        UnknownStepError: The run has no such step.
    """
    log = log_of(arguments.run)
    if arguments.step is not None:
        from ._show_step import show_step

        return show_step(log, arguments.step, as_json=arguments.json)
    verdict, view, story = verify_log(log), RunView(), RunStory()
    if verdict.word == "unreadable":
        raise LogUnreadableError(verdict.message)
    broken = verdict.message if verdict.word == "broken" else None
    try:
        for record in read_log(log):
            view.take((record,))
            story.tell(record)
    except LogUnreadableError as error:
        # A log that grows or breaks between the two readings is as bad as one that was broken before.
        broken = broken or str(error)
    if arguments.json:
        sys.stdout.write(json.dumps(_facts(view, story, verdict, log, broken), indent=2) + "\n")
    else:
        from ._table import print_run

        print_run(view, story, log=log, broken=broken, torn_bytes=verdict.torn_bytes)
    return _READABLE if broken is None else _BROKEN


def _facts(view: RunView, story: RunStory, verdict: Verdict, log: Path, broken: str | None) -> dict[str, object]:
    return {
        "broken": broken,
        "run": view.run,
        "workflow": view.workflow,
        "plan_digest": verdict.plan_digest,
        "started": view.started,
        "starter": view.starter,
        "finished": view.finished,
        "result": view.result,
        "outputs": dict(view.outputs),
        "evidence": str(log),
        "head": dataclasses.asdict(view.head) if view.head else None,
        "torn_bytes": verdict.torn_bytes,
        "steps": [dataclasses.asdict(step) | _tried(story.steps.get(step.id)) for step in view.steps.values()],
        "gates": [dataclasses.asdict(gate) for gate in view.gates],
        "commands": {"started": len(view.commands), "refused": view.refused},
        "retries": [dataclasses.asdict(each) for each in view.retries],
        "sessions": view.sessions,
        "recoveries": view.recoveries,
        "redo": dict(view.redo) or None,
        "notes": [dataclasses.asdict(note) for note in view.notes],
    }


def _tried(step: StepStory | None) -> dict[str, object]:
    attempts = started_attempts(step) if step is not None else []
    values = mapping(attempts[-1].data.get("outputs")) if attempts else {}
    return {
        "outputs": dict(values),
        "attempts": [
            {
                "number": attempt.number,
                "session": attempt.session,
                "outcome": attempt.outcome,
                "error_class": attempt.error_class,
                "started": attempt.started,
                "ended": attempt.ended,
                "duration_s": attempt.duration_s,
            }
            for attempt in attempts
        ],
    }
