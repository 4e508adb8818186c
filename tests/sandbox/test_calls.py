"""Ways around what Landlock judges: system calls that reach others without a file, a port or a signal of its kind."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.settings import RuleSettings

from .conftest import Project
from .test_confinement import PYTHON, landlock, run
from .test_ctf import both, namespaces, runner_of, tried

SENT = {
    "with an address": "pair.sendto(b'x', path)",
    "as a message": "pair.sendmsg([b'x'], [], 0, path)",
    "after connecting": "pair.connect(path); pair.send(b'x')",
}
KINDS = ("SOCK_DGRAM", "SOCK_RAW")
SHARED = {
    "memory": "call(shmget=(29, 194), arguments=(key, 4096, 0o1600))",
    "semaphores": "call(semget=(64, 190), arguments=(key, 1, 0o1600))",
    "a queue": "call(msgget=(68, 186), arguments=(key, 0o1600))",
}
CALL = """
import ctypes
def call(arguments, **numbers):
    [numbers] = numbers.values()
    number = numbers[os.uname().machine != 'x86_64']
    result = ctypes.CDLL(None, use_errno=True).syscall(*map(ctypes.c_long, (number, *arguments)))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
"""


@pytest.fixture
def taker() -> Iterator[socket.socket]:
    """Return a socket that takes datagrams, in a folder that no command is granted."""
    # A socket's address is short: not in pytest's own temporary folders.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(f"{folder}/taker")
        made.setblocking(False)
        yield made


def arrived(taker: socket.socket) -> bool:
    """Return whether something was sent to it."""
    try:
        return taker.recv(100) != b""
    except BlockingIOError:
        return False


@both
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("code", SENT.values(), ids=SENT)
def test_pair_of_sockets_reaches_nobody_else(
    project: Project, taker: socket.socket, level: str, kind: str, code: str
) -> None:
    """Who may make no socket can't send by one of a pair to a socket in the file system, as the system's log has one."""
    body = (
        f"import socket; path = {taker.getsockname()!r}\npair, _ = socket.socketpair(socket.AF_UNIX, socket.{kind})\n"
    )

    ends = [tried(project, body + code, level=level, network=network) for network in ((), ("*:443",))]

    assert [exit_status for exit_status, _ in ends] == [1, 1]
    assert all("PermissionError" in said for _, said in ends)
    assert not arrived(taker)
    subprocess.run([sys.executable, "-c", body + code], check=True)
    assert arrived(taker)


@both
@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_SEQPACKET"])
def test_processes_of_a_command_talk_by_pairs(project: Project, level: str, kind: str) -> None:
    """A pair of connected sockets, which reaches nobody else, is no network."""
    body = (
        f"import socket; ours, theirs = socket.socketpair(socket.AF_UNIX, socket.{kind})\n"
        "if os.fork() == 0: theirs.send(b'x'); os._exit(0)\nassert ours.recv(1) == b'x'"
    )

    assert tried(project, body, level=level) == (0, "")


PAST_PORTS = {
    "another protocol": "made = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); made.connect(there)",
    "its first data": "made = socket.socket(); made.sendto(b'x', socket.MSG_FASTOPEN, there)",
    "its first message": "made = socket.socket(); made.sendmsg([b'x'], [], socket.MSG_FASTOPEN, there)",
    "nothing but the port": "made = socket.socket(); made.connect(there)",
}


@both
@pytest.mark.parametrize("code", PAST_PORTS.values(), ids=PAST_PORTS)
def test_port_that_is_not_granted_is_not_reached(project: Project, level: str, code: str) -> None:
    """A connection by a protocol or a call that the kernel judges no port of is refused as any other."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        body = f"import socket; there = ('127.0.0.1', {listener.getsockname()[1]})\n{code}"

        exit_status, said = tried(project, body, level=level, network=("*:443",))

        assert exit_status == 1
        assert "PermissionError" in said
        with pytest.raises(BlockingIOError):
            listener.accept()
        free = subprocess.run([sys.executable, "-c", body], capture_output=True, text=True, check=False)
        if free.returncode != 0:
            pytest.skip(f"it does not work here without confinement either: {free.stderr[-100:]}")


