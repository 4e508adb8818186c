"""Reading what does not fit: page by page at the gate's own terminal, with no program and no shell in between."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TextIO

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._deadline import Deadline
from ._facts import Cut
from ._say import say
from ._screen import Screen, cut_lines
from ._terminal import discard_typed_ahead, terminal_columns, terminal_problem

_SHOW = lazy_pattern(r"show\s+([0-9]{1,4})")
_MIN_ROWS, _MAX_ROWS, _ROWS = 4, 60, 24


class PageError(Exception):
    """Nobody can be asked at the terminal any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """All that can be read of a question."""

    cuts: Sequence[Cut]
    whole: Callable[[], Screen]
    """Gives the question with nothing shortened."""
    color: bool

    def turned(self, answer: str, *, deadline: Deadline, screen: TextIO) -> bool:
        """Return whether an answer only wanted to read on; then it was shown. It is no answer, and no try.

        Args:
            answer: What was typed, in small letters and without spaces around it.
            deadline: The time for all answers.
            screen: The terminal.

        Raises:
            PageError: Meanwhile nobody can be asked any more.
            NoAnswerError: The time is over.
        """
        wanted = _SHOW.fullmatch(answer)
        if answer == "more":
            _page(self.whole().text.splitlines(), deadline, screen)
        elif wanted is not None and 1 <= int(wanted[1]) <= len(self.cuts):
            cut = self.cuts[int(wanted[1]) - 1]
            _page(cut_lines(cut, terminal_columns(), color=self.color), deadline, screen)
        elif wanted is not None:
            say(screen, f"{_known(len(self.cuts))}\n")
        return answer == "more" or wanted is not None


def _known(count: int) -> str:
    return f"There is show 1 to show {count}." if count else "Nothing was cut; more shows all of it again."


def _page(lines: Sequence[str], deadline: Deadline, screen: TextIO) -> None:
    rows, place = _rows(), 0
    while place < len(lines):
        page = lines[place : place + rows]
        say(screen, "".join(f"{line}\n" for line in page))
        place += len(page)
        if place < len(lines) and not _goes_on(f"[{place} of {len(lines)} lines]", deadline, screen):
            return


def _goes_on(place: str, deadline: Deadline, screen: TextIO) -> bool:
    if (problem := terminal_problem(stdout=screen)) is not None:
        raise PageError(problem)
    discard_typed_ahead()
    try:
        return not deadline.read(f"{place} Enter: next, q: back ").strip()
    except EOFError:
        # Where input has really ended, the question that follows finds it out.
        return False


def _rows() -> int:
    try:
        rows = os.get_terminal_size(1).lines or _ROWS
    except OSError:
        rows = _ROWS
    return min(max(rows - 1, _MIN_ROWS), _MAX_ROWS)
