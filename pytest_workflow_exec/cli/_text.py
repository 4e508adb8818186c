"""Texts from logs, made harmless for whoever reads them on a screen."""

from __future__ import annotations

import unicodedata

# Control, invisible and reordering characters, halves of characters, and line breaks that a terminal may honour.
_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

_DAY = len("2026-11-22")
_SECOND = len("2026-11-22T11:33:35")


def escape(text: str) -> str:
    """Return `text` on one line, with every character that could move, hide or reorder something spelled out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_spelled(character) if _acts(character) else character for character in text)


def lines(text: str) -> list[str]:
    """Return the lines of `text`, each of them escaped."""
    return [escape(line) for line in text.replace("\r\n", "\n").split("\n")]


def duration(seconds: float) -> str:
    """Return a duration as a person reads it: `0.3s`, `3m 05s`, `2h 10m`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h {minutes:02}m"
    return f"{minutes}m {rest:02}s" if minutes else f"{seconds:.1f}s"


def clock(stamp: str | None, start: str | None) -> str:
    """Return the time of day of a log's time; with its day, if that is another one than that of `start`."""
    if stamp is None:
        return ""
    same_day = start is not None and stamp[:_DAY] == start[:_DAY]
    return escape(stamp[_DAY + 1 : _SECOND] if same_day else stamp[:_SECOND].replace("T", " "))


def _acts(character: str) -> bool:
    return unicodedata.category(character) in _ESCAPED


def _spelled(character: str) -> str:
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
