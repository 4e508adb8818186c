"""Nothing of a command outlives it: every way to detach itself, at every level, after success, timeout and SIGKILL."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.sandbox._confinement import Grant, confined
from pytest_workflow_exec.sandbox._environment import MARKER
from pytest_workflow_exec.sandbox._level import Level, offer_of
from pytest_workflow_exec.sandbox._process import Ended, RunningCommand

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the process group is ended")

ROOT = Path(__file__).parents[2]
TIMES = 5
HEAD = "import ctypes, os, signal, sys, time\ndef begun(): open(f'begun-{os.getpid()}', 'w').close()\n"
FOREVER = "begun(); time.sleep(1000); os._exit(0)"
# Each leaves something behind that would run on, and then does what its end is: it goes on itself, or exits.
CLASSES = {
    "session": f"if os.fork() == 0:\n os.setsid(); {FOREVER}\n",
    "double fork": f"if os.fork() == 0:\n if os.fork() == 0: {FOREVER}\n os._exit(0)\nos.wait()\n",
    "daemon": (
        "if os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n"
        f"  os.chdir('.'); os.closerange(0, 100); {FOREVER}\n os._exit(0)\nos.wait()\n"
    ),
    "nohup": f"signal.signal(signal.SIGHUP, signal.SIG_IGN)\nif os.fork() == 0:\n os.setpgid(0, 0); {FOREVER}\n",
    "pid hopper": (
        "if os.fork() == 0:\n begun(); end = time.time() + 30\n while time.time() < end:\n"
        "  time.sleep(0.001)\n  if os.fork(): os._exit(0)\n  os.setsid()\n os._exit(0)\n"
    ),
    "held pipes": f"if os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n  print('held', flush=True); {FOREVER}\n os._exit(0)\n",
    "reparenting": (
        "libc = ctypes.CDLL(None); libc.prctl(1, 0, 0, 0, 0); libc.prctl(36, 1, 0, 0, 0)\n"
        f"if os.fork() == 0:\n if os.fork() == 0: os.setsid(); {FOREVER}\n os._exit(0)\n"
    ),
    "ignoring signals": (
        "for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}: signal.signal(number, signal.SIG_IGN)\n"
        f"if os.fork() == 0: {FOREVER}\n"
    ),
    "stopped": "if os.fork() == 0:\n os.setsid(); begun(); os.kill(os.getpid(), signal.SIGSTOP); time.sleep(1000)\n",
}
WAIT = "while not [name for name in os.listdir() if name.startswith('begun')]: time.sleep(0.002)\n"
LEVELS = [
    "none",
    *(
        pytest.param(
            level, marks=pytest.mark.skipif(offer_of(level).level == "none", reason=offer_of(level).reason or "-")
        )
        for level in ("landlock", "namespaces")
    ),
]


@pytest.fixture
def mark() -> Iterator[str]:
    """Return a word that marks every process of a test in its arguments; what is left at the end is ended."""
    word = f"mark-{secrets.token_hex(8)}"
    yield word
    for pid in marked(word):
        os.kill(pid, signal.SIGKILL)


def marked(word: str) -> list[int]:
    """Return the living processes with a word among their arguments."""
    found = []
    for path in Path("/proc").iterdir():
        try:
            arguments, stat = (path / "cmdline").read_bytes(), (path / "stat").read_text()
        except (OSError, ValueError):
            continue
        if (
            path.name.isdigit()
            and word.encode() in arguments.split(b"\0")
            and stat.rpartition(")")[2].split()[0] != "Z"
        ):
            found.append(int(path.name))
    return found


def run(body: str, word: str, folder: Path, level: Level, *, timeout_s: float | None = None) -> Ended:
    """Run Python code with a mark at a level."""
    folder.mkdir(exist_ok=True)
    argv = [sys.executable, "-I", "-S", "-c", HEAD + body, word]
    environment = {"PATH": "/usr/bin:/bin", MARKER: secrets.token_hex(16)}
    if level == "none":
        command = RunningCommand(argv, cwd=folder, environment=environment)
    else:
        grant = Grant(program=Path(sys.executable), root=folder, private=(folder,), namespaces=level == "namespaces")
        with confined(grant, find=Path) as confinement:
            command = RunningCommand(argv, cwd=folder, environment=environment, confinement=confinement)
    try:
        command.wait(timeout_s)
    finally:
        ended = command.end()
    return ended


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("body", CLASSES.values(), ids=CLASSES)
def test_success_leaves_nothing(tmp_path: Path, mark: str, body: str, level: Level) -> None:
    """What a successful command leaves running is ended with it, each time."""
    for number in range(TIMES):
        ended = run(body + WAIT + "os._exit(0)", mark, tmp_path / str(number), level)

        assert (ended.exit, ended.sweep.clean) == (0, True), ended.stderr.content
        assert ended.sweep.ended >= 1
        assert marked(mark) == []


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("body", CLASSES.values(), ids=CLASSES)
def test_timeout_leaves_nothing(tmp_path: Path, mark: str, body: str, level: Level) -> None:
    """What takes too long is ended with all that it started, each time."""
    for number in range(TIMES):
        ended = run(body + "time.sleep(1000)", mark, tmp_path / str(number), level, timeout_s=0.6)

        assert (ended.timed_out, ended.signal, ended.sweep.clean) == (True, signal.SIGKILL, True), ended
        assert marked(mark) == []


@pytest.mark.parametrize("level", LEVELS)
def test_engine_killed_before_it_hears_of_the_start_leaves_nothing(tmp_path: Path, mark: str, level: Level) -> None:
    """What the engine did not read any more makes the server's next look fail: that must not keep it from ending all."""
    code = (
        "import json, os, select, signal, sys, time\nfrom pathlib import Path\n"
        "from pytest_workflow_exec.sandbox import _spawner\nfrom tests.sandbox.test_tree import run\n"
        "body, word, folder, level = json.loads(sys.argv[1])\n"
        "def hear(server, patience_s):\n"
        "    while not list(Path(folder).glob('begun-*')): time.sleep(0.01)\n"
        "    select.select([server], [], [])\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "_spawner._Server.hear = hear\n"
        "run(body, word, Path(folder), level)\n"
    )
    given = json.dumps([CLASSES["session"] + "time.sleep(1000)", mark, str(tmp_path / "here"), level])

    done = subprocess.run([sys.executable, "-c", code, given], cwd=ROOT, check=False)

    assert done.returncode == -signal.SIGKILL
    deadline = time.monotonic() + 30
    while (left := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert left == []


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("body", CLASSES.values(), ids=CLASSES)
def test_killed_engine_leaves_nothing(tmp_path: Path, mark: str, body: str, level: Level) -> None:
    """After SIGKILL of the engine, all that its command started is ended, each time."""
    code = (
        "import json, sys\nfrom pathlib import Path\nfrom tests.sandbox.test_tree import run\n"
        "body, word, folder, level = json.loads(sys.argv[1])\nrun(body, word, Path(folder), level)\n"
    )
    for number in range(TIMES):
        folder = tmp_path / str(number)
        given = json.dumps([body + "time.sleep(1000)", mark, str(folder), level])
        with subprocess.Popen([sys.executable, "-c", code, given], cwd=ROOT) as engine:
            while not list(folder.glob("begun-*")):
                assert engine.poll() is None
                time.sleep(0.01)
            engine.send_signal(signal.SIGKILL)

        deadline = time.monotonic() + 30
        while (left := marked(mark)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert left == []
