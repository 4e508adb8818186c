"""What was typed, from the bytes of a terminal: characters and keys, and pasted text as one piece."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from types import MappingProxyType
from typing import Literal, TypeAlias

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass

KeyName: TypeAlias = Literal[
    "left", "right", "home", "end", "up", "down", "word left", "word right",
    "backspace", "delete", "kill word", "kill before", "kill behind", "enter", "end of input", "redraw",
]  # fmt: skip

_CONTROLS: MappingProxyType[str, KeyName] = MappingProxyType({
    "\x01": "home", "\x02": "left", "\x04": "end of input", "\x05": "end", "\x06": "right", "\x08": "backspace",
    "\n": "enter", "\r": "enter", "\x0b": "kill behind", "\x0c": "redraw", "\x0e": "down", "\x10": "up",
    "\x15": "kill before", "\x17": "kill word", "\x7f": "backspace",
})  # fmt: skip
_SEQUENCES: MappingProxyType[str, KeyName] = MappingProxyType({
    "[A": "up", "[B": "down", "[C": "right", "[D": "left", "[H": "home", "[F": "end",
    "OA": "up", "OB": "down", "OC": "right", "OD": "left", "OH": "home", "OF": "end",
    "[1~": "home", "[7~": "home", "[4~": "end", "[8~": "end", "[3~": "delete",
    "[1;5C": "word right", "[1;3C": "word right", "[1;5D": "word left", "[1;3D": "word left",
    "f": "word right", "b": "word left", "\x7f": "kill word", "\r": "enter",
})  # fmt: skip
_ESCAPE = "\x1b"
_SEQUENCE = lazy_pattern(r"\[[0-?]*[ -/]*[@-~]|O[@-~]|[^\[O]")
_PASTE_BEGINS, _PASTE_ENDS = "[200~", "\x1b[201~"
_MAX_SEQUENCE = 32
MAX_PASTE_CHARACTERS = 1 << 20


@dataclass(frozen=True, slots=True)
class Typed:
    """One character that was typed, or a text that was pasted."""

    text: str


@dataclass(frozen=True, slots=True)
class Key:
    """A key that edits."""

    name: KeyName


class Keyboard:
    """Puts together what arrives in pieces."""

    def __init__(self) -> None:
        """Begin with nothing typed."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._left = ""

    @property
    def is_waiting(self) -> bool:
        """Whether the first half of something has come; if nothing follows soon, it is a key of its own."""
        return self._left.startswith(_ESCAPE) and not self._left.startswith(_ESCAPE + _PASTE_BEGINS)

    def give_up(self) -> None:
        """Forget the first half of a sequence: nothing followed."""
        self._left = ""

    def take(self, content: bytes) -> Iterator[Typed | Key]:
        """Give what these bytes complete."""
        self._left += self._decoder.decode(content)
        while self._left:
            if self._left[0] == _ESCAPE:
                found = self._sequence()
                if found is None:
                    return
                yield from found
                continue
            character, self._left = self._left[0], self._left[1:]
            if character in _CONTROLS:
                yield Key(_CONTROLS[character])
            elif character.isprintable() or character == "\t":
                yield Typed(character)

    def _sequence(self) -> tuple[Typed | Key, ...] | None:
        """Take a sequence from the front, and return what it says; None if its end has not come."""
        body = self._left[1:]
        if body.startswith(_PASTE_BEGINS):
            return self._paste()
        match = _SEQUENCE.match(body)
        if match is None:
            if len(body) > _MAX_SEQUENCE:
                # No key of any terminal: what looks like one is text of somebody who wants to be one.
                self._left = body
                return ()
            return None
        self._left = body[match.end() :]
        name = _SEQUENCES.get(match[0])
        return () if name is None else (Key(name),)

    def _paste(self) -> tuple[Typed | Key, ...] | None:
        begin = len(_ESCAPE) + len(_PASTE_BEGINS)
        end = self._left.find(_PASTE_ENDS, begin)
        if end < 0 and len(self._left) < MAX_PASTE_CHARACTERS:
            return None
        pasted = self._left[begin : end if end >= 0 else len(self._left)]
        self._left = self._left[end + len(_PASTE_ENDS) :] if end >= 0 else ""
        text = pasted.replace("\r\n", "\n").replace("\r", "\n")
        kept = "".join(character for character in text if character.isprintable() or character in "\n\t")
        return (Typed(kept),) if kept else ()
