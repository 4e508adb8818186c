"""One line of the display, in windows of all widths."""

from __future__ import annotations

import re

import pytest

from pytest_workflow_exec.progress._activity import Seen
from pytest_workflow_exec.progress._frame import Painter, cells_of

SEEN = Seen(step="[1/2] build", seconds=12.3, bars=(("hosts", 3, 8),), waiting="", line="compiling 日本語 " * 20)


@pytest.mark.parametrize("cells", [12, 20, 40, 64, 104])
def test_it_is_never_wider_than_its_window(cells: int) -> None:
    """Wide characters count double, and what is too long is cut."""
    line = Painter(color=False, unicode=True).line(SEEN, cells=cells, header=False)

    assert cells_of(line) <= cells
    assert "\x1b" not in line


def test_it_says_all_that_goes_on() -> None:
    """Time, bar, waiting and the last line stand in it; colors only where they are wanted."""
    seen = Seen(step="[1/2] build", seconds=12.3, bars=(("hosts", 3, 8),), waiting="attempt 2 of 3 in 4 s", line="ok")

    colored = Painter(color=True, unicode=False).line(seen, cells=100, header=True)

    assert "\x1b[" in colored
    plain = re.sub(r"\x1b\[[0-9;]*m", "", colored)
    assert re.fullmatch(
        r"\[1/2\] build [-\\|/] 12\.3s  hosts #######------------- 3/8  attempt 2 of 3 in 4 s  ok", plain
    )
    assert plain.isascii()


def test_markup_of_a_command_is_only_text() -> None:
    """What a command prints is no markup and no emoji of ours."""
    seen = Seen(step="x", seconds=1.0, line="[red]:smile: [/]")

    assert "[red]:smile: [/]" in Painter(color=False, unicode=True).line(seen, cells=100, header=False)
