"""A process that runs one command as the engine does, and writes down each event: `python -m ... FOLDER HANDLER`."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from pytest_workflow_exec.events import Event
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox import CommandRunner, compile_policy
from pytest_workflow_exec.settings import PolicySettings, RuleSettings


def interrupt(number: int, frame: FrameType | None) -> None:
    """Raise, as the plugin's handler does."""
    raise KeyboardInterrupt(signal.Signals(number).name)


def record_into(path: Path, event: Event) -> None:
    """Append one event; slowly, as on a disk that has much to do."""
    line = json.dumps({"type": event.type, **event.data}).encode() + b"\n"
    time.sleep(0.02)
    with path.open("ab") as file:
        file.write(line)


def main(folder: Path, handler: str) -> None:
    """Run the tool of the project in `folder` with handlers that raise, or with the system's own."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM):
        signal.signal(number, interrupt if handler == "raising" else signal.SIG_DFL)
    rule = RuleSettings(rule="tool")
    settings = PolicySettings(rules=(rule,), path=(str(folder / "bin"), "/usr/bin", "/bin"), sandbox="none")
    runner = CommandRunner(
        policy=compile_policy(settings, workflow="release", environment=os.environ),
        root=folder / "root",
        scratch=folder / "scratch",
        inputs={},
        environment=os.environ,
        redactor=Redactor({}),
        record=lambda event: record_into(folder / "events", event),
    )
    with contextlib.suppress(KeyboardInterrupt):
        runner.run(["tool"], step="build", attempt=1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