@landlock
@pytest.mark.parametrize("code", SHARED.values(), ids=SHARED)
def test_nothing_is_left_in_shared_memory(project: Project, code: str) -> None:
    """What of System V would be the machine's is not there; it would reach others, and outlive the command."""
    body = f"{CALL}\nkey = {os.getpid() << 8 | 1}\n{code}"

    exit_status, said = tried(project, body, level="landlock")

    assert exit_status == 1
    assert "PermissionError" in said


@namespaces
@pytest.mark.parametrize("code", SHARED.values(), ids=SHARED)
def test_shared_memory_is_its_own_in_namespaces(project: Project, code: str) -> None:
    """Where it is the command's own it is there, and gone with the command."""
    key = os.getpid() << 8 | 2

    assert tried(project, f"{CALL}\nkey = {key}\n{code}", level="namespaces") == (0, "")

    seen = [line.split()[0] for path in Path("/proc/sysvipc").iterdir() for line in path.read_text().splitlines()]
    assert str(key) not in seen


@landlock
@pytest.mark.parametrize("abi", [None, 3, 5])
@pytest.mark.parametrize("what", ["F_SETOWN", "F_SETOWN_EX", "FIOSETOWN"])
def test_ready_file_signals_nobody_else(tmp_path: Path, what: str, abi: int | None) -> None:
    """The signal that tells of a ready file ends no other process, also where the kernel has no scope for signals."""
    give = {
        "F_SETOWN": "fcntl.fcntl(r, 8, victim)",
        "F_SETOWN_EX": "fcntl.fcntl(r, 15, struct.pack('=ii', 1, victim))",
        "FIOSETOWN": "r, w = socket.socketpair(); fcntl.ioctl(r, 0x8901, struct.pack('=i', victim))",
    }[what]
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"]) as victim:
        code = (
            f"import fcntl, os, socket, struct; victim = {victim.pid}; r, w = os.pipe(); {give}\n"
            f"fcntl.fcntl(r, 10, {int(signal.SIGKILL)})\nfcntl.fcntl(r, 4, os.O_ASYNC | os.O_NONBLOCK)\n"
            "w.send(b'x') if isinstance(w, socket.socket) else os.write(w, b'x')\nprint('sent')"
        )

        ended = run([*PYTHON, code], tmp_path, abi=abi)
        alive = victim.poll() is None

        run([*PYTHON, code], tmp_path, free=True)
        assert victim.wait(20) == -signal.SIGKILL
    assert alive
    # With a scope, it is the signal that goes nowhere.
    assert (b"PermissionError" in ended.stderr.content) != (bytes(ended.stdout.content) == b"sent\n")


WITH_TEXTS = (
    "import ctypes\nword = lambda each: ctypes.c_long(each) if isinstance(each, int) else each\n"
    + CALL.replace("map(ctypes.c_long, (number, *arguments))", "(ctypes.c_long(number), *map(word, arguments))")
)
MODES = {
    "of a file": "os.chmod('made/kept', 0o4755)",
    "of a descriptor": "os.fchmod(os.open('made/kept', os.O_RDONLY), 0o4755)",
    "with flags": "call(fchmodat2=(452, 452), arguments=(-100, b'made/kept', 0o4755, 0))",
    "of a new file": "os.open('made/new', os.O_CREAT | os.O_WRONLY, 0o4755)",
    "of a nameless file": "os.open('made', os.O_TMPFILE | os.O_RDWR, 0o4755)",
    "of a new pipe": "os.mknod('made/new', 0o104755)",
    "by words in memory": "call(openat2=(437, 437), arguments=(-100, b'made/kept', bytes(24), 24))",
}


