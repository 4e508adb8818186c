"""Text of strangers for a terminal: what could move, hide or reorder characters is made visible."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

# Control, format (bidirectional, zero-width), surrogate, private, unassigned, line and paragraph separators, and
# spaces: a terminal acts on them, draws nothing, or draws something that looks like an ordinary space.
_UNSEEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs"})

# Letters and marks by category, but drawn as nothing.
_UNSEEN_RANGES = (
    (0x034F, 0x034F),
    (0x115F, 0x1160),
    (0x17B4, 0x17B5),
    (0x180B, 0x180F),
    (0x2800, 0x2800),
    (0x3164, 0x3164),
    (0xFE00, 0xFE0F),
    (0xFFA0, 0xFFA0),
    (0xE0100, 0xE01EF),
)

_MAX_MARKS = 2
"""So many combining marks on one letter are language; more of them cover the lines above and below."""


def escape(text: str, *, max_chars: int) -> str:
    """Return `text` as it can be shown in several lines: no character of it acts on the terminal or hides.

    Args:
        max_chars: How many characters of `text` are shown; a mark says how many more there are.
    """
    shown = text.replace("\r\n", "\n")
    lines = shown[:max_chars].split("\n")
    return "\n".join("".join(_visible(line)) for line in lines) + cut_mark(len(shown) - max_chars)


def escape_line(text: str, *, max_chars: int | None = None) -> str:
    r"""Return `text` as it can be shown in one line: also its line breaks are visible, as `\n`.

    Args:
        max_chars: How many characters of `text` are shown; None for all.
    """
    limit = len(text) if max_chars is None else max_chars
    return "".join(_visible(text[:limit])) + cut_mark(len(text) - limit)


def cut_mark(missing: int, *, unit: str = "characters", number: int | None = None) -> str:
    """Return the mark that says how much is not shown; empty if nothing is missing.

    Args:
        missing: How much it is.
        unit: Of what.
        number: By which it can be read whole; None if it can't.
    """
    way = "" if number is None else f", show {number}"
    return f" [... {missing} more {unit}{way}]" if missing > 0 else ""


def _visible(text: str) -> Iterator[str]:
    marks = _MAX_MARKS
    for character in text:
        is_mark = unicodedata.category(character).startswith("M")
        # A text may not begin with a mark: it would be drawn over what stands before it.
        marks = marks + 1 if is_mark else 0
        if character == "\t":
            yield "    "
        elif character != " " and (_is_unseen(character) or marks > _MAX_MARKS):
            yield _spelled(character)
        else:
            yield character


def _is_unseen(character: str) -> bool:
    if unicodedata.category(character) in _UNSEEN_CATEGORIES:
        return True
    return any(first <= ord(character) <= last for first, last in _UNSEEN_RANGES)


def _spelled(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
