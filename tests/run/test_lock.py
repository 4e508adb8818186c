"""The right to run a workflow: one process at a time, and never longer than it lives."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import EvidenceError, LockHeldError
from pytest_workflow_exec.run._lock import RunLock

ROOT = Path(__file__).parents[2]

_HOLD = (
    "import os, subprocess, sys, time; from pathlib import Path; from pytest_workflow_exec.run._lock import RunLock\n"
    "lock = RunLock.take(Path(sys.argv[1]), 'flow', run='the-run', group=sys.argv[4] or None)\n"
    "ready, tell = os.pipe()\n"
    "if sys.argv[2] == 'fork':\n"
    "    child = os.fork()\n"
    "    if child == 0: os.close(1); os.write(tell, b'.'); time.sleep(60)\n"
    "    os.read(ready, 1)\n"
    "else:\n"
    "    child = subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL, close_fds=False).pid\n"
    "print(child, flush=True)\n"
    "os.kill(os.getpid(), signal_number) if (signal_number := int(sys.argv[3])) else sys.stdin.read()\n"
)


def _holder(root: Path, how: str, number: int, *, group: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(root), how, str(number), group],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _lock_file(root: Path) -> Path:
    return root / ".workflow-exec" / "flow.lock"


@pytest.mark.parametrize("how", ["fork", "exec"])
def test_no_child_keeps_the_lock_of_a_process_that_is_gone(tmp_path: Path, how: str) -> None:
    """A lock ends with the process that took it, although a forked or started child of it lives on."""
    holder = _holder(tmp_path, how, signal.SIGKILL)
    with holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        holder.wait()
    try:
        os.kill(child, 0)
        RunLock.take(tmp_path, "flow", run="mine").release()
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def test_the_refusal_names_run_and_process(tmp_path: Path) -> None:
    """Whoever is refused is told which run of which process holds the lock."""
    with _holder(tmp_path, "exec", 0) as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        with pytest.raises(LockHeldError, match=f"run the-run, process {holder.pid}"):
            RunLock.take(tmp_path, "flow", run="mine")
        os.kill(child, signal.SIGKILL)


def test_other_workflows_and_projects_have_locks_of_their_own(tmp_path: Path) -> None:
    """A lock is of one workflow in one project."""
    (tmp_path / "other").mkdir()
    locks = [
        RunLock.take(tmp_path, "flow", run="1"),
        RunLock.take(tmp_path, "flow2", run="2"),
        RunLock.take(tmp_path / "other", "flow", run="3"),
    ]

    for lock in locks:
        lock.release()
        lock.release()


def test_a_lock_file_that_was_removed_is_made_again(tmp_path: Path) -> None:
    """The lock is on the file that the name means now: one that nobody can find protects nothing."""
    first = RunLock.take(tmp_path, "flow", run="1")
    _lock_file(tmp_path).unlink()

    second = RunLock.take(tmp_path, "flow", run="2")

    second.check()
    with pytest.raises(EvidenceError, match="was removed or replaced"):
        first.check()
    with pytest.raises(LockHeldError, match="run 2"):
        RunLock.take(tmp_path, "flow", run="3")
    second.release()
    first.release()


@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_no_lock_file_is_refused(tmp_path: Path, kind: str) -> None:
    """A link, a pipe or a folder in its place is an error, at once, and nothing is written through it."""
    RunLock.take(tmp_path, "flow", run="1").release()
    path = _lock_file(tmp_path)
    path.unlink()
    if kind == "link":
        path.symlink_to(tmp_path / "elsewhere")
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()

    with pytest.raises(EvidenceError, match=r"the lock .*flow\.lock"):
        RunLock.take(tmp_path, "flow", run="2")

    assert not (tmp_path / "elsewhere").exists()


def test_a_group_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    """Another workflow of a held group is refused, told who holds it, and leaves nothing locked; others are not."""
    with _holder(tmp_path, "exec", 0, group="db") as holder:
        assert holder.stdout is not None
        child = int(holder.stdout.readline())
        with pytest.raises(LockHeldError, match=rf"group 'db' .*workflow flow, run the-run, process {holder.pid}"):
            RunLock.take(tmp_path, "other", run="mine", group="db")
        RunLock.take(tmp_path, "other", run="mine", group="web").release()
        RunLock.take(tmp_path, "other", run="mine").release()
        os.kill(child, signal.SIGKILL)


def test_workflows_of_one_process_share_their_group(tmp_path: Path) -> None:
    """They run one after the other; the group is given back with the last of them."""
    first = RunLock.take(tmp_path, "one", run="1", group="db")
    second = RunLock.take(tmp_path, "two", run="2", group="db")
    taking = [
        sys.executable,
        "-c",
        (
            "import sys; from pathlib import Path; from pytest_workflow_exec.run._lock import RunLock\n"
            "RunLock.take(Path(sys.argv[1]), 'three', run='3', group='db').release()"
        ),
        str(tmp_path),
    ]

    first.release()
    first.release()
    while_held = subprocess.run(taking, capture_output=True, text=True, check=False)
    second.release()
    afterwards = subprocess.run(taking, capture_output=True, text=True, check=False)

    assert while_held.returncode == 1
    assert "LockHeldError" in while_held.stderr
    assert afterwards.returncode == 0, afterwards.stderr
