"""The line of a file that something is wrong in, with a caret where it is."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.errors import Problem

MAX_EXCERPTS = 20
"""Of how many problems the line is shown: a file that is wrong all over has too many to be read anyway."""
_MAX_BYTES = 4 << 20
_WIDTH = 100
"""How much of a line is shown."""
_BEFORE = 60
"""How much of that may stand before the caret."""
_CUT = "..."


def excerpt(problem: Problem) -> Iterator[str]:
    """Give the line that a problem stands in and, below it, a caret; nothing if there is no such place."""
    if problem.path is None or not problem.line or not problem.column:
        return
    line = _line(problem.path, problem.line)
    if line is None or not line.strip():
        return
    text, caret = _around(line, problem.column - 1)
    number = str(problem.line)
    yield f"{number} | {text}"
    yield f"{' ' * len(number)} | {' ' * caret}^"


def _line(path: Path, number: int) -> str | None:
    try:
        if path.stat().st_size > _MAX_BYTES:
            return None
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return lines[number - 1] if number <= len(lines) else None


def _around(line: str, column: int) -> tuple[str, int]:
    """Return what is shown of a line, and where in it the caret stands."""
    plain = "".join(map(_narrow, line))
    plain, column = plain.rstrip(), min(column, len(plain))
    start = max(0, column - _BEFORE) if len(plain) > _WIDTH else 0
    end = start + _WIDTH
    before, behind = _CUT if start else "", _CUT if end < len(plain) else ""
    return f"{before}{plain[start:end]}{behind}", len(before) + column - start


def _narrow(character: str) -> str:
    """Return a character that is one column wide and does nothing to a terminal."""
    if character == "\t":
        return " "
    wide = unicodedata.east_asian_width(character) in ("F", "W") or unicodedata.combining(character)
    return character if character.isprintable() and not wide else "?"
