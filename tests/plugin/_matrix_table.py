"""The page that shows what happened in each cell of the matrix: written by the test, and checked against it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

BEGIN = "<!-- matrix: begin -->"
END = "<!-- matrix: end -->"
_HEAD = ("Run with", "Exit code", "Bodies that ran", "How the steps ended, or why none ran")


class Cell(NamedTuple):
    """Which cell of the matrix."""

    flow: str
    way: str


class Row(NamedTuple):
    """What happened in a cell."""

    status: str
    ran: str
    said: str


def read_rows(page: Path) -> dict[Cell, Row]:
    """Return the rows between the page's markers."""
    rows: dict[Cell, Row] = {}
    flow = ""
    for line in page.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0].splitlines():
        if line.startswith("### "):
            flow = line.removeprefix("### ")
        elif line.startswith("| ") and line not in _HEAD_LINES:
            way, *rest = line.removeprefix("| ").removesuffix(" |").split(" | ")
            rows[Cell(flow, way.replace("`", ""))] = Row(*rest)
    return rows


def write_rows(page: Path, rows: Mapping[Cell, Row], *, flows: Iterable[str], ways: Iterable[str]) -> None:
    """Write the rows between the page's markers, and leave the rest of the page as it is.

    Raises:
        KeyError: A cell has no row yet: the whole matrix has to be run once.
    """
    before, _, rest = page.read_text(encoding="utf-8").partition(BEGIN)
    after = rest.partition(END)[2]
    ways = tuple(ways)
    tables = "\n".join(_table(flow, ways, rows) for flow in flows)
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n{END}{after}", encoding="utf-8")


def _table(flow: str, ways: Iterable[str], rows: Mapping[Cell, Row]) -> str:
    lines = [_line((_shown(way), *rows[Cell(flow, way)])) for way in ways]
    return "\n".join([f"### {flow}", "", *_HEAD_LINES, *lines, ""])


def _line(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _shown(way: str) -> str:
    return f"`{way}`" if way.startswith("-") else way


_HEAD_LINES = (_line(_HEAD), _line(["---"] * len(_HEAD)))
