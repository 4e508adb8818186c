"""`needs = ["shared-memory"]`: a rule's commands use the machine's at level `landlock`, and nothing else is opened."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.errors import SandboxSetupError
from pytest_workflow_exec.sandbox import compile_policy, file_problem, shared_memory_problems
from pytest_workflow_exec.settings import PolicySettings, RuleSettings

from .conftest import Project
from .test_ctf import LEVELS, attack, both

landlock = LEVELS["landlock"]
SHARED = Path("/dev/shm")  # noqa: S108  # what is tested
HAS = pytest.mark.skipif(not os.access(SHARED, os.W_OK), reason="no shared memory here")
POOL = """
import multiprocessing
with multiprocessing.get_context('fork').Pool(2) as pool:
    print(pool.map(abs, [-1, -2]))
"""
SEGMENT = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
made = libc.shmget(0, 4096, 0o600)
if made < 0:
    raise OSError(ctypes.get_errno(), 'shmget')
libc.shmctl(made, 0, None)
"""
BLOCK = """
from multiprocessing import shared_memory
block = shared_memory.SharedMemory(create=True, size=64)
block.buf[0] = 7
block.close(); block.unlink()
"""
# Python's blocks of shared memory have a process that watches over them.
PYTHON = ("any",)
USES = {"a pool": POOL, "a segment": SEGMENT, "a block": BLOCK}


@HAS
@both
@pytest.mark.parametrize("body", USES.values(), ids=USES)
def test_what_shares_memory_works_with_the_right(project: Project, level: str, body: str) -> None:
    """At both levels, pools of processes and both kinds of shared memory do."""
    done = attack(project, body, level=level, needs=("shared-memory",), exec=PYTHON)

    assert done.exit == 0, done.stderr


@HAS
@landlock
@pytest.mark.parametrize("body", USES.values(), ids=USES)
def test_it_is_refused_without_the_right(project: Project, body: str) -> None:
    """And nothing is there afterwards that was not there before."""
    before = set(SHARED.glob("psm_*"))

    done = attack(project, body, level="landlock", exec=PYTHON)

    assert done.exit == 1
    assert "Error" in done.stderr
    assert set(SHARED.glob("psm_*")) <= before


@pytest.fixture
def name() -> Iterator[str]:
    """A name in the machine's shared memory that nobody has; it is gone afterwards."""
    with tempfile.NamedTemporaryFile(prefix="workflow-exec-", dir=SHARED, delete=False) as file:
        path = Path(file.name)
    path.unlink()
    yield path.name
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    path.unlink(missing_ok=True)


STILL_HELD = {
    "make a folder there": "os.mkdir(at)",
    "make a link there": "os.symlink('/etc/shadow', at)",
    "start something from there": (
        "open(at, 'wb').write(open('/usr/bin/true', 'rb').read()); os.chmod(at, 0o755); os.execv(at, [at])"
    ),
    "make a fifo there": "os.mkfifo(at)",
    "write in the devices' folder": "open('/dev/new', 'w')",
    "write in the project": "open('new', 'w')",
    "trace another process": SEGMENT.replace("libc.shmget(0, 4096, 0o600)", "libc.ptrace(16, os.getppid(), 0, 0)"),
    "make a socket": "import socket; socket.socket(socket.AF_UNIX)",
}


@HAS
@landlock
@pytest.mark.parametrize("exec_", [(), ("true",), ("any",)], ids=["no exec", "a list", "any"])
@pytest.mark.parametrize("body", STILL_HELD.values(), ids=STILL_HELD)
def test_nothing_else_is_opened(project: Project, name: str, body: str, exec_: tuple[str, ...]) -> None:
    """Shared memory holds files and no more, and none of them is started."""
    done = attack(
        project, f"at = '/dev/shm/{name}'\n{body}", level="landlock", needs=("shared-memory",), exec=exec_
    )  # fmt: skip

    assert done.exit == 1, done.stderr
    assert "Error" in done.stderr
    assert not (project.root / "new").exists()
    assert not Path("/dev/new").exists()
    assert not (SHARED / name).is_dir()
    assert not (SHARED / name).is_symlink()


@HAS
@landlock
def test_project_in_shared_memory_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its evidence and policy would be writable: said before the first step, and the command does not start."""
    with tempfile.TemporaryDirectory(dir=SHARED) as folder:
        inside = Project(folder=Path(folder))
        for part in ("root", "bin", "scratch"):
            (inside.folder / part).mkdir(mode=0o700)
        rule = RuleSettings(rule="tool", needs=("shared-memory",))
        settings = PolicySettings(rules=(rule,), path=(str(project.folder),), sandbox="required:landlock")
        policy = compile_policy(settings, workflow="x", environment=os.environ)

        said = [
            list(shared_memory_problems(policy.rules[0], root=inside.root, level=level, path=policy.path))
            for level in ("landlock", "namespaces", "none")
        ]
        with pytest.raises(SandboxSetupError, match="lies in '/dev/shm', where its commands could write"):
            attack(inside, "open('ran', 'w')", level="landlock", needs=("shared-memory",))

        assert [len(each) for each in said] == [1, 0, 0]
        assert "rule 'tool': it needs shared memory" in said[0][0]
        assert not (inside.root / "ran").exists()


@HAS
@landlock
def test_the_right_is_said_and_recorded(project: Project) -> None:
    """It stands with the rule's other rights, is part of its digest, and is in the command's record."""
    rules: list[dict[str, Any]] = [{}, {"needs": ("shared-memory",)}]
    plain, with_need = (
        compile_policy(
            PolicySettings(rules=(RuleSettings(rule="true", **rights),), sandbox="none"),
            workflow="x",
            environment=os.environ,
        ).rules[0]
        for rights in rules
    )

    attack(project, "pass", level="landlock", needs=("shared-memory",))

    assert (plain.rights, with_need.rights) == ("", "needs shared-memory")
    assert plain.digest != with_need.digest
    assert project.events[0].data["needs"] == ["shared-memory"]


@HAS
def test_home_in_shared_memory_is_refused(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes there could change the pin and the ledger that lie in it."""
    rule = RuleSettings(rule="tool", needs=("shared-memory",))
    settings = PolicySettings(rules=(rule,), path=(str(project.folder),), sandbox="none")
    policy = compile_policy(settings, workflow="x", environment=os.environ)
    monkeypatch.setenv("HOME", str(SHARED / "home"))

    [said] = shared_memory_problems(policy.rules[0], root=project.root, level="landlock", path=policy.path)

    assert "'/dev/shm/home' lies in '/dev/shm', where its commands could write then" in said


@HAS
def test_secret_in_shared_memory_is_refused(project: Project) -> None:
    """A rule that opens it lets its commands read every secret that lies there, granted or not."""
    settings = PolicySettings(
        rules=(RuleSettings(rule="tool", needs=("shared-memory",)),), path=(str(project.folder),), sandbox="none"
    )
    rules = compile_policy(settings, workflow="x", environment=os.environ).rules
    with tempfile.NamedTemporaryFile(dir=SHARED) as file:
        assert file_problem(file.name, root=project.root, rules=()) is None
        assert "as it needs shared memory: keep it elsewhere" in (
            file_problem(file.name, root=project.root, rules=rules) or ""
        )
