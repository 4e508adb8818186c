"""Signals while a command runs: nothing is left alive, everything is written down, each handler gets its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest

from pytest_workflow_exec.errors import EvidenceError, SandboxSetupError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.sandbox._signals import held_signals

from .conftest import Project

NOTE = "def note(): open('pids', 'a').write(f'{os.getpid()}\\n')\n"
# Two processes that outlive whatever does not kill them; the first notes itself last.
TREE = NOTE + (
    "if os.fork() == 0:\n os.setsid(); note(); time.sleep(1000)\n"
    "while not os.path.exists('pids'): time.sleep(0.005)\n"
    "note(); time.sleep(1000)"
)


class Raised(BaseException):
    """What a handler of these tests raises."""


def wait_for(ready: Callable[[], bool]) -> None:
    """Return when something is so; the test's own time limit ends a vain wait."""
    while not ready():
        time.sleep(0.005)


@pytest.fixture
def survivors(project: Project, alive: Callable[[int], bool]) -> Iterator[Callable[[], list[int]]]:
    """Return the question which of the tool's processes are alive; end them after the test."""

    def ask() -> list[int]:
        return [pid for pid in project.pids() if alive(pid)] if (project.root / "pids").exists() else []

    yield ask
    for pid in ask():
        os.kill(pid, signal.SIGKILL)


@contextmanager
def engine(project: Project, handler: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that runs the project's tool, and return it when the tool's whole tree is there."""
    project.tool(TREE)
    module = f"{__package__}._engine"
    argv = [sys.executable, "-m", module, str(project.folder), handler]
    # What a late signal strikes is no longer the command: its traceback says nothing here.
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(lambda: (project.root / "pids").exists() and len(project.pids()) == 2)
            yield process
        finally:
            process.kill()


def events(project: Project) -> list[dict[str, Any]]:
    """Return what the other process recorded."""
    return [json.loads(line) for line in (project.folder / "events").read_text().splitlines()]


@contextmanager
def handlers(**named: Callable[[int, FrameType | None], object] | int) -> Iterator[None]:
    """Install handlers by the names of their signals as long as the context lasts."""
    numbers = {signal.Signals[name]: handler for name, handler in named.items()}
    before = {number: signal.signal(number, handler) for number, handler in numbers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signalled_when_ready(project: Project, number: signal.Signals) -> Iterator[None]:
    """Send this process a signal as soon as the tool's tree is there."""

    def send() -> None:
        wait_for(lambda: (project.root / "pids").exists() and len(project.pids()) == 2)
        os.kill(os.getpid(), number)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        thread.join()


def raising(number: int, frame: FrameType | None) -> None:
    """Raise what says which signal it was."""
    raise Raised(signal.Signals(number).name)


@pytest.mark.parametrize(
    ("first", "second", "gap_ms"),
    [
        (signal.SIGTERM, signal.SIGTERM, 2),
        *((signal.SIGINT, signal.SIGINT, gap_ms) for gap_ms in (0, 1, 2, 5, 20, 40)),
        *((signal.SIGTERM, signal.SIGINT, gap_ms) for gap_ms in (0, 2, 20)),
        (signal.SIGHUP, signal.SIGQUIT, 2),
        (signal.SIGALRM, signal.SIGTERM, 2),
    ],
)
def test_second_signal_leaves_nothing_behind(
    project: Project, survivors: Callable[[], list[int]], first: signal.Signals, second: signal.Signals, gap_ms: int
) -> None:
    """Two signals in quick succession end the command's whole tree, and its end is recorded once."""
    with engine(project, "raising") as process:
        process.send_signal(first)
        time.sleep(gap_ms / 1000)
        process.send_signal(second)
        process.wait()

    assert survivors() == []
    assert [event["type"] for event in events(project)] == ["command.started", "command.finished"]
    assert events(project)[1]["error"] in {f"interrupted by {first.name}", f"interrupted by {second.name}"}
    assert events(project)[1]["signal"] == signal.SIGKILL


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGALRM])
def test_default_of_the_system_is_done_after_the_record(
    project: Project, survivors: Callable[[], list[int]], number: signal.Signals
) -> None:
    """A signal that nobody handles still ends the engine, but only when the command's end is written down."""
    with engine(project, "default") as process:
        process.send_signal(number)
        process.wait()

    assert process.returncode == -number
    assert survivors() == []
    assert [event["type"] for event in events(project)] == ["command.started", "command.finished"]
    assert events(project)[1]["error"] == f"interrupted by {number.name}"


def test_handler_gets_its_signal_after_the_record(project: Project, survivors: Callable[[], list[int]]) -> None:
    """What a handler raises comes out of the run, when everything is over and recorded."""
    seen: list[list[str]] = []

    def handler(number: int, frame: FrameType | None) -> None:
        seen.append(project.kinds())
        raise Raised(signal.Signals(number).name)

    with handlers(SIGTERM=handler):
        with signalled_when_ready(project, signal.SIGTERM), pytest.raises(Raised, match="SIGTERM"):
            project.run(TREE, timeout_s=30)
        restored = signal.getsignal(signal.SIGTERM)

    assert restored is handler
    assert seen == [["command.started", "command.finished"]]
    assert project.facts("command.finished")["error"] == "interrupted by SIGTERM"
    assert survivors() == []


