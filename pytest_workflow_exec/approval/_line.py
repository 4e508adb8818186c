"""A line that is being typed: its text, where the cursor stands, and what was typed before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._keyboard import Key, KeyName

MAX_LINE_CHARACTERS = 1 << 20


@dataclass(slots=True)
class EditedLine:
    """Text and cursor; keys change them."""

    history: Sequence[str] = ()
    """Earlier lines, the newest last."""
    text: str = ""
    cursor: int = 0
    _place: int = field(init=False)
    _own: str = field(init=False, default="")
    """What was typed before an earlier line was looked at."""

    def __post_init__(self) -> None:
        """Stand behind the earlier lines."""
        self._place = len(self.history)

    def insert(self, text: str) -> None:
        """Put a text where the cursor stands; what is too long is left out."""
        text = text[: MAX_LINE_CHARACTERS - len(self.text)]
        self.text = self.text[: self.cursor] + text + self.text[self.cursor :]
        self.cursor += len(text)

    def press(self, key: Key) -> None:
        """Do what a key says; one that ends the line does nothing to it."""
        here, end = self.cursor, len(self.text)
        moves: dict[KeyName, int] = {
            "left": max(0, here - 1),
            "right": min(end, here + 1),
            "home": 0,
            "end": end,
            "word left": self._word_before(),
            "word right": self._word_behind(),
        }
        cuts: dict[KeyName, tuple[int, int]] = {
            "backspace": (max(0, here - 1), here),
            "delete": (here, here + 1),
            "end of input": (here, here + 1),
            "kill word": (self._word_before(), here),
            "kill before": (0, here),
            "kill behind": (here, end),
        }
        if key.name in moves:
            self.cursor = moves[key.name]
        elif key.name in cuts:
            self._cut(*cuts[key.name])
        elif key.name in ("up", "down"):
            self._look(self._place + (1 if key.name == "down" else -1))

    def _cut(self, begin: int, end: int) -> None:
        self.text = self.text[:begin] + self.text[end:]
        self.cursor = begin

    def _look(self, place: int) -> None:
        if not 0 <= place <= len(self.history):
            return
        if self._place == len(self.history):
            self._own = self.text
        self._place = place
        self.text = self._own if place == len(self.history) else self.history[place]
        self.cursor = len(self.text)

    def _word_before(self) -> int:
        place = self.cursor
        while place and not self.text[place - 1].isalnum():
            place -= 1
        while place and self.text[place - 1].isalnum():
            place -= 1
        return place

    def _word_behind(self) -> int:
        place = self.cursor
        while place < len(self.text) and not self.text[place].isalnum():
            place += 1
        while place < len(self.text) and self.text[place].isalnum():
            place += 1
        return place