@both
@pytest.mark.parametrize("code", MODES.values(), ids=MODES)
def test_no_program_is_left_that_runs_as_its_owner(project: Project, level: str, code: str) -> None:
    """A command makes no file by which whoever starts it becomes the engine's user."""
    (project.root / "made").mkdir()
    (project.root / "made/kept").write_text("")
    exit_status, said = tried(project, f"{WITH_TEXTS}os.umask(0)\n{code}", level=level, write=("made",))

    assert exit_status == 1
    assert "Error" in said
    assert [oct(path.stat().st_mode & 0o4000) for path in (project.root / "made").iterdir()] == ["0o0"]


@both
def test_other_modes_are_set(project: Project, level: str) -> None:
    """Whether a file can be read, written and started is a command's own matter; so are folders that several use."""
    body = (
        "os.open('made/new', os.O_CREAT | os.O_WRONLY, 0o755); os.chmod('made/new', 0o700)\n"
        "os.mkdir('made/folder'); os.chmod('made/folder', 0o1777); os.mkdir('made/shared'); os.chmod('made/shared', 0o2775)"
    )

    assert tried(project, body, level=level, write=("made",)) == (0, "")


@both
@pytest.mark.parametrize("number", [470, 471, 500, 1000, 0x3FFFFFFF])
def test_calls_that_nobody_knows_yet_are_not_there(project: Project, level: str, number: int) -> None:
    """What a newer kernel offers is missing for a command, as on an older one, until somebody has judged it."""
    code = f"try: call(x=({number}, {number}), arguments=(0, 0, 0))\nexcept OSError as error: print(error.errno)"
    project.tool(CALL + code)

    result = runner_of(project, RuleSettings(rule="tool"), level=level).run(["tool"], step="build", attempt=1)

    assert result.stdout == f"{errno.ENOSYS}\n", result.stderr


TREES = {
    "pick a file system": "call(fspick=(433, 433), arguments=(-100, b'/', 0))",
    "copy a tree of mounts": "call(open_tree_attr=(467, 467), arguments=(-100, b'/', 0, 0, 0))",
    "watch a file system": "call(fanotify_init=(300, 262), arguments=(0x200, 0))",
}


@both
@pytest.mark.parametrize("code", TREES.values(), ids=TREES)
def test_mounts_are_not_looked_behind(project: Project, level: str, code: str) -> None:
    """No call on mounts or whole file systems is let through, those of later kernels neither."""
    exit_status, said = tried(project, WITH_TEXTS + code, level=level)

    assert exit_status == 1
    assert "PermissionError" in said


MEMORY = """
made = os.memfd_create('x', flags)
os.write(made, open('/usr/bin/touch', 'rb').read())
if os.fork() == 0:
    os.execve(made, ['touch', 'made/PWNED'], {})
os.wait()
print('made')
"""


@both
@pytest.mark.parametrize(
    ("exec_", "flags", "made", "ran"),
    [((), 0, False, False), (("mkdir",), 0, False, False), (("mkdir",), 8, True, False), (("any",), 0, True, True)],
)
def test_program_in_memory_is_not_started(
    project: Project, level: str, exec_: tuple[str, ...], flags: int, *, made: bool, ran: bool
) -> None:
    """Only where any program may be started a command starts one that it made in memory; others may hold data there."""
    project.tool(f"flags = {flags}\n{MEMORY}")
    rule = RuleSettings(rule="tool", exec=exec_, write=("made",))

    result = runner_of(project, rule, level=level).run(["tool"], step="build", attempt=1)

    if "Invalid argument" in result.stderr:
        pytest.skip("this kernel knows no files in memory that are never started")
    assert (result.stdout == "made\n") is made, result.stderr
    assert (project.root / "made/PWNED").exists() is ran


@both
@pytest.mark.parametrize(("network", "waits"), [("*:443", False), ("*:*", True)])
def test_connections_are_awaited_with_all_ports_only(
    project: Project, level: str, network: str, *, waits: bool
) -> None:
    """A command whose rule names ports waits at none that the kernel picks for it."""
    exit_status, said = tried(project, "import socket; socket.socket().listen()", level=level, network=(network,))

    assert (exit_status == 0) is waits
    assert ("PermissionError" in said) is not waits
