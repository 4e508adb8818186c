"""`workflow-exec fleet worker`: plays runs until it is told to end."""

from __future__ import annotations

import argparse
import sys
from datetime import datetime, timezone

from pytest_workflow_exec.cli._find import project
from pytest_workflow_exec.cli._text import escape
from pytest_workflow_exec.fleet import WorkerSettings, checkouts_of, state_of, work

from ._opened import opened


def worker(arguments: argparse.Namespace) -> int:
    """Work; return 0, or 1 if its runs had to be ended.

    Raises:
        FleetError: It can't begin.
    """
    state = state_of(project())
    with opened(arguments, make=True) as database:
        settings = WorkerSettings(
            queue=arguments.queue,
            concurrency=arguments.concurrency,
            base=checkouts_of(state, database.url, folder=arguments.checkouts),
            dead_after_s=arguments.dead_after,
            take_over=arguments.take_over,
            until_idle=arguments.until_idle,
        )
        return work(database, state, settings, say=_say)


def _say(line: str) -> None:
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    sys.stdout.write(f"{now} {escape(line)}\n")
    sys.stdout.flush()
