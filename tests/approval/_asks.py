"""A process that asks the sample's gate, does its one effect only if that was approved, and says how it went.

Run as `python -m tests.approval._asks FOLDER TIMEOUT_S [CIRCUMSTANCE]`.
"""

from __future__ import annotations

import builtins
import io
import json
import signal
import sys
import termios
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import asdict
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, TextIO

from pytest_workflow_exec.approval import AuthorWords, ShownOutput, ask

from ._samples import sample_request

POLL_S = 0.01
ALARM_S = 1000.0


class LostScreen(io.StringIO):
    """The terminal's screen, until the decision is told: then it is gone."""

    @property
    def encoding(self) -> str:  # type: ignore[override]  # a text stream's encoding is a plain attribute
        """The terminal's encoding."""
        return "utf-8"

    def fileno(self) -> int:
        """Return the terminal's descriptor."""
        return 1

    def write(self, text: str) -> int:
        """Write to the terminal, or fail."""
        if "Approved" in text or "Rejected" in text:
            message = "the line was cut"
            raise OSError(message)
        assert sys.__stdout__ is not None
        return sys.__stdout__.write(text)

    def flush(self) -> None:
        """Write what is still held back."""
        assert sys.__stdout__ is not None
        sys.__stdout__.flush()


class Asking:
    """One asking, with what its circumstances change."""

    def __init__(self, folder: Path, timeout_s: float) -> None:
        self.folder = folder
        self.timeout_s = timeout_s
        self.screen: TextIO | None = None
        self.changes: dict[str, Any] = {}

    def wait_for(self, name: str) -> None:
        """Wait until the test made a file of that name."""
        while not (self.folder / name).exists():
            time.sleep(POLL_S)

    def meanwhile(self, act: Callable[[], object]) -> None:
        """Do something in another thread once the test says `go`, and say `done`."""

        def run() -> None:
            self.wait_for("go")
            act()
            (self.folder / "done").touch()

        threading.Thread(target=run, daemon=True).start()


def patched_input(_: Asking) -> None:
    """Someone answers instead of a person."""
    builtins.input = lambda _="": sample_request().code


def patched_while_asking(asking: Asking) -> None:
    """Someone answers instead of a person, from the second try on."""
    asking.meanwhile(lambda: patched_input(asking))


def stopped_alarm(asking: Asking) -> None:
    """The alarm is stopped while a person is asked."""
    asking.meanwhile(lambda: signal.setitimer(signal.ITIMER_REAL, 0))


def unheard_interrupt(asking: Asking) -> None:
    """Ctrl-C does not end the wait of the reading thread, as one that comes just before it begins to read."""
    asking.meanwhile(lambda: signal.pthread_kill(threading.get_ident(), signal.SIGINT))


def ascii_input(_: Asking) -> None:
    """Reading fails for whatever is not ASCII."""
    sys.stdin.reconfigure(encoding="ascii")  # type: ignore[union-attr]  # it is the real one


def replaced_stdin(_: Asking) -> None:
    """Input comes from a text."""
    sys.stdin = io.StringIO(sample_request().code + "\n")


def second_thread(asking: Asking) -> None:
    """The gate is asked outside the main thread."""


def typed_ahead(asking: Asking) -> None:
    """The gate is asked only when the test has typed something."""
    (asking.folder / "ready").touch()
    asking.wait_for("go")


def hostile_terminal(_: Asking) -> None:
    """A step leaves the terminal raw, without echo, in the alternate screen and in a half-written title."""
    tty.setraw(0, termios.TCSANOW)
    sys.stdout.write("\x1b[?1049h\x1b[8m\x1b[?25l\x1b[?1000h\x1b(0HOSTILE\x1b]0;half a title")
    sys.stdout.flush()


def captured_stdout(_: Asking) -> None:
    """Standard output is a text that nobody sees, as under a tee."""
    sys.stdout = io.StringIO()


def other_screen(asking: Asking) -> None:
    """The frames would go to a file."""
    asking.screen = (asking.folder / "screen").open("w")


def lost_screen(asking: Asking) -> None:
    """The terminal fails when the decision is told."""
    asking.screen = LostScreen()


def own_alarm(_: Asking) -> None:
    """A timer is running before the gate."""
    signal.signal(signal.SIGALRM, ringing)
    signal.setitimer(signal.ITIMER_REAL, ALARM_S)


def blocked_alarm(_: Asking) -> None:
    """Alarms are blocked before the gate."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})


def soon_expired(asking: Asking) -> None:
    """The request expires while a person is asked."""
    asking.changes["expires"] = (datetime.now(timezone.utc) + timedelta(seconds=1)).isoformat()


def no_expiry(asking: Asking) -> None:
    """The request's expiry is no time."""
    asking.changes["expires"] = "tomorrow"


def much_to_read(asking: Asking) -> None:
    """A step printed more than fits, and the author wrote more."""
    printed = "".join(f"printed line {number}\x1b[2J\n" for number in range(100))
    words = AuthorWords(source="model", text="".join(f"words line {number}\n" for number in range(100)))
    asking.changes["shown"] = (ShownOutput(step="build", key="stdout", value=printed),)
    asking.changes["author_words"] = (words,)


def ringing(number: int, frame: object) -> None:
    """Stand for the handler of another timer."""


def state() -> dict[str, Any]:
    """Return what asking must leave as it was."""
    return {
        "stdout": str(type(sys.stdout)),
        "handler": str(signal.getsignal(signal.SIGALRM)),
        "timer": signal.getitimer(signal.ITIMER_REAL)[0] > ALARM_S / 2,
        "blocked": signal.SIGALRM in signal.pthread_sigmask(signal.SIG_BLOCK, ()),
    }


def main(folder: str, timeout_s: str, circumstance: str = "") -> None:
    """Ask, and write `decision.json`, `state.json` and, only after an approval, `effect`."""
    asking = Asking(Path(folder), float(timeout_s))
    if circumstance:
        globals()[circumstance.replace("-", "_")](asking)
    if circumstance == "second-thread":
        thread = threading.Thread(target=decide, args=(asking,))
        thread.start()
        thread.join()
    else:
        decide(asking)


def decide(asking: Asking) -> None:
    """Ask and write down what came of it."""
    before = state()
    request = sample_request(**asking.changes)
    write(asking.folder / "code.json", request.code)
    try:
        decision = ask(request, timeout_s=asking.timeout_s, screen=asking.screen)
    finally:
        write(asking.folder / "state.json", {"before": before, "after": state()})
    if decision.decision == "approved":
        (asking.folder / "effect").touch()
    write(asking.folder / "decision.json", asdict(decision))


def write(path: Path, value: object) -> None:
    """Write JSON in one piece."""
    path.write_text(json.dumps(value), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
