"""`workflow-exec fleet cancel` and `take-over`: a person's word about a run that is not to go on, or is to go on elsewhere."""

from __future__ import annotations

import argparse
import sys

from pytest_workflow_exec.cli._append import somebody
from pytest_workflow_exec.cli._find import project
from pytest_workflow_exec.fleet import (
    FleetError,
    attend,
    cancel,
    checkouts_of,
    host_of,
    release,
    state_of,
    submission_named,
)

from ._opened import opened

_NOT_PASSED = 1


def cancel_(arguments: argparse.Namespace) -> int:
    """Say that a run is not to go on; return 0.

    Raises:
        FleetError: It is over, or there is none.
    """
    reason = _reason(arguments)
    with opened(arguments) as database:
        submission = submission_named(database, arguments.run)
        cancel(database, submission, f"{reason} ({somebody().id})")
    sys.stdout.write(f"{submission} is cancelled: no worker begins it or goes on, and one that plays it ends it\n")
    return 0


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
