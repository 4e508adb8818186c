"""The program as a process: what it is told, what it sees, and that it never outlives who asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.ai import AiRequest, ClaudeBackend
from pytest_workflow_exec.ai.testing import FakeClaude

from .conftest import Asker

PATIENCE_S = 60
GONE_WITHIN_S = 5
ASKS = """
from pytest_workflow_exec.ai import AiRequest, ClaudeBackend

def test_it():
    request = AiRequest(
        step="triage", model="claude-sonnet-4-5", system="SYSTEM-WORD", prompt="PROMPT-WORD",
        schema={"type": "object"}, attempts=1, timeout=600.0,
    )
    ClaudeBackend().ask(request, lambda value: (), lambda news: None)
"""


class Asking:
    """A pytest that waits for a model."""

    def __init__(self, folder: Path) -> None:
        (folder / "test_it.py").write_text(ASKS)
        self.rooms = folder / "rooms"
        self.rooms.mkdir()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_it.py"],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(self.rooms), "A_SECRET": "SECRET-WORD"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def programs(self) -> list[int]:
        """Return the processes of the program: those that have a file of this test's in their arguments."""
        mine = str(self.rooms).encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal() and int(entry.name) not in {os.getpid(), self.process.pid}:
                try:
                    found += [int(entry.name)] if mine in (entry / "cmdline").read_bytes() else []
                except OSError:
                    continue
        return found

    def wait_for(self, fake: FakeClaude) -> int:
        """Return the program's process once the model was asked."""
        end = time.monotonic() + PATIENCE_S
        while not fake.requests:
            assert time.monotonic() < end
            assert self.process.poll() is None
            time.sleep(0.05)
        [program] = self.programs()
        return program

    def none_left(self) -> bool:
        """Return whether the program is gone, soon."""
        end = time.monotonic() + GONE_WITHIN_S
        while self.programs() and time.monotonic() < end:
            time.sleep(0.05)
        return not self.programs()


@pytest.fixture
def asking(fake_claude: FakeClaude, tmp_path: Path) -> Iterator[Asking]:
    """A pytest that waits for a model that never answers."""
    if sys.platform != "linux":
        pytest.skip("looks for processes in /proc")
    fake_claude.answers(fake_claude.silence())
    started = Asking(tmp_path)
    yield started
    if started.process.poll() is None:
        started.process.kill()
    started.process.wait(PATIENCE_S)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_program_ends_with_pytest(asking: Asking, fake_claude: FakeClaude, number: signal.Signals) -> None:
    """Whatever ends pytest in the middle of a request, no program goes on asking and paying."""
    asking.wait_for(fake_claude)

    asking.process.send_signal(number)

    assert asking.process.wait(PATIENCE_S) != 0
    assert asking.none_left()


def test_program_is_told_no_secret_where_all_can_read(asking: Asking, fake_claude: FakeClaude) -> None:
    """Its arguments hold neither prompt nor system prompt, and its environment only what is named."""
    program = Path(f"/proc/{asking.wait_for(fake_claude)}")

    arguments = (program / "cmdline").read_text()
    variables = dict(each.split("=", 1) for each in (program / "environ").read_text().split("\0") if each)

    assert "WORD" not in arguments
    assert "SECRET-WORD" not in variables.values()
    assert variables["ANTHROPIC_BASE_URL"] == fake_claude.url
    assert variables["HOME"].startswith(str(asking.rooms))
    assert set(variables) <= {
        "ANTHROPIC_API_KEY",
        "ANTHROPIC_BASE_URL",
        "API_TIMEOUT_MS",
        "CLAUDE_AGENT_SDK_VERSION",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
        "CLAUDE_CODE_DISABLE_NONSTREAMING_FALLBACK",
        "CLAUDE_CODE_ENTRYPOINT",
        "CLAUDE_CODE_MAX_RETRIES",
        "CLAUDE_CODE_SDK_READS_SESSION_STATE",
        "CLAUDE_CONFIG_DIR",
        "DISABLE_AUTOUPDATER",
        "DISABLE_ERROR_REPORTING",
        "DISABLE_TELEMETRY",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "LANG",
        "LC_ALL",
        "MAX_STRUCTURED_OUTPUT_RETRIES",
        "NODE_EXTRA_CA_CERTS",
        "NO_PROXY",
        "PATH",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "http_proxy",
        "https_proxy",
        "no_proxy",
    }
    assert os.getsid(int(program.name)) == int(program.name)
    assert list((program / "cwd").resolve().iterdir()) == []


def test_nothing_is_left_of_a_request(ask: Asker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither files nor processes, whether there was an answer or not."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ask.fake.answers({"n": 1}, "no", "no", ask.fake.silence())

    ask()
    with ask.failing("prose"):
        ask()
    with ask.failing("none after"):
        ask(timeout=2.0)

    assert list(tmp_path.iterdir()) == []
    assert not _children()


@pytest.mark.parametrize("raised", [KeyboardInterrupt, ZeroDivisionError, FileNotFoundError])
def test_what_a_step_raises_ends_the_request(
    ask: Asker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: type[BaseException]
) -> None:
    """Ctrl-C, and a mistake in the code that judges, come out as they are; the program is gone, nothing was accepted."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ask.fake.answers(*[{"n": 1}] * 3)

    def accept(value: object) -> tuple[str, ...]:
        raise raised

    with pytest.raises(raised):
        ask(accept=accept)

    assert len(ask.fake.requests) == 1
    assert list(tmp_path.iterdir()) == []
    assert not _children()


def test_what_the_news_raise_ends_the_request(ask: Asker) -> None:
    """Who shows the news may fail, too."""
    ask.fake.answers({"n": 1})
    request = AiRequest(
        step="s", model="claude-sonnet-4-5", system="", prompt="p", schema={"type": "object"}, attempts=1, timeout=60.0
    )

    def tell(news: object) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        ask.backend.ask(request, lambda value: (), tell)

    assert not _children()


def test_program_that_is_killed_is_told(ask: Asker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that goes down may go better another time."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def kill(_: object) -> str:
        [pid] = tmp_path.glob("workflow-exec-ai-*/pid")
        os.kill(int(pid.read_text()), signal.SIGKILL)
        return "never"

    ask.fake.answers(kill)

    with ask.failing("ended with status -9") as caught:
        ask()

    assert caught.value.kind == "transient"


def test_folder_that_can_not_be_made_is_told(ask: Asker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a folder of its own, nothing is asked."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))

    with ask.failing("can't be made"):
        ask()

    assert ask.fake.requests == []


def test_two_threads_ask_at_once(ask: Asker) -> None:
    """Requests do not disturb each other."""
    from concurrent.futures import ThreadPoolExecutor

    ask.fake.answers({"n": 1}, {"n": 1}, {"n": 1})

    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: ask().value, range(3)))

    assert answers == [{"n": 1}] * 3


def test_backend_is_used_after_another_event_loop(ask: Asker) -> None:
    """A step may have an event loop of its own around it."""
    import asyncio

    ask.fake.answers({"n": 1}, {"n": 2})
    backend = ask.backend

    async def step() -> object:
        return ask().value

    assert asyncio.run(step()) == {"n": 1}
    assert asyncio.run(step()) == {"n": 2}
    assert isinstance(backend, ClaudeBackend)


def _children() -> list[str]:
    tasks = Path("/proc/self/task")
    if not tasks.exists():
        return []
    pids = [pid for task in tasks.iterdir() for pid in (task / "children").read_text().split()]
    return [pid for pid in pids if "claude" in Path(f"/proc/{pid}/cmdline").read_text()]
