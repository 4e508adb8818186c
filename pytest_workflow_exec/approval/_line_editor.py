"""Reading a line that can be edited, key by key, in Python: signals are heard at every moment, and the time is kept.

The readline library would do it, but at the wrong moment it waits deaf to every signal.
"""

from __future__ import annotations

import contextlib
import os
import select
import termios
import time
from collections import deque
from collections.abc import Iterator
from typing import TextIO

from rich.cells import cell_len, get_character_cell_size

from ._deadline import NoAnswerError
from ._keyboard import Key, Keyboard, Typed
from ._line import EditedLine
from ._say import say
from ._terminal import terminal_columns
from ._words import escape, escape_line

_LOCAL, _CHARACTERS = 3, 6
_ERASE = "\r\x1b[K"
_PASTE_ON, _PASTE_OFF = "\x1b[?2004h", "\x1b[?2004l"
_PIECE = 4096
_HALF_A_KEY_S = 0.1
_LOOK_S = 1.0
_NEWLINE = "\u21b5"
_BEFORE, _BEHIND = "<", ">"
"""What says that a line goes on where it is not drawn."""
_NEAR = 4
"""So many rows before the cursor are looked at for what to draw, however long the line is."""


class LineEditor:
    """Reads lines from the terminal, and remembers them."""

    def __init__(self, screen: TextIO) -> None:
        """Draw on `screen`, which is the terminal."""
        self._screen = screen
        self._history: list[str] = []
        self._keyboard = Keyboard()
        self._ahead: deque[Typed | Key] = deque()
        """What was typed and not taken yet: it may belong to the next line."""
        self._row: str | None = None
        """What stands in the terminal's line, if that is all of it with the cursor behind it."""

    def remember(self, text: str) -> None:
        """Keep a line for who looks back; nothing of it is written to a file."""
        if text.strip() and self._history[-1:] != [text]:
            self._history.append(text)

    def read(self, prompt: str, *, ends_s: float) -> str:
        """Return a line that a person typed after `prompt`, which may hold pasted line breaks.

        Args:
            ends_s: When it is too late, by the monotonic clock.

        Raises:
            NoAnswerError: The time is over.
            EOFError: The end of input was typed, or the terminal is gone.
            OSError: The terminal can't be read.
            termios.error: The terminal can't be set.
        """
        line = EditedLine(tuple(self._history))
        with self._keys(), self._shown(prompt, line):
            while True:
                changed = bool(self._ahead)
                while self._ahead:
                    typed = self._ahead.popleft()
                    if isinstance(typed, Typed):
                        line.insert(typed.text)
                    elif typed.name == "enter":
                        self.remember(line.text)
                        return line.text
                    elif typed.name == "end of input" and not line.text:
                        raise EOFError
                    else:
                        line.press(typed)
                        self._row = None if typed.name == "redraw" else self._row
                if changed:
                    self._draw(prompt, line)
                self._listen(ends_s, prompt, line)

    def _listen(self, ends_s: float, prompt: str, line: EditedLine) -> None:
        """Wait for what is typed next, a while at most."""
        left_s = ends_s - time.monotonic()
        if left_s <= 0:
            raise NoAnswerError
        patience_s = _HALF_A_KEY_S if self._keyboard.is_waiting else _LOOK_S
        readable, _, _ = select.select([0], [], [], min(left_s, patience_s))
        if readable:
            content = os.read(0, _PIECE)
            if not content:
                raise EOFError
            self._ahead.extend(self._keyboard.take(content))
        elif self._keyboard.is_waiting:
            self._keyboard.give_up()
        elif termios.tcgetattr(0)[_LOCAL] & termios.ICANON:
            # A shell that stopped us and let us go on made it an ordinary terminal.
            _hand_over_keys()
            self._row = None
            self._draw(prompt, line)

    @contextlib.contextmanager
    def _keys(self) -> Iterator[None]:
        """Let the terminal hand over each key as it is pressed."""
        before = termios.tcgetattr(0)
        _hand_over_keys()
        try:
            yield
        finally:
            termios.tcsetattr(0, termios.TCSADRAIN, before)

    @contextlib.contextmanager
    def _shown(self, prompt: str, line: EditedLine) -> Iterator[None]:
        """Show the line as it is edited, and whole once it is ended, however that is."""
        say(self._screen, _PASTE_ON)
        self._row = None
        self._draw(prompt, line)
        try:
            yield
        except BaseException:
            # Ctrl-C and its like forget what was typed, as every terminal does.
            self._ahead.clear()
            raise
        finally:
            whole = prompt + escape(line.text, max_chars=len(line.text))
            say(self._screen, f"{_PASTE_OFF}{self._rest_of(whole)}\n")

    def _rest_of(self, whole: str) -> str:
        return "" if self._row == whole else f"{_ERASE}{_folded(whole)}"

    def _draw(self, prompt: str, line: EditedLine) -> None:
        """Draw the part around the cursor in the terminal's own line: one that goes on by itself has no prompt."""
        room = max(1, terminal_columns() - cell_len(prompt) - 1)
        near = max(0, line.cursor - _NEAR * room)
        before = self._visible(line.text[near : line.cursor])
        is_whole = not near and cell_len(before) <= room
        while cell_len(before) > room:
            before = _BEFORE + before[max(2, room // 2) :]
        behind = _cut(self._visible(line.text[line.cursor : line.cursor + 2 * room]), room - cell_len(before))
        row = f"{prompt}{before}"
        if is_whole and not behind and self._row is not None and row.startswith(self._row):
            say(self._screen, row[len(self._row) :])
        else:
            back = f"\x1b[{cell_len(behind)}D" if behind else ""
            say(self._screen, f"{_ERASE}{row}{behind}{back}")
        self._row = row if is_whole and not behind else None

    def _visible(self, text: str) -> str:
        encoding = self._screen.encoding or "ascii"
        shown = "".join(_NEWLINE if each == "\n" else escape_line(each) for each in text)
        # As it will be drawn, so that its width is known.
        return shown.encode(encoding, "backslashreplace").decode(encoding)


def _hand_over_keys() -> None:
    settings = termios.tcgetattr(0)
    # Signals stay: Ctrl-C is heard as everywhere else.
    settings[_LOCAL] = (settings[_LOCAL] | termios.ISIG) & ~(termios.ICANON | termios.ECHO)
    settings[_CHARACTERS][termios.VMIN], settings[_CHARACTERS][termios.VTIME] = 1, 0
    termios.tcsetattr(0, termios.TCSADRAIN, settings)


def _cut(text: str, room: int) -> str:
    if cell_len(text) <= room:
        return text
    while text and cell_len(text) > room - 1:
        text = text[: max(0, min(len(text) - 1, room - 1))]
    return text + _BEHIND if room > 0 else ""


def _folded(text: str) -> str:
    """Return a text in lines as wide as the terminal: what it continues by itself can't be told from other lines."""
    width = terminal_columns()
    lines: list[str] = []
    for line in text.split("\n"):
        row, used = "", 0
        for character in line:
            cells = get_character_cell_size(character)
            if used + cells > width:
                lines.append(row)
                row, used = "", 0
            row, used = row + character, used + cells
        lines.append(row)
    return "\n".join(lines)
