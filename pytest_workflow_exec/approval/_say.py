"""Writing on the screen of a question."""

from __future__ import annotations

from typing import TextIO


def say(screen: TextIO, text: str) -> None:
    """Write a text with what the screen's encoding can't say spelled out.

    Raises:
        OSError: The screen can't be written to.
    """
    encoding = screen.encoding or "ascii"
    screen.write(text.encode(encoding, "backslashreplace").decode(encoding))
    screen.flush()
