"""The lines of a log as they are, for whoever wants to see what a page was made of."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import all_lines
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._words import visible

MAX_LINE_CHARS = 4_000
MAX_CHARS = 16_000_000
"""So much of a log a page holds, for browsers' sake."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RawRecords:
    """Lines of a log."""

    lines: tuple[str, ...] = ()
    total: int = 0
    """How many lines the log has, as far as it can be read."""
    problem: str = ""
    """Why no more could be read."""

    def packed(self) -> str:
        """Return the lines as a text that can stand inside a script element, and that the page's script unpacks."""
        return packed(self.lines)


def packed(texts: Sequence[str]) -> str:
    """Return texts as compressed JSON in base64: a log has much that repeats, and browsers read long files slowly."""
    written = json.dumps(texts, ensure_ascii=True, separators=(",", ":")).encode("ascii")
    # No time in it: the same log gives the same page.
    return base64.b64encode(gzip.compress(written, 6, mtime=0)).decode("ascii")


def raw_records(log: Path) -> RawRecords:
    """Return a log's lines, whatever they hold, each cut to a length that can be looked at."""
    lines: list[str] = []
    total, chars, problem = 0, 0, ""
    try:
        for line in all_lines(log):
            total += 1
            if chars < MAX_CHARS:
                text = line.raw[: MAX_LINE_CHARS * 4].decode("utf-8", "backslashreplace").rstrip("\n")
                lines.append(visible(text, max_chars=MAX_LINE_CHARS))
                chars += len(lines[-1])
    except (LogUnreadableError, OSError) as error:
        problem = str(error)
    return RawRecords(lines=tuple(lines), total=total, problem=problem)
