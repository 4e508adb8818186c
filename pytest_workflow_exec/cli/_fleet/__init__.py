"""`workflow-exec fleet`: workflows on more than one machine."""

from __future__ import annotations

import argparse
import atexit
import contextlib
import importlib
from collections.abc import Callable
from pathlib import Path


def fleet(arguments: argparse.Namespace) -> int:
    """Return the exit code of the command that was asked for."""
    module, name = _COMMANDS[arguments.asked]
    run: Callable[[argparse.Namespace], int] = getattr(importlib.import_module(f".{module}", __package__), name)
    return run(arguments)


def log_kept(reference: str) -> Path:
    """Return the log of a run as the fleet's database has it, in a folder that is there until this process ends.

    Raises:
        FleetError: There is no fleet, no such run, or it has not begun.
    """
    from ._opened import log_from, opened

    kept = contextlib.ExitStack()
    atexit.register(kept.close)
    database = kept.enter_context(opened(argparse.Namespace(database=None)))
    return kept.enter_context(log_from(database, reference))


_COMMANDS = {
    "init": ("_tables", "init"),
    "sql": ("_tables", "sql"),
    "queue": ("_tables", "queue"),
    "prune": ("_tables", "prune_"),
    "submit": ("_submit", "submit_"),
    "worker": ("_worker", "worker"),
    "status": ("_status", "status"),
    "logs": ("_logs", "logs"),
    "pending": ("_answers", "pending"),
    "challenge": ("_answers", "challenge_"),
    "approve": ("_answers", "approve"),
    "reject": ("_answers", "reject"),
    "cancel": ("_stops", "cancel_"),
    "take-over": ("_stops", "take_over"),
}
