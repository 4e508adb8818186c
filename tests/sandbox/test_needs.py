"""`needs = ["namespaces"]`: tests make namespaces of their own, and are held to everything else all the same."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import pytest

from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox import CommandResult, CommandRunner, compile_policy
from pytest_workflow_exec.settings import PolicySettings, RuleSettings, VerifyNeed

from ._attempts import project_in, run
from .conftest import Project
from .test_ctf import both
from .test_namespaces import NOBODY, USERS, namespaces, run_as

CALLS = """
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(x86_64, aarch64, *arguments):
    words = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    if libc.syscall(ctypes.c_long(x86_64 if os.uname().machine == 'x86_64' else aarch64), *words) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def unshare(flags):
    call(272, 97, flags)
def write(path, text):
    descriptor = os.open(path, os.O_WRONLY)
    os.write(descriptor, text.encode())
    os.close(descriptor)
USERS, MOUNTS, NETWORK = 0x10000000, 0x20000, 0x40000000
"""
OWN = "before = os.readlink('/proc/self/ns/net'); unshare(USERS | NETWORK)\nassert os.readlink('/proc/self/ns/net') != before\n"
STILL_HELD = {
    "mount something": "unshare(USERS | MOUNTS); call(165, 40, b'none', b'/tmp', b'tmpfs', 0, 0)",
    "make what is read-only writable": (
        "unshare(USERS | MOUNTS); call(442, 442, -100, b'/', 0x8000, struct.pack('=QQQQ', 0, 1, 0, 0), 32)"
    ),
    "write outside": "unshare(USERS | MOUNTS); open(out + '/new', 'w')",
    "read outside": "unshare(USERS | MOUNTS); open(out + '/kept').read()",
    "change a file's mode outside": "unshare(USERS | MOUNTS); os.chmod(out + '/kept', 0o600)",
    "change the machine's settings": "write('/proc/sys/kernel/ostype', 'x')",
    "change settings of a namespace": "unshare(USERS | NETWORK); write('/proc/sys/net/ipv4/ip_forward', '1')",
    "go to others' namespaces": "call(308, 268, os.open('/proc/1/ns/user', os.O_RDONLY), 0)",
    "make a network socket": "unshare(USERS | NETWORK); import socket; socket.socket()",
    "trace something": "unshare(USERS); call(101, 117, 16, 1, 0, 0)",
}


def outcome_of_tests(project: Project, code: str, *needs: VerifyNeed, level: str) -> CommandResult:
    """Run Python code as the engine runs the tests of a `verify:` step."""
    settings = PolicySettings(
        verify=RuleSettings(rule="verify", needs=needs),
        sandbox=f"required:{level}",  # type: ignore[arg-type]  # one of the policy's
    )
    runner = CommandRunner(
        policy=compile_policy(settings, workflow="release", environment=os.environ, tests=True),
        root=project.root,
        scratch=project.folder / "scratch",
        inputs={},
        environment=os.environ,
        redactor=Redactor({}),
        record=project.events.append,
    )
    argv = [sys.executable, "-I", "-S", "-c", CALLS + code]
    return runner.run_trusted(argv, step="build", attempt=1, timeout_s=60, extra_environment={})


@both
def test_tests_make_namespaces_where_the_policy_says_so(project: Project, level: str) -> None:
    """With the need they do; without, and with another one, they do not."""
    with_need = outcome_of_tests(project, OWN, "namespaces", level=level)
    without = [outcome_of_tests(project, OWN, *needs, level=level) for needs in ((), ("pty", "loopback"))]

    assert with_need.exit == 0, with_need.stderr
    assert [result.exit for result in without] == [1, 1]
    assert all("PermissionError" in result.stderr for result in without)


@namespaces
@pytest.mark.parametrize("code", STILL_HELD.values(), ids=STILL_HELD)
def test_nothing_else_is_opened(tmp_path: Path, code: str) -> None:
    """What the tests can't do they can't do in namespaces of their own either, and nothing is there afterwards."""
    root, outside = project_in(tmp_path / "p")

    ended = run(CALLS + code, root, outside, more_namespaces=True)

    assert ended.exit == 1
    assert b"Error" in ended.stderr.content
    assert [(path.name, path.read_text(), path.stat().st_mode & 0o777) for path in outside.iterdir()] == [
        ("kept", "kept", 0o644)
    ]


MAPPED = """
user, group = os.getuid(), os.getgid()
unshare(USERS | NETWORK)
write('/proc/self/setgroups', 'deny'); write('/proc/self/uid_map', f'0 {user} 1'); write('/proc/self/gid_map', f'0 {group} 1')
assert (os.getuid(), os.getgid()) == (0, 0)
"""


@namespaces
@pytest.mark.parametrize("user", USERS)
def test_tests_say_who_they_are_in_their_namespaces(user: str) -> None:
    """At level `namespaces` a user without privilege is whoever they want to be in theirs, and nobody else outside."""
    if user == "own" and os.geteuid() == 0:
        pytest.skip("root has given up what it takes to name itself in a namespace")
    with tempfile.TemporaryDirectory() as folder:
        if user == "nobody":
            os.chown(folder, NOBODY, NOBODY)
        code = (
            "import json, sys; from pathlib import Path; from tests.sandbox._attempts import project_in, run\n"
            "ended = run(sys.argv[2], *project_in(Path(sys.argv[1]) / 'p'), more_namespaces=True)\n"
            "print(json.dumps([ended.exit, bytes(ended.stderr.content).decode()]))"
        )
        done = run_as(user, "-c", code, folder, CALLS + MAPPED)

    assert json.loads(done.stdout) == [0, ""], done.stderr


TERMINALS = """
import pty
ours, theirs = pty.openpty()
os.write(ours, b'x\\n')
assert os.read(theirs, 10) == b'x\\n' and os.isatty(os.open(os.ttyname(theirs), os.O_RDWR | os.O_NOCTTY))
"""


@both
def test_tests_have_terminals_of_their_own(project: Project, level: str) -> None:
    """With the need they make pseudo-terminals, without they do not."""
    with_need, without = (outcome_of_tests(project, TERMINALS, *needs, level=level) for needs in (("pty",), ()))

    assert with_need.exit == 0, with_need.stderr
    assert without.exit == 1
    assert "Error" in without.stderr


@namespaces
@pytest.mark.parametrize("user", USERS)
def test_nobody_elses_terminal_is_opened(user: str) -> None:
    """At level `namespaces` a terminal of the machine is not there, so that none is written to or read from."""
    code = (
        "import json, os, pty, sys; from pathlib import Path; from tests.sandbox._attempts import project_in, run\n"
        "_, theirs = pty.openpty(); look = f'os.open({os.ttyname(theirs)!r}, os.O_RDWR | os.O_NOCTTY)'\n"
        "places = project_in(Path(sys.argv[1]) / 'p')\n"
        "ends = [run(look, *places, free=True), *(run(code, *places, terminals=True) for code in (look, sys.argv[2]))]\n"
        "print(json.dumps([end.exit for end in ends]), bytes(ends[-1].stderr.content).decode())"
    )
    with tempfile.TemporaryDirectory() as folder:
        if user == "nobody":
            os.chown(folder, NOBODY, NOBODY)
        done = run_as(user, "-c", code, folder, "import os" + TERMINALS)

    assert done.stdout.strip() == "[0, 1, 0]", done.stdout + done.stderr
