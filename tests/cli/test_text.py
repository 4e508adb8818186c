"""Texts from logs, made harmless."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.cli._text import duration, escape, lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain [red]text[/red] äß 漢字 😀", "plain [red]text[/red] äß 漢字 😀"),
        ("\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\x9b2J\x7f\x00", r"\x9b2J\x7f\x00"),
        ("over\rwrite\nnext\ttab", r"over\rwrite\nnext\ttab"),
        ("approved\u202e desrever \u2066x\u2069\u200f", r"approved\u202e desrever \u2066x\u2069\u200f"),
        ("in\u200bvisible\ufeff\u00ad\U000e0041", r"in\u200bvisible\ufeff\xad\U000e0041"),
        ("line\u2028and\u2029paragraph\x85", r"line\u2028and\u2029paragraph\x85"),
        ("half \ud83d", r"half \ud83d"),
        ("private \ue000", r"private \ue000"),
    ],
)
def test_characters_that_act_on_a_screen_are_spelled_out(text: str, shown: str) -> None:
    """Control, bidi, invisible and broken characters are shown as their escapes; ordinary ones stay."""
    assert escape(text) == shown


def test_every_character_stays_on_its_line() -> None:
    """No character at all makes more than one line of an escaped text, or moves the cursor."""
    for code in range(0x110000):
        shown = escape(f"a{chr(code)}b")
        assert shown.splitlines() == [shown]
        assert "\x1b" not in shown


def test_a_longer_text_keeps_its_lines() -> None:
    """Only real line breaks make lines, and each line is escaped on its own."""
    assert lines("one\r\ntwo\n\x1b[1mthree\rfour") == ["one", "two", r"\x1b[1mthree\rfour"]


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0.0s"), (0.25, "0.2s"), (59.4, "59.4s"), (60, "1m 00s"), (185, "3m 05s"), (3600, "1h 00m"), (7800, "2h 10m")],
)
def test_a_duration_is_short(seconds: float, shown: str) -> None:
    """A duration has one unit, or two of them."""
    assert duration(seconds) == shown
