"""A terminal that a script owns: it starts a program there, reads what a person would read, and types."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

_CHUNK = 1 << 16
_MAX_TEXT = 1 << 22
_STYLES = re.compile(r"\x1b\[[0-9;?!]*[A-Za-z]|\x1b.")


class TerminalError(Exception):
    """The program did not say what was waited for, or did not end."""


class Terminal:
    """One program on a terminal of its own, ended with all that it started when it is left."""

    def __init__(self, argv: Sequence[str], *, cwd: Path, environment: Mapping[str, str], patience_s: float) -> None:
        """Start the program.

        Args:
            patience_s: How long to wait for anything that happens at once.
        """
        self._patience_s, self._raw, self._read = patience_s, b"", 0
        self._status: int | None = None
        # Everything that the child needs is made before: between fork and exec it only calls the system.
        where, surroundings, words = os.fspath(cwd), dict(environment), list(argv)
        self._terminal, other = os.openpty()
        self.path = os.ttyname(other)
        """The device that the program has for a terminal."""
        self._pid = os.fork()
        if self._pid == 0:
            try:
                os.setsid()
                fcntl.ioctl(other, termios.TIOCSCTTY, 0)
                for descriptor in range(3):
                    os.dup2(other, descriptor)
                os.chdir(where)
                os.execvpe(words[0], words, surroundings)  # noqa: S606  # this interpreter, or the system's shell
            finally:
                os._exit(127)
        os.close(other)

    def __enter__(self) -> Terminal:  # noqa: PYI034  # Self needs Python 3.11, and nobody inherits from it
        """Give itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End what still runs there, and close the terminal."""
        if self._status is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._pid, signal.SIGKILL)
            self._reap()
        os.close(self._terminal)

    @property
    def text(self) -> str:
        """All that was written to it so far, without styles."""
        return _STYLES.sub("", self._raw.decode("utf-8", "replace")).replace("\r\n", "\n")

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the first match behind the last one.

        Raises:
            TerminalError: It does not come.
        """
        end = time.monotonic() + self._patience_s
        while True:
            text = self.text
            if (found := re.compile(pattern).search(text, self._read)) is not None:
                self._read = found.end()
                return found
            if not self._more(end):
                raise TerminalError(f"waited in vain for {pattern!r}; the last line is {_last_line(text)!r}")

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self._terminal, text.encode("ascii"))

    def finish(self) -> int:
        """Return how the program exited, once it did; a signal counts as 128 and its number.

        Raises:
            TerminalError: It does not end.
        """
        end = time.monotonic() + self._patience_s
        while self._more(end):
            pass
        if time.monotonic() >= end:
            raise TerminalError(f"it does not end; the last line is {_last_line(self.text)!r}")
        return self._reap()

    def _more(self, end: float) -> bool:
        """Read what there is; return False at the end of the program or of patience."""
        left = end - time.monotonic()
        if left <= 0 or len(self._raw) > _MAX_TEXT or not select.select([self._terminal], [], [], left)[0]:
            return False
        try:
            chunk = os.read(self._terminal, _CHUNK)
        except OSError:
            # Linux says EIO once nobody holds the other side.
            return False
        self._raw += chunk
        return bool(chunk)

    def _reap(self) -> int:
        if self._status is None:
            code = os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
            self._status = code if code >= 0 else 128 - code
        return self._status


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.split("\n")) if line.strip()), "")[-200:]
