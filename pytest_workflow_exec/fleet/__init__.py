"""Workflows on more than one machine: a queue in a database, workers that play runs, evidence that is there before effects.

pytest runs the steps as everywhere else, and the log of a run stays the only truth about it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._attend import attend
    from ._checkout import checkouts_of
    from ._database import Database, has_tables, make_tables, open_database, script, without_password
    from ._engine import client_of
    from ._enrolment import host_of
    from ._errors import FleetError, FleetRefusedError
    from ._legs import Standing, standing_of
    from ._limits import Limits, limits_of, set_limits
    from ._project import state_of
    from ._reading import (
        SeenRun,
        SeenWorker,
        log_pieces,
        name_of_run,
        runs_counted,
        runs_seen,
        submission_named,
        workers_seen,
    )
    from ._restore import write_log
    from ._retention import prune
    from ._submit import Wanted, submit
    from ._words import cancel, hand_in_answer, is_alive, release
    from ._worker import WorkerSettings, work

__all__ = [
    "Database",
    "FleetError",
    "FleetRefusedError",
    "Limits",
    "SeenRun",
    "SeenWorker",
    "Standing",
    "Wanted",
    "WorkerSettings",
    "attend",
    "cancel",
    "checkouts_of",
    "client_of",
    "hand_in_answer",
    "has_tables",
    "host_of",
    "is_alive",
    "limits_of",
    "log_pieces",
    "make_tables",
    "name_of_run",
    "open_database",
    "prune",
    "release",
    "runs_counted",
    "runs_seen",
    "script",
    "set_limits",
    "standing_of",
    "state_of",
    "submission_named",
    "submit",
    "without_password",
    "work",
    "workers_seen",
    "write_log",
]

# Loaded when they are used: the child that a worker starts comes through here, and needs none of them.
_WHERE = {
    "Database": "_database",
    "FleetError": "_errors",
    "FleetRefusedError": "_errors",
    "Limits": "_limits",
    "SeenRun": "_reading",
    "SeenWorker": "_reading",
    "Standing": "_legs",
    "Wanted": "_submit",
    "WorkerSettings": "_worker",
    "attend": "_attend",
    "cancel": "_words",
    "checkouts_of": "_checkout",
    "client_of": "_engine",
    "hand_in_answer": "_words",
    "has_tables": "_database",
    "host_of": "_enrolment",
    "is_alive": "_words",
    "limits_of": "_limits",
    "log_pieces": "_reading",
    "make_tables": "_database",
    "name_of_run": "_reading",
    "open_database": "_database",
    "prune": "_retention",
    "release": "_words",
    "runs_counted": "_reading",
    "runs_seen": "_reading",
    "script": "_database",
    "set_limits": "_limits",
    "standing_of": "_legs",
    "state_of": "_project",
    "submission_named": "_reading",
    "submit": "_submit",
    "without_password": "_database",
    "work": "_worker",
    "workers_seen": "_reading",
    "write_log": "_restore",
}


def __getattr__(name: str) -> object:
    if name not in _WHERE:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(importlib.import_module(f".{_WHERE[name]}", __name__), name)
