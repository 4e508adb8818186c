"""`workflow-exec fleet cancel` and `take-over`: a person's word about a run that is not to go on, or is to go on elsewhere."""

from __future__ import annotations

import argparse
import sys

from pytest_workflow_exec.cli._append import somebody
from pytest_workflow_exec.cli._find import project
from pytest_workflow_exec.fleet import (
    FleetError,
    Standing,
    attend,
    cancel,
    checkouts_of,
    host_of,
    is_alive,
    release,
    state_of,
    submission_named,
)

from ._opened import opened

_NOT_PASSED = 1
_LONG_S = 30.0
"""How long a worker says nothing before it counts as gone."""


def cancel_(arguments: argparse.Namespace) -> int:
    """Say that a run is not to go on; return 0.

    Raises:
        FleetError: It is over, or there is none.
    """
    reason = _reason(arguments)
    with opened(arguments) as database:
        submission = submission_named(database, arguments.run)
        was = cancel(database, submission, f"{reason} ({somebody().id})")
        alive = was.worker is not None and is_alive(database, was.worker, dead_after_s=_LONG_S)
    sys.stdout.write(f"{submission} is cancelled: {_what_follows(was, alive=alive)}\n")
    return 0


def _what_follows(was: Standing, *, alive: bool) -> str:
    if was.worker is None and was.leg <= 1:
        return "no worker begins it"
    if was.end is None and alive:
        return f"worker {was.worker} ends it, with its finally steps"
    if was.end is None and was.worker is not None:
        return (
            f"its worker {was.worker} is gone, so a worker with --take-over known plays its finally steps, or: "
            f"workflow-exec fleet take-over {was.id} --reason TEXT"
        )
    if was.end is not None and was.end.outcome == "failed":
        return "it had failed, and no worker goes on"
    return "a worker of its project plays its finally steps, and nothing else"


def take_over(arguments: argparse.Namespace) -> int:
    """Let a run go on elsewhere; return 0, or, if it went on here, 1 if it has not passed.

    Raises:
        FleetError: Its worker is alive, it is over, or there is none.
    """
    said = f"taken over by {somebody().id}: {_reason(arguments)}"
    state = state_of(project())
    with opened(arguments) as database:
        submission = submission_named(database, arguments.run)
        base = checkouts_of(state, database.url, folder=arguments.checkouts)
        if not arguments.here:
            host = host_of(database, state, base=base)
            release(host, submission, said=said, dead_after_s=arguments.dead_after, here=False)
            sys.stdout.write(f"{submission} is queued again; what was under way is told as of unknown effect\n")
            return 0
        end = attend(database, state, submission, base=base, said=said, dead_after_s=arguments.dead_after)
    sys.stdout.write(f"{submission}: {end.outcome}{f' at {end.step}' if end.step else ''}\n")
    if end.outcome == "refused":
        sys.stdout.write(f"{end.said}\n")
    return 0 if end.outcome == "passed" else _NOT_PASSED


def _reason(arguments: argparse.Namespace) -> str:
    reason = str(arguments.reason).strip()
    if not reason:
        raise FleetError("the reason is empty")
    return reason
