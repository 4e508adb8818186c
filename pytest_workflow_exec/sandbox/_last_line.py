"""The last whole line that a command printed, for whoever watches it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

CommandWatch = Callable[[Callable[[], str]], AbstractContextManager[None]]
"""Is entered as long as a command runs, with what gives the last line that it printed, ready to be shown."""

_MAX_BYTES = 4096
"""A line that is longer is not shown."""
_BREAKS = b"\r\n"


class LastLine:
    """Remembers the last line that holds anything, of both streams of a command.

    Only whole lines: of a secret that is still being printed, nobody could tell what it is.
    """

    def __init__(self) -> None:
        self.line = b""
        self._begun: dict[int, bytes] = {}

    def add(self, stream: int, chunk: bytes) -> None:
        """Take in what a stream gave.

        Args:
            stream: Which one, by any number of its own.
        """
        begun = self._begun.get(stream, b"")
        end = max(chunk.rfind(b"\n"), chunk.rfind(b"\r"))
        if end < 0:
            # One byte more than is shown, so that it is still known to be too long.
            self._begun[stream] = (begun + chunk)[: _MAX_BYTES + 1]
            return
        self._begun[stream] = chunk[end + 1 :][: _MAX_BYTES + 1]
        body = chunk[:end].rstrip(_BREAKS)
        start = max(body.rfind(b"\n"), body.rfind(b"\r"))
        line = body[start + 1 :] if start >= 0 else begun + body
        if line.strip() and len(line) <= _MAX_BYTES:
            self.line = line
