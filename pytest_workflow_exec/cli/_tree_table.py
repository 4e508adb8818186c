"""The tree of a run's steps as a table that fits a screen of any width."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NamedTuple

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from pytest_workflow_exec.report import NO_END, NOT_STARTED, RunStory, StepStory

from ._text import clock, duration, escape
from ._tree import Row, rows_of

_STYLES = {
    "passed": "green", "carried": "green", "waived": "yellow", "not applicable": "dim", "failed": "bold red",
    "denied": "bold red", "blocked": "yellow", "interrupted": "yellow", "suspended": "yellow",
    NO_END: "bold yellow", NOT_STARTED: "dim",
}  # fmt: skip
_BETWEEN = 2
_HEADS = ("#", "step", "kind", "outcome", "time", "tries", "started")
_BROKEN = ("step", "outcome")
"""The columns that are broken where the screen is narrow."""


class _Line(NamedTuple):
    """The cells of one line, in the order of the heads."""

    number: Text
    step: Text
    kind: Text
    outcome: Text
    time: Text
    tries: Text
    started: Text


class _Guides(NamedTuple):
    """What leads from a line of the tree to those below it."""

    line: str
    gap: str
    fork: str
    last: str


_LINES = _Guides(line="│  ", gap="   ", fork="├─ ", last="└─ ")
_ASCII = _Guides(line="|  ", gap="   ", fork="|- ", last="`- ")
_PLAIN = _Guides(line="  ", gap="  ", fork="  ", last="  ")


def tree_table(story: RunStory, steps: Sequence[StepStory], *, cells: int, drawn: bool) -> Table:
    """Return the table of a run's steps.

    Args:
        steps: The steps that are to be in it, in the plan's order.
        cells: How wide it may be.
        drawn: Whether lines lead from step to step; else they are indented.
    """
    guides = _guides() if drawn else _PLAIN
    lines = [_line(row, guides, story.started) for row in rows_of(story, steps)]
    table = Table(
        box=SIMPLE_HEAD if drawn else None,
        header_style="bold" if drawn else "",
        padding=(0, _BETWEEN - 1 if drawn else _BETWEEN, 0, 0),
        pad_edge=False,
        show_edge=False,
    )
    for head in _HEADS:
        table.add_column(
            head,
            justify="right" if head in ("#", "time", "tries") else "left",
            width=_name_cells(lines, cells) if head == "step" else None,
            no_wrap=head not in _BROKEN,
            overflow="fold",
        )
    for line in lines:
        table.add_row(*line)
    return table


def _line(row: Row, guides: _Guides, start: str | None) -> _Line:
    own = "" if row.number is not None or not row.open else "dim"
    return _Line(
        number=Text("" if row.number is None else str(row.number)),
        step=Text.assemble((_above(row, guides), "dim"), (escape(row.label), own)),
        kind=Text(escape(row.kind)),
        outcome=Text(escape(row.words), style=_STYLES.get(row.outcome, "")),
        time=Text("" if row.duration_s is None else duration(row.duration_s)),
        tries=Text("" if row.attempts is None else str(row.attempts)),
        started=Text(clock(row.started, start)),
    )


def _above(row: Row, guides: _Guides) -> str:
    if not row.open:
        return ""
    *above, more = row.open
    return "".join(guides.line if each else guides.gap for each in above) + (guides.fork if more else guides.last)


def _guides() -> _Guides:
    try:
        "".join(_LINES).encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (LookupError, UnicodeEncodeError):
        return _ASCII
    return _LINES


def _name_cells(lines: Sequence[_Line], cells: int) -> int:
    """Return how many cells the tree gets: all that it needs, if enough is left for how the steps ended."""
    widths = {head: max(len(head), *(line[place].cell_len for line in lines)) for place, head in enumerate(_HEADS)}
    fixed = sum(width for head, width in widths.items() if head not in _BROKEN)
    left = cells - fixed - _BETWEEN * (len(_HEADS) - 1)
    return max(min(widths["step"], max(left - widths["outcome"], left * 3 // 5)), len("step"))
