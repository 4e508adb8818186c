"""Rules of text that strangers wrote and a terminal shows."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.approval import escape


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H", id="ansi"),
        pytest.param("\x9b2J", r"\x9b2J", id="c1-control"),
        pytest.param("\x1b]0;title\x07", r"\x1b]0;title\x07", id="window-title"),
        pytest.param("evil\rgood", r"evil\rgood", id="carriage-return"),
        pytest.param("a\x08b", r"a\x08b", id="backspace"),
        pytest.param("a\x00b", r"a\x00b", id="nul"),
        pytest.param("a\x7fb", r"a\x7fb", id="delete"),
        pytest.param("a\x0b\x0cb", r"a\x0b\x0cb", id="vertical"),
        pytest.param("a\u202eb\u202c", r"a\u202eb\u202c", id="bidi-override"),
        pytest.param("a\u2066b\u2069\u200f", r"a\u2066b\u2069\u200f", id="bidi-isolate"),
        pytest.param("a\u200bb\u200d\ufeff", r"a\u200bb\u200d\ufeff", id="zero-width"),
        pytest.param("a\u00adb\u2060", r"a\xadb\u2060", id="soft-hyphen"),
        pytest.param("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d", id="other-line-breaks"),
        pytest.param("a\u00a0b\u3000", r"a\xa0b\u3000", id="other-spaces"),
        pytest.param("a\u3164b\u2800\u115f", r"a\u3164b\u2800\u115f", id="blank-letters"),
        pytest.param("a\ufe0fb\U000e0100", r"a\ufe0fb\U000e0100", id="variation-selectors"),
        pytest.param("\U000e0041\U000e0042", r"\U000e0041\U000e0042", id="tag-characters"),
        pytest.param("a\ud800b\udcff", r"a\ud800b\udcff", id="lone-surrogates"),
        pytest.param("\ue000\U0010ffff", r"\ue000\U0010ffff", id="private-and-unassigned"),
        pytest.param("\u0301a", r"\u0301a", id="mark-at-the-start"),
        pytest.param("a" + "\u0301" * 4, "a\u0301\u0301" + r"\u0301\u0301", id="pile-of-marks"),
        pytest.param("a\tb", "a    b", id="tab"),
        pytest.param("a\nb\n\nc", "a\nb\n\nc", id="line-breaks"),
        pytest.param("a\r\nb", "a\nb", id="windows-line-breaks"),
        pytest.param("Grüße, мир, 世界, e\u0301, 🚀", "Grüße, мир, 世界, e\u0301, 🚀", id="languages"),
        pytest.param("", "", id="empty"),
    ],
)
def test_what_acts_or_hides_is_made_visible(text: str, shown: str) -> None:
    """A character that moves, hides or reorders others is shown by its number, and language stays as it is."""
    # when
    escaped = escape(text, max_chars=1000)

    # then
    assert escaped == shown


def test_every_control_character_is_shown_by_its_number() -> None:
    """Of all control characters only the line break stays, and the tab becomes spaces."""
    # given
    controls = [*range(0x20), *range(0x7F, 0xA0)]

    # when
    escaped = escape("".join(f"<{chr(number)}>" for number in controls), max_chars=10_000)

    # then
    assert [character for character in escaped if ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0] == ["\n"]


def test_long_text_is_cut_with_a_mark() -> None:
    """A text beyond its limit ends in a mark that says how much of it is missing."""
    # when
    escaped = escape("x" * 130, max_chars=100)

    # then
    assert escaped == "x" * 100 + " [... 30 more characters]"


def test_text_at_its_limit_is_whole() -> None:
    """A text of exactly the limit is shown without a mark."""
    # when
    escaped = escape("x" * 100, max_chars=100)

    # then
    assert escaped == "x" * 100
