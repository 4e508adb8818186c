"""One running command: its output within bounds, its time, and its end with all it started."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pytest_workflow_exec.errors import CommandTimeoutError, SandboxSetupError
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox._process import KEPT_BYTES, MARGIN_BYTES, Stream
from pytest_workflow_exec.sandbox._result import kept_text
from pytest_workflow_exec.settings import RuleSettings

from .conftest import Project

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the process group is ended")

NOTE = "def note(): open('pids', 'a').write(f'{os.getpid()}\\n')\n"
FOREVER = (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); note(); os.close(1); os.close(2); time.sleep(1000); os._exit(0)"
)

CHILD = NOTE + f"if os.fork() == 0: {FOREVER}\n"
SESSION = NOTE + f"if os.fork() == 0:\n os.setsid(); {FOREVER}\n"
DAEMON = NOTE + f"if os.fork() == 0:\n os.setsid()\n if os.fork() == 0: {FOREVER}\n os._exit(0)\nos.wait()\n"
MANY = NOTE + f"for _ in range(30):\n if os.fork() == 0:\n  os.setsid(); {FOREVER}\n"
WIPED = NOTE + (
    "if os.fork() == 0:\n os.setsid()\n"
    " os.execve('/bin/sh', ['sh', '-c', 'echo $$ >> pids; exec sleep 1000'], {'PATH': '/bin'})\n"
)
HOPPING = NOTE + (
    "if os.fork() == 0:\n os.setsid(); os.close(1); os.close(2)\n while True:\n"
    "  note()\n  if os.fork() != 0: os._exit(0)\n  time.sleep(0.01)\n"
)
GROUP = NOTE + (
    "if os.fork() == 0:\n"
    " os.execve('/bin/sh', ['sh', '-c', 'echo $$ >> pids; exec sleep 1000 >&- 2>&-'], {'PATH': '/bin'})\n"
)
WAITED_FOR_BY_NONE = "if sys.platform == 'linux':\n note(); os.kill(os.getppid(), signal.SIGKILL); time.sleep(1000)\n"
WAIT_FOR = "while not os.path.exists('pids') or len(open('pids').readlines()) < {count}: time.sleep(0.005)\n"

LEFT_BEHIND = [
    pytest.param(CHILD, 1, id="child"),
    pytest.param(GROUP, 1, id="group"),
    pytest.param(SESSION, 1, id="session", marks=linux),
    pytest.param(DAEMON, 1, id="daemon", marks=linux),
    pytest.param(MANY, 30, id="many", marks=linux),
    pytest.param(HOPPING, 3, id="hopping", marks=linux),
]


@pytest.fixture(autouse=True)
def no_survivors(project: Project, alive: Callable[[int], bool]) -> Iterator[None]:
    """End what a failing test would leave behind, and fail for it."""
    yield
    survivors = [pid for pid in project.pids() if alive(pid)] if (project.root / "pids").exists() else []
    for pid in survivors:
        os.kill(pid, signal.SIGKILL)
    assert survivors == []


@pytest.mark.parametrize(("body", "count"), LEFT_BEHIND)
def test_success_ends_the_whole_tree(project: Project, alive: Callable[[int], bool], body: str, count: int) -> None:
    """What a successful command leaves running is ended too, however it detached itself, and is counted."""
    result = project.run(body + WAIT_FOR.format(count=count) + "print('done')")

    assert (result.exit, result.stdout) == (0, "done\n")
    assert len(project.pids()) >= count
    assert [pid for pid in project.pids() if alive(pid)] == []
    if sys.platform == "linux":
        assert project.facts("command.finished")["swept"] >= (1 if body is HOPPING else count)


@pytest.mark.parametrize(
    ("body", "count"),
    [
        pytest.param(CHILD, 1, id="child"),
        pytest.param(DAEMON, 1, id="daemon", marks=linux),
        pytest.param(HOPPING, 3, id="hopping", marks=linux),
        pytest.param(WIPED, 1, id="wiped", marks=linux),
    ],
)
def test_timeout_ends_the_whole_tree(project: Project, alive: Callable[[int], bool], body: str, count: int) -> None:
    """A command that takes too long is ended with all it started, and that is recorded."""
    body += WAIT_FOR.format(count=count) + FOREVER

    with pytest.raises(CommandTimeoutError, match="killed after 1 s"):
        project.run("print('begun', flush=True)\n" + body, timeout_s=1)

    assert len(project.pids()) >= count
    assert [pid for pid in project.pids() if alive(pid)] == []
    facts = project.facts("command.finished")
    assert (facts["timed_out"], facts["exit"], facts["signal"], facts["stdout"]) == (True, None, 9, "begun\n")


def test_open_stream_of_a_leftover_is_not_waited_for(project: Project) -> None:
    """A process that was left behind and holds the output open does not hold up its command's end."""
    holder = NOTE + "if os.fork() == 0: note(); time.sleep(1000)\n"

    result = project.run(holder + WAIT_FOR.format(count=1) + "os._exit(0)")

    assert result.exit == 0
    assert len(project.pids()) == 1


