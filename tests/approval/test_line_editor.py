"""Lines that are edited: what bytes mean, what keys do, and a real terminal that is what it was before."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from pytest_workflow_exec.approval._keyboard import Key, Keyboard, Typed
from pytest_workflow_exec.approval._line import MAX_LINE_CHARACTERS, EditedLine

PATIENCE_S = 60
ROOT = Path(__file__).parents[2]
ASKS = """
import sys, termios, time
from pytest_workflow_exec.approval import Dialogue, DialogueError

before = termios.tcgetattr(0)
with Dialogue.opened() as screen:
    screen.remember("an earlier line")
    while True:
        try:
            text = screen.read("you> ", timeout_s=float(sys.argv[1]))
        except KeyboardInterrupt:
            print("INTERRUPTED")
            continue
        except DialogueError as error:
            print("ENDED", error)
            break
        print("GOT", ascii(text))
print("SAME", termios.tcgetattr(0)[3] & (termios.ICANON | termios.ECHO | termios.ISIG) == before[3] & (
    termios.ICANON | termios.ECHO | termios.ISIG))
"""


def typed(*pieces: bytes) -> list[Typed | Key]:
    """Return what is typed by these bytes, which arrive one after the other."""
    keyboard = Keyboard()
    return [each for piece in pieces for each in keyboard.take(piece)]


def words(*pieces: bytes) -> str:
    """Return the characters among what is typed."""
    return "".join(each.text for each in typed(*pieces) if isinstance(each, Typed))


def test_characters_arrive_in_any_pieces() -> None:
    """A letter of several bytes and a key of several may be cut anywhere."""
    content = "aé漢".encode() + b"\x1b[D\x1bOH\x1b[3~\x1b[1;5C\x7f"
    whole = typed(content)

    assert words(content) == "aé漢"
    assert [each.name for each in whole if isinstance(each, Key)] == [
        "left", "home", "delete", "word right", "backspace",
    ]  # fmt: skip
    assert typed(*[bytes([byte]) for byte in content]) == whole


def test_nothing_typed_acts_on_the_terminal() -> None:
    """Control characters, unknown keys and what can't be seen are no part of a line."""
    assert words(b"a\x07\x00\x1b[5;9R\x1b[99zb\x1b]", b"c") == "abc"
    assert words("x\u202e\u200b\x9b".encode()) == "x"
    assert words(b"\x1b[" + b"1" * 100) == "[" + "1" * 100


def test_what_is_pasted_is_one_piece() -> None:
    """Line breaks in it end no line, and control characters in it are no keys."""
    paste = b"\x1b[200~one\r\ntwo\rthree\x03\x04\x1b[D\x15\x1b[201~!"

    assert typed(paste) == [Typed("one\ntwo\nthree[D"), Typed("!")]
    assert typed(paste[:9], paste[9:30], paste[30:]) == typed(paste)
    assert typed(b"\x1b[200~\x1b[201~") == []


def edited(line: EditedLine, *keys: str) -> tuple[str, int]:
    """Press keys, and return text and cursor."""
    for key in keys:
        line.press(Key(key))  # type: ignore[arg-type]  # names of keys
    return line.text, line.cursor


def test_keys_edit() -> None:
    """Moving, deleting and killing, by characters and words, and never beyond an end."""
    line = EditedLine()
    line.insert("one two-three")

    assert edited(line, "word left") == ("one two-three", 8)
    assert edited(line, "kill word") == ("one three", 4)
    assert edited(line, "left", "backspace") == ("on three", 2)
    assert edited(line, "delete", "delete") == ("onhree", 2)
    assert edited(line, "word right", "right", "right") == ("onhree", 6)
    assert edited(line, "home", "left", "backspace") == ("onhree", 0)
    line.insert("x")
    assert edited(line, "kill before") == ("onhree", 0)
    assert edited(line, "end", "left", "kill behind") == ("onhre", 5)
    assert edited(line, "enter", "redraw") == ("onhre", 5)
    assert edited(line, "end of input") == ("onhre", 5)


def test_earlier_lines_come_back() -> None:
    """The newest first; what was being typed is not lost, and an edited earlier line stays what it was."""
    line = EditedLine(("first", "second"))
    line.insert("mine")

    assert edited(line, "up") == ("second", 6)
    line.insert("!")
    assert edited(line, "up", "up") == ("first", 5)
    assert edited(line, "down") == ("second", 6)
    assert edited(line, "down", "down") == ("mine", 4)


def test_a_line_has_a_bound() -> None:
    """Whatever is pasted."""
    line = EditedLine()
    line.insert("x" * (MAX_LINE_CHARACTERS + 5))

    assert len(line.text) == MAX_LINE_CHARACTERS


@pytest.fixture
def asks(tmp_path: Path) -> Iterator[pexpect.spawn[str]]:
    """A process that reads lines on a terminal of its own."""
    yield from _asking(tmp_path, "60", "xterm")


