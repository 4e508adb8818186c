"""A terminal whose screen can be looked at: what a session wrote to it, as a person sees it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import pexpect
import pyte

from .conftest import PATIENCE_S, Project


class Screen:
    """A pytest session on a terminal of its own, and what its screen shows."""

    def __init__(
        self, project: Project, *arguments: str, columns: int = 80, rows: int = 60, term: str = "xterm"
    ) -> None:
        """Start pytest in the project."""
        self.raw, self.rows = "", rows
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self.child = project.terminal("-p", "no:cacheprovider", *arguments, columns=columns, rows=rows, term=term)

    @property
    def text(self) -> str:
        """What stands on the screen now, without empty lines at its end."""
        return "\n".join(line.rstrip() for line in self._screen.display).rstrip()

    def until(self, there: Callable[[str], bool]) -> str:
        """Return the screen as soon as it shows something."""
        end = time.monotonic() + PATIENCE_S
        while not there(self.text):
            assert time.monotonic() < end, self.text
            self._read(0.1)
        return self.text

    def until_shows(self, pattern: str) -> str:
        """Return the screen as soon as a pattern is found on it."""
        return self.until(lambda text: re.search(pattern, text) is not None)

    def linger(self) -> None:
        """Let time pass in which something would be drawn if anything was."""
        end = time.monotonic() + 1.5
        while time.monotonic() < end:
            self._read(0.1)

    def finish(self) -> int:
        """Read to the end of the session, and return its exit status."""
        while self._read(PATIENCE_S, size=65536):
            pass
        self.child.close()
        status = self.child.exitstatus
        return -(self.child.signalstatus or 0) if status is None else status

    def send(self, line: str) -> None:
        """Type a line."""
        self.child.sendline(line)

    def _read(self, seconds: float, *, size: int = 64) -> bool:
        try:
            # Little at a time, so that no state of the screen that somebody waits for is missed.
            chunk = self.child.read_nonblocking(size, timeout=seconds)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.raw += chunk
        self._stream.feed(chunk)
        return True


def shown(raw: str, *, columns: int, rows: int) -> str:
    """Return what a terminal shows after it was sent all that, without empty lines at its end."""
    screen = pyte.Screen(columns, rows)
    # The terminal that is imitated here knows no soft reset, and would show its last letter.
    pyte.Stream(screen).feed(raw.replace("\x1b[!p", ""))
    return "\n".join(line.rstrip() for line in screen.display).rstrip()
