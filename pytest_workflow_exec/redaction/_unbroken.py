"""A text without its line breaks, and where each part of it stood."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple

from pytest_workflow_exec.lazy_patterns import lazy_pattern

# With a break goes what programs put at the beginnings of lines: white space, and the signs of quotations and of
# pytest's tracebacks.
_BREAK = r"(?:[\r\n]+[ \t]*(?:[E|>#+-][ \t]+)*)"
_BREAKS = lazy_pattern(f"{_BREAK}+")
_BARE_BREAKS = lazy_pattern(r"(?:[\r\n]+[ \t]*)+")
_PREFIXED = lazy_pattern(r"[\r\n][ \t]*[E|>#+-][ \t]")
_WRITTEN_BREAK = lazy_pattern(r"\\[rn]|%0[aAdD]")
_ALL_BREAKS = lazy_pattern(rf"(?:{_BREAK}|(?:\\{{1,3}}[rn])+|(?:%0[aAdD])+)+")
# What a terminal does not show as a sign: colours and other sequences, what has no width, letters that are struck over, and
# the second halves of letters in UTF-16.
_UNSEEN = (
    r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[ -/]*[0-Z^-~]"
    r"|[^\r\n]\x08|[\0\xad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]"
)
_SOME_UNSEEN = lazy_pattern(_UNSEEN)
_ALL_UNSEEN = lazy_pattern(rf"(?:{_UNSEEN}|[\r\n]+[ \t]*)+")


class Span(NamedTuple):
    """A part of a text."""

    start: int
    end: int


class Unbroken:
    """A text in which something was left out."""

    def __init__(self, text: str, left_out: re.Pattern[str]) -> None:
        pieces: list[str] = []
        self._places, self._offsets = [0], [0]
        length = kept = 0
        for match in left_out.finditer(text):
            pieces.append(text[kept : match.start()])
            length, kept = length + match.start() - kept, match.end()
            self._places.append(length)
            self._offsets.append(kept)
        self.text = "".join([*pieces, text[kept:]])

    def original(self, start: int, end: int) -> Span:
        """Return the part of the whole text that became this part."""
        return Span(self._original(start), self._original(end - 1) + 1)

    def _original(self, place: int) -> int:
        index = bisect_right(self._places, place) - 1
        return self._offsets[index] + place - self._places[index]


def unbroken(text: str) -> Iterator[Unbroken]:
    """Give the text without its line breaks, without those that are written out, such as JSON's, and without what is not seen.

    None of those that there are none of.
    """
    if "\n" in text or "\r" in text:
        yield Unbroken(text, _BARE_BREAKS)
        if _PREFIXED.search(text):
            yield Unbroken(text, _BREAKS)
    if _WRITTEN_BREAK.search(text):
        yield Unbroken(text, _ALL_BREAKS)
    if _SOME_UNSEEN.search(text):
        yield Unbroken(text, _ALL_UNSEEN)
