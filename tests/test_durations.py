"""Rules of durations."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.durations import parse_duration, spell_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("5m", 300), ("1h30m", 5400), ("7d", 604800), ("1d1h1m1s", 90061), ("0.5s", 0.5), ("2m0s", 120)],
)
def test_duration_is_the_sum_of_its_parts(text: str, seconds: float) -> None:
    """Days, hours, minutes and seconds add up, in this order, each at most once."""
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "90", "s", "1.5h", "-5m", "+5m", "5 m", "5M", "30m1h", "5m5m", "0s", "1w", "٣s", "5m\n", "9" * 400 + "s"],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    """A number without a unit, another order, other signs and no time at all are no durations."""
    with pytest.raises(ValueError, match="duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90, "1m30s"), (5400, "1h30m"), (604_800, "7d"), (0.5, "0.5s"), (86_461, "1d1m1s"), (0, "0s"), (60.25, "1m0.25s")],
)
def test_a_duration_is_spelled_as_people_write_it(seconds: float, text: str) -> None:
    """What is spelled is read as the same."""
    assert spell_duration(seconds) == text
    assert not seconds or parse_duration(text) == seconds
