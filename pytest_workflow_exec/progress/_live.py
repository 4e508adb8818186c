"""What is shown of a step while it runs: a line that is drawn anew at a terminal, a line each minute elsewhere.

At a terminal everything stands behind the cursor, which is put back each time: whoever writes there next finds it as
if nothing had been drawn, and what was drawn can be taken away in one go.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.progress._activity import Activity, Counted, Seen
from pytest_workflow_exec.progress._plain import spent

if TYPE_CHECKING:
    from pytest_workflow_exec.progress._frame import Painter

_T = TypeVar("_T")

_TICK_S = 0.2
PATIENCE_S = 0.5
"""A step that takes no longer is not worth drawing."""
_BEAT_S = 60.0
_BATCH_S = 1.0
MIN_CELLS = 12
_COLUMNS = 80
_DRAW, _DRAWN, _ERASE = "\x1b7\x1b[?7l", "\x1b[K\x1b[?7h\x1b8", "\x1b[K"


@dataclass(frozen=True, slots=True, kw_only=True)
class Screen:
    """Where it is shown."""

    fd: int
    """A descriptor of its own, which nobody redirects."""
    drawn: bool
    """Whether lines can be drawn anew there."""
    shared: bool
    """Whether what the steps' own code prints appears there, too."""
    color: bool = False
    unicode: bool = False
    beat_s: float = _BEAT_S


