"""What goes on in the step under way: commands, batches, waiting. Told by the run, read by whatever shows it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

from pytest_workflow_exec.lean_dataclasses import dataclass

_MAX_CHARACTERS = 200


class Counted(Protocol):
    """What is shown of a batch."""

    label: str
    total: int
    done: int
    closed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What there is to show of a step at one moment; every text is safe to be shown in one line."""

    step: str
    seconds: float
    bars: tuple[tuple[str, int, int], ...] = ()
    """Label, how many are done, and of how many."""
    waiting: str = ""
    line: str = ""
    """The last line of a command that runs."""


class Activity:
    """The step under way, if there is one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._step: str | None = None
        self._began_s = 0.0
        self._commands: list[Callable[[], str]] = []
        self._batches: list[Counted] = []
        self._waiting: tuple[str, float] | None = None
        self._held = 0

    def begin(self, step: str) -> None:
        """Begin with a step."""
        with self._lock:
            self._step, self._began_s = step, time.monotonic()
            self._batches.clear()
            self._waiting = None

    def end(self) -> None:
        """Forget the step."""
        with self._lock:
            self._step = None

    @property
    def engine_holds(self) -> bool:
        """Whether the engine itself is at work, and none of the step's own code can print."""
        return bool(self._held or self._commands or self._waiting)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let the engine be at work as long as the context lasts."""
        with self._lock:
            self._held += 1
        try:
            yield
        finally:
            with self._lock:
                self._held -= 1

    @contextmanager
    def command(self, last_line: Callable[[], str]) -> Iterator[None]:
        """Show a command as long as the context lasts."""
        with self._lock:
            self._commands.append(last_line)
        try:
            yield
        finally:
            with self._lock:
                self._commands.remove(last_line)

    @contextmanager
    def waiting(self, what: str) -> Iterator[Callable[[float], None]]:
        """Show that something happens in so many seconds, which the returned function is told again and again."""

        def tell(left_s: float) -> None:
            with self._lock:
                self._waiting = (what, left_s)

        try:
            yield tell
        finally:
            with self._lock:
                self._waiting = None

    def batch(self, batch: Counted) -> None:
        """Show a batch, or what has become of it."""
        with self._lock:
            if batch.closed:
                self._batches = [other for other in self._batches if other is not batch]
            elif batch not in self._batches:
                self._batches.append(batch)

    def seen(self) -> Seen | None:
        """Return what there is to show; None without a step."""
        with self._lock:
            if self._step is None:
                return None
            waiting = "" if self._waiting is None else f"{self._waiting[0]} in {self._waiting[1]:.0f} s"
            return Seen(
                step=self._step,
                seconds=time.monotonic() - self._began_s,
                bars=tuple((_one_line(each.label), each.done, each.total) for each in self._batches),
                waiting=waiting,
                line=_one_line(self._commands[-1]()) if self._commands else "",
            )


def _one_line(text: str) -> str:
    from pytest_workflow_exec.approval import escape_line

    return escape_line(text.replace("\t", " ").strip(), max_chars=_MAX_CHARACTERS)
