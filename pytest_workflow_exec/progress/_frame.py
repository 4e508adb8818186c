"""One line of a live display: spinner, time, bars, the last line of a command. The only module that imports rich."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.spinner import Spinner
from rich.text import Text

from pytest_workflow_exec.progress._activity import Seen
from pytest_workflow_exec.progress._plain import spent

_BAR_CELLS = 20
_SPARE_CELLS = 24
"""In less, a bar is only its numbers."""


class Painter:
    """Makes the line of one moment."""

    def __init__(self, *, color: bool, unicode: bool) -> None:
        self._console = Console(
            file=io.StringIO(),
            force_terminal=True,
            color_system="standard" if color else None,
            no_color=not color,
            legacy_windows=False,
            highlight=False,
            markup=False,
            emoji=False,
        )
        self._unicode = unicode
        self._spinner = Spinner("dots" if unicode else "line")

    def line(self, seen: Seen, *, cells: int, header: bool) -> str:
        """Return the line, not wider than `cells`.

        Args:
            header: Whether the step's name is to stand in it.
        """
        text = Text(no_wrap=True)
        if header:
            text.append(f"{seen.step} ")
        text.append(self._frame(seen.seconds), style="cyan")
        text.append(f" {spent(seen.seconds)}")
        for label, done, total in seen.bars:
            text.append(f"  {label} " if label else "  ")
            if cells - text.cell_len > _SPARE_CELLS:
                self._bar(text, done, total)
            text.append(f"{done}/{total}")
        if seen.waiting:
            text.append(f"  {seen.waiting}", style="yellow")
        if seen.line:
            text.append(f"  {seen.line}", style="bright_black")
        return self._cut(text, cells)

    def several(self, steps: Sequence[tuple[str, float]], *, cells: int) -> str:
        """Return the line of several steps at once, not wider than `cells`.

        Args:
            steps: What they are called, and how many seconds each has taken.
        """
        text = Text(no_wrap=True)
        text.append(self._frame(max((seconds for _, seconds in steps), default=0.0)), style="cyan")
        for label, seconds in steps:
            text.append(f" {label} ")
            text.append(spent(seconds), style="bright_black")
            text.append(" ")
        text.rstrip()
        return self._cut(text, cells)

    def _frame(self, seconds: float) -> str:
        frame = self._spinner.render(seconds)
        return frame.plain if isinstance(frame, Text) else "*"

    def _cut(self, text: Text, cells: int) -> str:
        text.truncate(cells, overflow="ellipsis" if self._unicode else "crop")
        with self._console.capture() as captured:
            self._console.print(text, end="", soft_wrap=True)
        return captured.get()

    def _bar(self, text: Text, done: int, total: int) -> None:
        full, empty = ("━", "─") if self._unicode else ("#", "-")
        filled = _BAR_CELLS * done // total if total else _BAR_CELLS
        text.append(full * filled, style="green")
        text.append(f"{empty * (_BAR_CELLS - filled)} ", style="bright_black")


def cells_of(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return cell_len(text)