@pytest.mark.parametrize(
    ("number", "error"), [(signal.SIGTERM, KeyboardInterrupt), (signal.SIGALRM, SandboxSetupError)]
)
def test_handler_that_raises_nothing_makes_no_success(
    project: Project, survivors: Callable[[], list[int]], number: signal.Signals, error: type[BaseException]
) -> None:
    """A command that was ended for a signal never looks as if it had run to its end, whatever the handler does."""
    with (
        handlers(**{number.name: lambda *_: None}),
        signalled_when_ready(project, number),
        pytest.raises(error, match=number.name),
    ):
        project.run(TREE, timeout_s=30)

    assert survivors() == []
    assert project.kinds() == ["command.started", "command.finished"]


def test_ignored_signal_stays_ignored(project: Project) -> None:
    """A signal that was set aside, as nohup does, does not end a command."""
    with handlers(SIGHUP=signal.SIG_IGN):
        result = project.run(f"os.kill({os.getpid()}, signal.SIGHUP); time.sleep(0.1); print('done')")

    assert (result.exit, result.stdout) == (0, "done\n")


def test_signal_before_the_start_starts_nothing(project: Project) -> None:
    """A signal that comes while the command is being announced keeps it from being started."""

    def record(event: Event) -> None:
        project.events.append(event)
        if event.type == "command.started":
            os.kill(os.getpid(), signal.SIGTERM)

    with handlers(SIGTERM=raising), pytest.raises(Raised):
        project.run("open('ran', 'w').close()", record=record)

    assert project.kinds() == ["command.started", "command.finished"]
    facts = project.facts("command.finished")
    assert (facts["exit"], facts["signal"], facts["error"]) == (None, None, "interrupted by SIGTERM")
    assert list(project.root.iterdir()) == []


def test_evidence_that_fails_leaves_nothing_behind(project: Project, survivors: Callable[[], list[int]]) -> None:
    """If the end can't be recorded, the tree is ended all the same, and the handlers are restored."""

    def record(event: Event) -> None:
        if event.type == "command.finished":
            raise EvidenceError(event.type)

    left_behind = NOTE + "if os.fork() == 0:\n os.setsid(); note(); time.sleep(1000)\n"
    with handlers(SIGTERM=raising):
        with pytest.raises(EvidenceError):
            project.run(left_behind + "while not os.path.exists('pids'): time.sleep(0.005)", record=record)
        assert signal.getsignal(signal.SIGTERM) is raising

    assert len(project.pids()) == 1
    assert survivors() == []


def test_other_threads_hold_nothing(project: Project) -> None:
    """Only the main thread runs handlers; a command in another one leaves them as they are."""
    project.tool("time.sleep(0.2)")
    runner = project.runner()
    with handlers(SIGTERM=raising):
        thread = threading.Thread(target=lambda: runner.run(["tool"], step="build", attempt=1))
        thread.start()
        wait_for(lambda: "command.started" in project.kinds())
        found = signal.getsignal(signal.SIGTERM)
        thread.join()

    assert found is raising
    assert project.facts("command.finished")["exit"] == 0


def test_each_signal_is_delivered_once() -> None:
    """Signals of one kind count as one, a time limit comes before the others, and all handlers are called."""
    delivered: list[str] = []

    def handler(number: int, frame: FrameType | None) -> None:
        delivered.append(signal.Signals(number).name)

    with handlers(SIGTERM=handler, SIGALRM=handler, SIGINT=handler):
        with held_signals() as held:
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGTERM):
                os.kill(os.getpid(), number)
            assert held.arrived == [signal.SIGTERM, signal.SIGINT, signal.SIGALRM]
            assert delivered == []
        found = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM, signal.SIGINT)]

    assert delivered == ["SIGALRM", "SIGTERM", "SIGINT"]
    assert found == [handler] * 3


def test_handler_that_raises_does_not_keep_another_from_its_signal() -> None:
    """The end of a session is not lost because the time limit of a step raised first."""

    def receive_both() -> None:
        with held_signals():
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGALRM)

    with handlers(SIGALRM=raising, SIGTERM=raising), pytest.raises(Raised, match="SIGTERM") as caught:
        receive_both()

    assert str(caught.value.__context__) == "SIGALRM"


def test_recorder_left_in_place_does_what_the_handler_did() -> None:
    """A recorder that an exception kept from being taken away again passes everything on."""
    with handlers(SIGTERM=raising):
        with held_signals():
            left = signal.getsignal(signal.SIGTERM)
        signal.signal(signal.SIGTERM, left)

        with pytest.raises(Raised, match="SIGTERM"):
            os.kill(os.getpid(), signal.SIGTERM)
