"""Started instead of the program: becomes it, with little of the environment, and not for longer than the engine lives.

It is run by its path in an interpreter without site-packages, and imports nothing of ours.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import time

_SET_DEATH_SIGNAL = 1
_LOOK_EVERY_S = 0.5


def main() -> None:
    """Become the program that the specification names."""
    specification, *arguments = sys.argv[1:]
    with open(specification, encoding="utf-8") as file:  # noqa: PTH123  # nothing that takes long to import
        wanted = json.load(file)
    # Ctrl-C at the terminal is the engine's; the program must not end by it before the engine knows.
    os.setsid()
    with open(wanted["pid_file"], "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(str(os.getpid()))
    _end_with(wanted["engine"], watched=wanted["watched"])
    kept = {name: os.environ[name] for name in wanted["kept"] if name in os.environ}
    os.execve(wanted["program"], [wanted["program"], *arguments], {**kept, **wanted["set"]})  # noqa: S606  # no shell is meant


def _end_with(engine: int, *, watched: bool) -> None:
    if watched:
        _watch(engine)
    elif ctypes.CDLL(None, use_errno=True).prctl(_SET_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"the kernel can't end a process with its parent: {os.strerror(ctypes.get_errno())}")
    # It may have ended before the kernel was asked.
    if os.getppid() != engine:
        sys.exit("the engine has ended")


def _watch(engine: int) -> None:
    """Let a process look after the engine where the kernel does not, as long as the program lives."""
    program = os.getpid()
    if os.fork() != 0:
        return
    # Held open, they would keep the engine waiting for output of a program that has ended.
    for number in (0, 1, 2):
        os.close(number)
    while os.getppid() == program:
        if not _lives(engine):
            with contextlib.suppress(OSError):
                os.kill(program, signal.SIGKILL)
            break
        time.sleep(_LOOK_EVERY_S)
    os._exit(0)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


if __name__ == "__main__":
    main()