def _asking(folder: Path, timeout: str, term: str) -> Iterator[pexpect.spawn[str]]:
    (folder / "asks.py").write_text(ASKS)
    child = pexpect.spawn(
        sys.executable,
        [str(folder / "asks.py"), timeout],
        cwd=str(folder),
        env={**os.environ, "TERM": term, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        encoding="utf-8",
        timeout=PATIENCE_S,
        dimensions=(24, 80),
        echo=True,
    )
    child.expect("you> ")
    yield child
    child.close(force=True)


def ended(child: pexpect.spawn[str]) -> str:
    """Return what is printed until the end."""
    child.expect(pexpect.EOF)
    return str(child.before)


@pytest.mark.parametrize(
    ("keys", "got"),
    [
        ("plain", "'plain'"),
        ("hallo\x1b[D\x1b[D\x1b[D\x7fe", "'hello'"),
        ("\x1b[A\x7f\x7f\x7f\x7fword", "'an earlier word'"),
        ("x" * 5000, f"'{'x' * 5000}'"),
        ("\x1b[200~one\ntwo\x1b[201~ three", r"'one\ntwo three'"),
        ("a漢字\x1b[D\x7fb", r"'ab\u5b57'"),
        ("one \\\rtwo", r"'one \ntwo'"),
        ("\x1b", "''"),
    ],
)
def test_a_line_is_edited_on_a_terminal(asks: pexpect.spawn[str], keys: str, got: str) -> None:
    """What is returned is what was edited; a line is as long as it has to be, and may be pasted."""
    asks.send(keys)
    if keys == "\x1b":
        # A key of its own, if nothing follows.
        asks.expect(pexpect.TIMEOUT, timeout=1)
    asks.send("\r")

    asks.expect_exact(f"GOT {got}\r\n")

    asks.expect("you> ")
    asks.send("\x04")
    assert "SAME True" in ended(asks)


def test_ctrl_c_is_heard_and_the_next_line_is_read(asks: pexpect.spawn[str]) -> None:
    """In the middle of a line, again and again; the terminal is an ordinary one afterwards."""
    for _ in range(3):
        asks.send("half a line")
        asks.expect_exact("half a line")
        asks.sendintr()
        asks.expect("INTERRUPTED")
        asks.expect("you> ")
    asks.send("whole\r")
    asks.expect_exact("GOT 'whole'")
    asks.expect("you> ")
    asks.send("\x04")

    said = ended(asks)
    assert "ENDED the input ended" in said
    assert "SAME True" in said


def test_what_is_not_drawn_of_a_line_is_marked(asks: pexpect.spawn[str]) -> None:
    """At either end, and the row is never wider than the terminal."""
    asks.send("abcdefghij" * 20 + "\x1b[D" * 80)
    asks.expect(pexpect.TIMEOUT, timeout=2)
    drawn = re.split(r"\x1b\[K", str(asks.before))[-1]
    row = re.sub(r"\x1b\[\d+D", "", drawn)
    asks.send("\r")
    asks.expect_exact("GOT ")

    assert re.fullmatch(r"you> <[a-j]+>", row), row
    assert len(row) <= 80


def test_a_line_that_is_only_typed_is_drawn_once(asks: pexpect.spawn[str]) -> None:
    """Each character as it comes, and no prompt but the one: what reads the screen is not deceived."""
    for letter in "simple":
        asks.send(letter)
        asks.expect_exact(letter)
    asks.send("\r")
    asks.expect_exact("GOT 'simple'")

    assert "you>" not in str(asks.before)


@pytest.mark.parametrize("term", ["xterm", "dumb"])
def test_the_time_ends_a_line(tmp_path: Path, term: str) -> None:
    """Whether it is edited or not, and whatever was typed of it."""
    for child in _asking(tmp_path, "0.5", term):
        child.send("half")

        said = ended(child)

        assert "ENDED the time for the conversation is over" in said
        assert "SAME True" in said


def test_a_terminal_that_moves_no_cursor_reads_plain_lines(tmp_path: Path) -> None:
    """Nothing is drawn there but what is typed."""
    for child in _asking(tmp_path, "60", "dumb"):
        child.sendline("plain")
        child.expect_exact("GOT 'plain'")
        assert "\x1b[K" not in str(child.before)


def test_a_long_line_is_drawn_in_its_own_row_until_it_ends(asks: pexpect.spawn[str]) -> None:
    """No terminal continues it by itself, where it would have no prompt; behind its end it stands there whole."""
    asks.send("abcdefghij" * 12)
    asks.expect_exact("\x1b[K")
    asks.send("\r")
    asks.expect_exact("GOT ")
    last = str(asks.before).rpartition("\x1b[K")[2]

    assert "".join(last.split("\r\n")) == "you> " + "abcdefghij" * 12
    assert max(len(row) for row in last.split("\r\n")) <= 80
