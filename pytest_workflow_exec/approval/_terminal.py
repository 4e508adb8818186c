"""Whether a person can be asked at this terminal now, and making the terminal one that shows what is written to it."""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import sys
import termios
import threading
import types
from collections.abc import Iterator
from typing import TextIO

_MAX_COLUMNS = 80
_WITHOUT_PIPE = "run it in a terminal, without a pipe or redirect"

_RESET = (
    "\x18\x1b\\"  # ends a control string that was left open and would swallow all that follows
    "\x1b7"  # leaving the alternate screen restores a cursor: let it be this one
    "\x1b[?1049l\x1b[!p\x1b[0m\x1b[?25h\x1b[?7h"
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?2004l"
    "\x0f\x1b(B"
    "\r\n\x1b[J"  # nothing that was drawn before may stand beside the facts
)

_INPUT, _OUTPUT, _LOCAL = 0, 1, 3


def terminal_problem(*, stdin: TextIO | None = None, stdout: TextIO | None = None) -> str | None:
    """Return why no person can be asked here now, and what to do about it; None if one can.

    Args:
        stdin: What input is read from; None for `sys.stdin`.
        stdout: What the frames are written to; None for the process's own standard output. The prompt always
            goes to the latter, so both must be the terminal.
    """
    own = sys.__stdout__
    return (
        _thread_problem()
        or _stdin_problem(sys.stdin if stdin is None else stdin)
        or _stdout_problem(own)
        or (None if stdout is None or stdout is own else _screen_problem(stdout))
        or _stderr_problem()
        or _foreground_problem()
        or _input_problem()
    )


def reset_terminal(screen: TextIO) -> None:
    """Make the terminal an ordinary one again, whatever ran before: screen, character set, echo and line input.

    Raises:
        OSError: The terminal can't be reached.
        termios.error: The terminal can't be set.
    """
    if os.environ.get("TERM") != "dumb":
        screen.write(_RESET)
        screen.flush()
    settings = termios.tcgetattr(0)
    settings[_INPUT] |= termios.ICRNL
    settings[_OUTPUT] |= termios.OPOST | termios.ONLCR
    settings[_LOCAL] |= termios.ECHO | termios.ICANON | termios.ISIG
    termios.tcsetattr(0, termios.TCSANOW, settings)


def discard_typed_ahead() -> None:
    """Forget what was typed before the question could be read.

    Raises:
        termios.error: The terminal can't be reached.
    """
    termios.tcflush(0, termios.TCIFLUSH)


def terminal_name() -> str:
    """Return the path of the terminal's device, or its numbers if it has no path here."""
    try:
        return os.ttyname(0)
    except OSError:
        device = os.fstat(0).st_rdev
        return f"device {os.major(device)}:{os.minor(device)}"


def terminal_columns() -> int:
    """Return how wide the frames may be.

    Never more than 80: a terminal that was told a false width would continue long lines by itself, and what it
    continues has no prefix.
    """
    try:
        return min(os.get_terminal_size(1).columns or _MAX_COLUMNS, _MAX_COLUMNS)
    except OSError:
        return _MAX_COLUMNS


def shows_color(screen: TextIO) -> bool:
    """Return whether `screen` takes colors and the characters of colored frames."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    try:
        "═─│".encode(screen.encoding or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


@contextlib.contextmanager
def prompt_on_terminal() -> Iterator[None]:
    """Let what `input()` prints reach the terminal, wherever the standard streams go at the moment.

    Raises:
        OSError: A stream can't be flushed.
        ValueError: A stream is closed.
    """
    before, own = sys.stdout, sys.__stdout__
    if own is None:
        message = "standard output is closed"
        raise ValueError(message)
    if before is not None:
        before.flush()
    sys.stdout = _PromptScreen(own)
    try:
        yield
    finally:
        sys.stdout = before


class _PromptScreen(io.TextIOBase):
    """The terminal's own stream without its file descriptor.

    With the descriptors of a terminal, `input()` reads through the readline library where that is loaded. A Ctrl-C
    at the wrong moment makes the terminal discard the line that readline was already promised; it then waits in a
    read that no signal ends, and neither Ctrl-C nor the gate's own timeout is heard. Without a descriptor, `input()`
    reads from `sys.stdin`, which every signal interrupts.
    """

    def __init__(self, stream: TextIO) -> None:
        """Write to `stream`."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write a text."""
        return self._stream.write(text)

    def flush(self) -> None:
        """Bring what was written to the terminal."""
        self._stream.flush()


def _thread_problem() -> str | None:
    if threading.current_thread() is threading.main_thread():
        return None
    return "a gate can only be asked in the main thread: run the step there"


def _stdin_problem(stdin: TextIO | None) -> str | None:
    if stdin is None:
        return f"standard input is closed: {_WITHOUT_PIPE}"
    if stdin is not sys.__stdin__:
        return _replaced_problem(stdin)
    if _descriptor(stdin) != 0 or not os.isatty(0):
        return f"standard input is no terminal: {_WITHOUT_PIPE}"
    return None


def _replaced_problem(stdin: TextIO) -> str:
    kind = type(stdin)
    if kind.__module__ == "_pytest.capture":
        return "pytest captures input: add -s (or --capture=tee-sys)"
    return f"sys.stdin has been replaced by a {kind.__module__}.{kind.__qualname__}: remove what replaces it"


def _stdout_problem(stdout: TextIO | None) -> str | None:
    if stdout is None:
        return f"standard output is closed: {_WITHOUT_PIPE}"
    if _descriptor(stdout) != 1 or not os.isatty(1):
        return f"standard output is redirected: {_WITHOUT_PIPE}"
    if _device(0) != _device(1):
        return "standard input and standard output are different terminals: use one terminal for both"
    return None


def _screen_problem(screen: TextIO) -> str | None:
    descriptor = _descriptor(screen)
    if descriptor is not None and os.isatty(descriptor) and _device(descriptor) == _device(0):
        return None
    return "the screen of the gate is not the terminal that input comes from: write it to that terminal"


def _stderr_problem() -> str | None:
    # input() refuses to work without it.
    if sys.stderr is not None and _device(2) is not None:
        return None
    return "standard error is closed: run it in a terminal, without closing it"


def _foreground_problem() -> str | None:
    try:
        foreground = os.tcgetpgrp(0)
    except OSError:
        return "the terminal does not control this process: start it from a shell in that terminal, without setsid"
    if foreground == os.getpgrp():
        return None
    return "the process is in the background: bring it to the foreground (fg)"


def _input_problem() -> str | None:
    found: object = builtins.input
    is_genuine = type(found) is types.BuiltinFunctionType and found.__self__ is builtins and found.__name__ == "input"
    if is_genuine:
        return None
    return f"input() has been replaced by {_place_of(found)}: remove what replaces it"


def _place_of(found: object) -> str:
    named = found if hasattr(found, "__qualname__") else type(found)
    return f"{getattr(named, '__module__', '?')}.{getattr(named, '__qualname__', '?')}"


def _descriptor(stream: TextIO | None) -> int | None:
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _device(descriptor: int) -> int | None:
    try:
        return os.fstat(descriptor).st_rdev
    except OSError:
        return None
