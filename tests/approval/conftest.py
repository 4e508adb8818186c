"""Real terminals with a real process at them that asks the sample's gate."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from ._samples import sample_request

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20
"""How long a test waits for what never comes."""


class Terminal:
    """One pseudo-terminal, and what the process at it wrote down."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.code = sample_request().code
        self.prompt = f"Type {self.code} to approve, or reject to stop: "
        self._child: Any = None

    def start(
        self,
        circumstance: str = "",
        *,
        timeout_s: float = 60,
        script: str = "{}",
        env: dict[str, str] | None = None,
        columns: int = 80,
    ) -> None:
        """Start the asking process.

        Args:
            script: A bash script; `{}` stands for the command line of the process.
        """
        argv = [sys.executable, "-m", "tests.approval._asks", str(self.folder), str(timeout_s), circumstance]
        command = shlex.join(argv)
        line = f"exec {command}" if script == "{}" else script.replace("{}", command)
        self._child = pexpect.spawn(
            "/bin/bash",
            ["--norc", "--noprofile", "-c", line],
            cwd=str(ROOT),
            env={**_environment(), **(env or {})},
            encoding="utf-8",
            timeout=PATIENCE_S,
            dimensions=(24, columns),
            # Tests started in the background of a shell ignore interrupts, and would pass that on.
            preexec_fn=_take_interrupts,
        )
        # Without the pause before every line that pexpect makes for passwords.
        self._child.delaybeforesend = None
        # Nor a pause after hanging up: `end` waits for the process itself.
        self._child.ptyproc.delayafterclose = 0

    def see(self, text: str) -> str:
        """Wait for a text and return what was shown before it."""
        self._child.expect_exact(text)
        return str(self._child.before)

    def see_either(self, one: str, other: str) -> tuple[str, bool]:
        """Wait for one of two texts; return what was shown before it, and whether it is the first."""
        found = self._child.expect_exact([one, other])
        return str(self._child.before), found == 0

    def see_prompt(self) -> str:
        """Wait for the prompt and return what was shown before it."""
        return self.see(self.prompt)

    def type(self, line: str) -> None:
        """Type a line and Enter."""
        self._child.send(line + "\r")

    def press(self, letter: str) -> None:
        """Press Ctrl and a letter."""
        self._child.sendcontrol(letter)

    def send_bytes(self, content: bytes) -> None:
        """Send bytes that may be no text."""
        os.write(self._child.child_fd, content)

    def has_echo(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(self._child.getecho())

    def end(self) -> str:
        """Wait for the process to end and return what it still showed."""
        self._child.expect(pexpect.EOF)
        self._child.wait()
        self._child.close()
        return str(self._child.before)

    def close(self) -> None:
        """Hang up."""
        if self._child is not None:
            self._child.close(force=True)

    @property
    def ended_by(self) -> int | None:
        """The signal that ended the process."""
        found: int | None = self._child.signalstatus
        return found

    @property
    def decision(self) -> dict[str, Any]:
        """The decision that the process got."""
        return dict(json.loads((self.folder / "decision.json").read_text()))

    @property
    def state(self) -> dict[str, Any]:
        """What asking left behind."""
        return dict(json.loads((self.folder / "state.json").read_text()))

    @property
    def effect(self) -> bool:
        """Whether the gate let the effect happen."""
        return (self.folder / "effect").exists()


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal where nothing runs yet."""
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.close()


@pytest.fixture
def plain() -> Callable[[str], str]:
    """How to read a screen: without its control sequences."""
    return lambda screen: re.sub(r"\x1b(?:\[[0-9;?!]*[A-Za-z]|\(.|[78\\])|[\x0f\x18\r]", "", screen)


def _take_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "VIRTUAL_ENV"}}
    return {**kept, "TERM": "xterm", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(ROOT), "LOGNAME": "somebody else"}