def test_command_that_closes_its_output_is_waited_for(project: Project) -> None:
    """A command is over when its process ends, not when its streams do."""
    result = project.run("os.close(1); os.close(2); time.sleep(0.2); open('late', 'w').close(); os._exit(4)")

    assert result.exit == 4
    assert (project.root / "late").exists()


def test_processes_of_others_are_left_alone(project: Project) -> None:
    """Ending a command's tree ends nothing that the command did not start."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True) as bystander:
        try:
            project.run(CHILD + WAIT_FOR.format(count=1))

            assert bystander.poll() is None
        finally:
            bystander.kill()


def test_interrupt_ends_the_tree_and_is_recorded(project: Project, alive: Callable[[int], bool]) -> None:
    """Ctrl-C while a command runs ends it with all it started; its record says so; the interrupt goes on."""

    def interrupt_when_ready() -> None:
        pids = project.root / "pids"
        while not pids.exists() or len(pids.read_text().split()) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread = threading.Thread(target=interrupt_when_ready)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            project.run("print('begun', flush=True)\n" + SESSION + FOREVER)
    finally:
        thread.join()
        signal.signal(signal.SIGINT, before)

    assert [pid for pid in project.pids() if alive(pid)] == []
    facts = project.facts("command.finished")
    assert (facts["signal"], facts["stdout"], facts["error"]) == (9, "begun\n", "interrupted by SIGINT")


def test_unknown_end_is_an_error(project: Project) -> None:
    """If nobody can tell how a command ended, that is an error, never a success; the next command runs again."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_DFL if sys.platform == "linux" else signal.SIG_IGN)
    try:
        with pytest.raises(SandboxSetupError, match="not known"):
            # On Linux, by ending what waits for it.
            project.run(NOTE + WAITED_FOR_BY_NONE)
    finally:
        signal.signal(signal.SIGCHLD, before)

    assert project.facts("command.finished")["exit"] is None
    project.events.clear()
    assert project.run("print('next')").stdout == "next\n"


@linux
def test_end_is_known_where_the_engine_ignores_its_children(project: Project) -> None:
    """How a command ended is told by what started it, whatever the engine does with signals."""
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        result = project.run("os._exit(3)")
    finally:
        signal.signal(signal.SIGCHLD, before)

    assert result.exit == 3


def test_endless_output_is_cut_and_ended(project: Project) -> None:
    """A command that never stops writing is ended; what is kept is bounded and marked as cut."""
    result = project.runner(RuleSettings(rule="yes")).run(["yes"], step="build", attempt=1)

    assert result.truncated
    assert (result.exit, result.signal) == (None, 9)
    assert KEPT_BYTES - 4 <= len(result.stdout.encode()) <= KEPT_BYTES
    assert result.flooded
    facts = project.facts("command.finished")
    assert (facts["truncated"], facts["flooded"]) == (True, True)


@pytest.mark.parametrize(
    ("size", "kept"),
    [(KEPT_BYTES, KEPT_BYTES), (KEPT_BYTES + 1, KEPT_BYTES), (KEPT_BYTES + 2 * MARGIN_BYTES, KEPT_BYTES)],
)
def test_long_output_is_kept_up_to_the_bound(project: Project, size: int, kept: int) -> None:
    """Output up to the bound is whole; beyond it the command still runs to its end, and the result says so."""
    result = project.run(f"print('x' * {size}, end=''); print('y' * {size}, end='', file=sys.stderr)")

    assert result.exit == 0
    assert result.stdout == "x" * kept
    assert result.stderr == "y" * kept
    assert result.truncated is (size > kept)
    assert not result.flooded


@pytest.mark.parametrize("offset", [-9, -1, 0, MARGIN_BYTES - 9, MARGIN_BYTES - 1])
@pytest.mark.parametrize("more", [0, 2 * MARGIN_BYTES])
def test_secret_across_a_border_is_not_shown_in_part(offset: int, more: int) -> None:
    """No part of a secret is kept when the output is cut in the middle of it."""
    secret = "abcdefghijklmnop"  # noqa: S105  # a made-up one
    stream = Stream()
    stream.add(b"." * (KEPT_BYTES + offset) + secret.encode() + b"." * more)

    text = kept_text(stream, Redactor({"TOKEN": secret}))

    assert "abc" not in text
    assert len(text.encode()) <= KEPT_BYTES


def test_secret_across_the_last_byte_read_is_not_shown_in_part() -> None:
    """Where masking shortens the text, the end of what was read still is no part of what is kept."""
    secret = "abcdefghijklmnop" * 100
    stream = Stream()
    masked = secret.encode() * 400
    stream.add(masked + b"." * (KEPT_BYTES + MARGIN_BYTES - len(masked) - 10) + secret.encode())

    text = kept_text(stream, Redactor({"TOKEN": secret}))

    assert text.startswith("[secret TOKEN]" * 400 + "...")
    assert "abc" not in text


def test_character_across_the_border_is_left_out() -> None:
    """Cutting in the middle of a character leaves whole characters."""
    stream = Stream()
    stream.add(("x" + "é" * KEPT_BYTES).encode())

    text = kept_text(stream, Redactor({}))

    assert text == "x" + "é" * ((KEPT_BYTES - 1) // 2)