class Live:
    """Shows the step under way; everything may be called without a screen, and shows nothing then."""

    def __init__(self) -> None:
        self._activity = Activity()
        self._screen: Screen | None = None
        self._painter: Painter | None = None
        # Also taken by who writes to the terminal by other means.
        self._lock = threading.RLock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._column = 0
        self._header = False
        self._on_screen = False
        self._beat_at_s = self._batch_at_s = 0.0
        self._broken_line: Callable[[], None] = _nothing
        _ALL.add(self)

    def open(self, screen: Screen, *, broken_line: Callable[[], None]) -> None:
        """Show steps on a screen from now on.

        Args:
            broken_line: Is called after a line of its own was written in the middle of a step's line.
        """
        self._screen, self._broken_line = screen, broken_line

    def close(self) -> None:
        """Show nothing any more, and let go of the screen."""
        self.end()
        self.halt()
        screen, self._screen = self._screen, None
        if screen is not None:
            os.close(screen.fd)

    @property
    def shows(self) -> bool:
        """Whether there is a screen at all."""
        return self._screen is not None

    @property
    def draws(self) -> bool:
        """Whether there is a screen on which lines are drawn anew."""
        return self._screen is not None and self._screen.drawn

    def begin(self, step: str, *, column: int) -> None:
        """Begin with a step.

        Args:
            column: How far its line has been written, in cells.
        """
        if self._screen is None:
            return
        with self._lock:
            self._column, self._header = column, False
            self._beat_at_s = time.monotonic() + self._screen.beat_s
            self._batch_at_s = time.monotonic() + (_BATCH_S if self._screen.drawn else self._screen.beat_s)
            self._activity.begin(step)
        self._go()

    def end(self) -> None:
        """End with the step: until the next one begins nothing is drawn."""
        if self._screen is None:
            return
        with self._lock:
            self._activity.end()
            self._erase()

    def halt(self) -> None:
        """End the thread that draws; the next step starts another one."""
        thread, self._thread = self._thread, None
        if thread is not None and thread is not threading.current_thread():
            self._stop.set()
            thread.join()

    def hidden(self, *, new_line: bool = False) -> AbstractContextManager[None]:
        """Take what is drawn away as long as the context lasts: something else writes to the terminal.

        Args:
            new_line: Whether the cursor is at the beginning of a line afterwards.
        """
        return nullcontext() if self._screen is None else self._hidden(new_line=new_line)

    @contextmanager
    def _hidden(self, *, new_line: bool) -> Iterator[None]:
        with self._lock:
            self._erase()
            try:
                yield
            finally:
                if new_line:
                    self._column, self._header = 0, True

    def command(self, last_line: Callable[[], str]) -> AbstractContextManager[None]:
        """Show a command as long as the context lasts."""
        return self._with_erased(self._activity.command(last_line))

    def held(self) -> AbstractContextManager[None]:
        """Let the engine be at work as long as the context lasts: none of the step's own code can print."""
        return self._with_erased(self._activity.held())

    def waiting(self, what: str) -> AbstractContextManager[Callable[[float], None]]:
        """Show in how many seconds something happens, as the returned function is told."""
        return self._with_erased(self._activity.waiting(what))

    def batch(self, batch: Counted) -> None:
        """Show a batch, or what has become of it.

        Where the step's own code prints, too, nothing is drawn meanwhile: a line of its own says it now and then.
        """
        from pytest_workflow_exec.approval import escape_line

        self._activity.batch(batch)
        with self._lock:
            screen, now_s = self._screen, time.monotonic()
            if screen is None or not screen.shared or batch.closed or now_s < self._batch_at_s:
                return
            self._batch_at_s = now_s + (_BATCH_S if screen.drawn else screen.beat_s)
            self._erase()
            with contextlib.suppress(OSError):
                self._line(screen, f"{escape_line(batch.label)} {batch.done}/{batch.total}".strip())

    @contextmanager
    def _with_erased(self, context: AbstractContextManager[_T]) -> Iterator[_T]:
        try:
            with context as value:
                yield value
        finally:
            if self._screen is not None and self._screen.shared:
                # The step's own code goes on, and may print.
                with self._lock:
                    self._erase()

    def _go(self) -> None:
        if self._thread is None:
            self._stop.clear()
            self._thread = threading.Thread(target=self._run, name="workflow progress", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(_TICK_S):
            # Not for ever: whoever holds it may be waiting for the end of this thread.
            if not self._lock.acquire(timeout=_TICK_S):
                continue
            try:
                self._show()
            except Exception:  # noqa: BLE001  # what is only shown must not fail a step, as a warning of a thread can
                self._on_screen = False
                return
            finally:
                self._lock.release()

    def _show(self) -> None:
        seen, screen = self._activity.seen(), self._screen
        if seen is None or screen is None or (screen.shared and not self._activity.engine_holds):
            return
        if screen.drawn:
            if seen.seconds >= PATIENCE_S and in_foreground(screen.fd):
                self._draw(seen, screen)
        elif time.monotonic() >= self._beat_at_s:
            self._beat_at_s = time.monotonic() + screen.beat_s
            self._line(screen, _said(seen))

    def _line(self, screen: Screen, text: str) -> None:
        start = "\n" if self._column else ""
        _write(screen.fd, f"{start}  {text}\n")
        self._column, self._header = 0, True
        self._broken_line()

    def _draw(self, seen: Seen, screen: Screen) -> None:
        cells = self._cells(screen)
        if cells >= MIN_CELLS:
            self._put(screen, self._painting(screen).line(seen, cells=cells, header=self._header))

    def _cells(self, screen: Screen) -> int:
        return _columns(screen.fd) - self._column - 1

    def _painting(self, screen: Screen) -> Painter:
        if self._painter is None:
            from pytest_workflow_exec.progress._frame import Painter

            self._painter = Painter(color=screen.color, unicode=screen.unicode)
        return self._painter

    def _put(self, screen: Screen, line: str) -> None:
        _write(screen.fd, f"{_DRAW}{line}{_DRAWN}")
        self._on_screen = True

    def _erase(self) -> None:
        if self._on_screen and self._screen is not None:
            self._on_screen = False
            with contextlib.suppress(OSError):
                _write(self._screen.fd, _ERASE)


_ALL: weakref.WeakSet[Live] = weakref.WeakSet()


def _halt_all() -> None:
    # A thread would make a fork one of a process with several, which Python warns of.
    for live in list(_ALL):
        live.halt()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_halt_all)


def _said(seen: Seen) -> str:
    parts = [f"{seen.step} is still running, {spent(seen.seconds)}"]
    parts += [f"{label} {done}/{total}".strip() for label, done, total in seen.bars]
    parts += [each for each in (seen.waiting, seen.line) if each]
    return ": ".join(parts)


def _write(fd: int, text: str) -> None:
    os.write(fd, text.encode("utf-8", "replace"))


def _columns(fd: int) -> int:
    try:
        return os.get_terminal_size(fd).columns or _COLUMNS
    except OSError:
        return _COLUMNS


def in_foreground(fd: int) -> bool:
    try:
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:
        # A terminal that does not control this process has no background.
        return True


def _nothing() -> None:
    return None
