"""Texts of a log for people: nothing hidden in them, times and durations as they are read."""

from __future__ import annotations

from datetime import datetime

from pytest_workflow_exec.approval import escape
from pytest_workflow_exec.digests import Json

MAX_CHARS = 20_000
"""How much of one text is shown; the log has it whole."""


def visible(text: str, *, max_chars: int = MAX_CHARS) -> str:
    """Return `text` with every character spelled out that could move, hide or reorder others; line breaks stay."""
    if text.isascii() and text.isprintable() and len(text) <= max_chars:
        return text
    return escape(text, max_chars=max_chars)


def spoken(seconds: float) -> str:
    """Return a duration as a person reads it: `0.3s`, `3m 05s`, `2h 10m`, `3d 04h`."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours:02}h"
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"


def clock(stamp: str | None) -> str:
    """Return a time of a log as a person reads it: `2026-11-22 11:33:35 UTC`."""
    if stamp is None:
        return "unknown"
    second = len("2026-11-22T11:33:35")
    return visible(stamp[:second].replace("T", " ") + " UTC")


def moment(stamp: str | None) -> float | None:
    """Return a time of a log in seconds; None if it is none."""
    try:
        return None if stamp is None else datetime.fromisoformat(stamp.replace("Z", "+00:00")).timestamp()
    except (ValueError, OverflowError):
        return None


def text_of(value: Json) -> str:
    """Return a value of a log as a text; empty for nothing."""
    return "" if value is None else str(value)
