"""This process as a host of runs: what it plays them with, and waiting for a database that is away."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.settings import Pin

from ._database import Database, UnreachableError
from ._project import ProjectState

_T = TypeVar("_T")
_PATIENCE_S = 3600.0
"""How long a run waits for a database that can't be reached."""
_LAST_PATIENCE_S = 20.0
"""How long it does once its host is to end."""
_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What a worker plays legs with."""

    database: Database
    project: ProjectState
    pin: Pin | None
    worker: str
    base: Path
    """Where checkouts are made."""
    may_be_unsigned: bool
    stopping: threading.Event
    """Set once the worker is to end, and runs with it."""

    say: Callable[[str], None] = lambda _: None
    """Tells a person what goes on."""

    def patiently(self, act: Callable[[], _T]) -> _T:
        """Return what comes of something with the database, tried again and again while that can't be used.

        Raises:
            UnreachableError: It could not for too long, or this host is to end.
        """
        until, pause, waits = time.monotonic() + _PATIENCE_S, _PAUSE_S, False
        while True:
            try:
                found = act()
            except UnreachableError as error:
                if time.monotonic() >= until:
                    raise
                if not waits:
                    waits = True
                    self.say(f"a run waits: {error}")
                if self.stopping.wait(pause):
                    # Told twice to end: what can't be noted now is shown as vanished, and nobody repeats it unasked.
                    until = min(until, time.monotonic() + _LAST_PATIENCE_S)
                    time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                if waits:
                    self.say("the run goes on: the fleet's database can be used again")
                return found
