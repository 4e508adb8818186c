"""What is shown of steps that run in other processes, several at once: one line that is drawn anew, or a line each minute."""

from __future__ import annotations

import time

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.progress._live import MIN_CELLS, PATIENCE_S, Live, in_foreground
from pytest_workflow_exec.progress._plain import spent


@dataclass(slots=True)
class _UnderWay:
    label: str
    began_s: float
    beat_at_s: float


class Several(Live):
    """Shows steps that somebody else runs."""

    def __init__(self) -> None:
        super().__init__()
        self._under_way: dict[str, _UnderWay] = {}

    def enter(self, key: str, label: str) -> None:
        """Show a step from now on."""
        if self._screen is None:
            return
        now_s = time.monotonic()
        with self._lock:
            self._under_way[key] = _UnderWay(label, now_s, now_s + self._screen.beat_s)
        self._go()

    def leave(self, key: str) -> None:
        """Show a step no more."""
        with self._lock:
            self._under_way.pop(key, None)
            self._erase()

    def stand(self, *, in_line: bool) -> None:
        """Take note of where the cursor is.

        Args:
            in_line: Whether others have begun a line there, of which nobody knows how long it is.
        """
        with self._lock:
            self._column = 1 if in_line else 0

    def _show(self) -> None:
        screen, now_s = self._screen, time.monotonic()
        if screen is None:
            return
        if not screen.drawn:
            for each in self._under_way.values():
                if now_s >= each.beat_at_s:
                    each.beat_at_s = now_s + screen.beat_s
                    self._line(screen, f"{each.label} is still running, {spent(now_s - each.began_s)}")
            return
        shown = [(each.label, now_s - each.began_s) for each in self._under_way.values()]
        cells = self._cells(screen)
        long = any(seconds >= PATIENCE_S for _, seconds in shown)
        if long and not self._column and cells >= MIN_CELLS and in_foreground(screen.fd):
            self._put(screen, self._painting(screen).several(shown, cells=cells))
