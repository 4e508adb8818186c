"""Reading at a gate what does not fit: it is never an answer and never a try."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from .conftest import Terminal

PROMPT = "to approve, or reject to stop: "
NEXT = "Enter: next, q: back "


def _code(terminal: Terminal) -> str:
    code: str = json.loads((terminal.folder / "code.json").read_text())
    return code


def _pages(terminal: Terminal) -> str:
    read, more = "", True
    while more:
        shown, more = terminal.see_either(NEXT, PROMPT)
        read += shown
        if more:
            terminal.type("")
    return read


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_what_is_cut_can_be_read_to_its_end(terminal: Terminal, plain: Callable[[str], str], columns: int) -> None:
    """`show N` gives what was cut in its own lines, each marked and harmless, a page at a time; then the gate asks on."""
    terminal.start("much-to-read", columns=columns)
    shown = plain(terminal.see(PROMPT))
    terminal.type("show 1")
    read = plain(_pages(terminal))
    terminal.type(_code(terminal))
    closing = terminal.end()

    flat = re.sub(r"[\s│]", "", shown)
    assert "morecharacters,show1]" in flat
    assert "morelines,show2]" in flat
    assert "typemoretoreadallofit" in flat
    assert [f"│ printed line {number}\\x1b[2J" in read for number in range(100)] == [True] * 100
    assert "Approved." in closing
    assert terminal.effect


def test_reading_is_neither_an_answer_nor_a_try(terminal: Terminal, plain: Callable[[str], str]) -> None:
    """What is typed at a page answers nothing; a number that shows nothing costs no try; `more` shows all there is."""
    terminal.start("much-to-read")
    terminal.see(PROMPT)
    for answer in ["show 3", "show 0", "show 9999", "show 7", "show 8", "show 9"]:
        terminal.type(answer)
        assert "There is show 1 to show 2." in terminal.see(PROMPT)
    for typed in (_code(terminal), "reject", "q"):
        terminal.type("more")
        terminal.see(NEXT)
        terminal.type(typed)
        assert "Approved" not in terminal.see(PROMPT)
    terminal.type("more")
    terminal.see(NEXT)
    terminal.press("d")
    terminal.see(PROMPT)
    terminal.type("MORE")
    read = plain(_pages(terminal))
    terminal.type("show")
    assert "4 tries are left" in terminal.see(PROMPT)
    terminal.type("reject")
    terminal.see("Reason: ")
    terminal.type("no")
    terminal.end()

    assert "printed line 99" in read
    assert "words line 99" in read
    assert "more characters" not in read
    assert terminal.decision["decision"] == "rejected"


def test_the_time_to_read_is_the_time_to_answer(terminal: Terminal) -> None:
    """A person who reads for ever has not approved."""
    terminal.start("much-to-read", timeout_s=2)
    terminal.see(PROMPT)
    terminal.type("more")
    terminal.see(NEXT)
    terminal.end()

    assert terminal.decision["decision"] == "expired"
    assert not terminal.effect
