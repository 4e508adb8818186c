"""Durations as people write them."""

from __future__ import annotations

from pytest_workflow_exec.lazy_patterns import lazy_pattern

DURATION = lazy_pattern(
    r"(?:(?P<days>[0-9]{1,6})d)?(?:(?P<hours>[0-9]{1,6})h)?(?:(?P<minutes>[0-9]{1,6})m)?"
    r"(?:(?P<seconds>[0-9]{1,9}(?:\.[0-9]{1,6})?)s)?"
)
"""What a duration looks like; one that fits may still be empty, or no time at all."""
_UNITS_S = {"days": 86400.0, "hours": 3600.0, "minutes": 60.0, "seconds": 1.0}


def spell_duration(seconds: float) -> str:
    """Return a duration as people write it: `1h30m`, `7d`, `0.5s`."""
    whole, rest = divmod(round(seconds, 6), 1)
    left, said = int(whole), ""
    for unit, unit_s in (("d", 86400), ("h", 3600), ("m", 60)):
        count, left = divmod(left, unit_s)
        said += f"{count}{unit}" if count else ""
    return said + (f"{left + rest:g}s" if left or rest or not said else "")


def parse_duration(text: str) -> float:
    """Return how many seconds `90s`, `5m`, `1h30m` or `7d` are.

    Raises:
        ValueError: The text is no duration, or none that lasts.
    """
    match = DURATION.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{text[:40]!r} is no duration: write it like 90s, 5m, 1h30m or 7d")
    seconds = sum(float(match[unit] or 0) * unit_s for unit, unit_s in _UNITS_S.items())
    if seconds <= 0:
        raise ValueError(f"{text!r} is no time at all: a duration is more than 0s")
    return seconds
