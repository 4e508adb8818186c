"""`sockets`: a command connects to the sockets that its rule names, and to no others, at each level."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.errors import CommandTimeoutError, PolicyError, SandboxSetupError
from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.sandbox._sockets import socket_problems
from pytest_workflow_exec.settings import LimitSettings, PolicySettings, RuleSettings, SandboxMode

from .conftest import Project
from .test_confinement import landlock
from .test_ctf import both, runner_of, tried
from .test_namespaces import USERS, namespaces, run_as

CONNECT = """
import socket
def connect(path):
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(10)
    made.connect(path)
    return made.recv(100).decode()
"""


class Place:
    """A folder with sockets that say their names to whoever connects."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.reached: list[str] = []
        self._listeners: list[socket.socket] = []

    def listen(self, name: str, *, backlog: int = 50, answers: bool = True) -> str:
        """Make a socket of that name, or an abstract one, and return its path."""
        listener = socket.socket(socket.AF_UNIX)
        path = name if name.startswith("\0") else str(self.folder / name)
        listener.bind(path)
        listener.listen(backlog)
        self._listeners.append(listener)
        if answers:
            threading.Thread(target=self._answer, args=(listener, name), daemon=True).start()
        return path

    def _answer(self, listener: socket.socket, name: str) -> None:
        while True:
            try:
                made, _ = listener.accept()
            except OSError:
                return
            self.reached.append(name)
            with made, contextlib.suppress(BrokenPipeError):
                # Whoever connected may be gone again.
                made.sendall(name.encode())

    def close(self) -> None:
        """Stop listening."""
        for listener in self._listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()


@pytest.fixture
def place() -> Iterator[Place]:
    """Return a folder outside every project."""
    # A socket's address is short: not in pytest's own temporary folders.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        made = Place(Path(folder))
        yield made
        made.close()


OTHERS = {
    "another socket": "connect(other)",
    "another name for another": "os.symlink(other, f'{home}/x'); connect(f'{home}/x')",
    "a relative name": "os.chdir(os.path.dirname(other)); connect(os.path.basename(other))",
    "a path that goes on": "connect(named + '/../other')",
    "an abstract socket": "connect(abstract)",
    "no name": "connect('')",
    "a datagram": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).connect(other)",
    "packets": "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(other)",
    "a port": "socket.create_connection(('127.0.0.1', port))",
    "a socket of its own": "socket.socket(socket.AF_UNIX).bind(f'{home}/own')",
    "an abstract one of its own": "socket.socket(socket.AF_UNIX).bind(chr(0) + 'own')",
    "the machine's devices": "socket.socket(40, socket.SOCK_STREAM)",
}


@both
@pytest.mark.parametrize("code", OTHERS.values(), ids=OTHERS)
def test_no_other_socket_is_reached(project: Project, place: Place, level: str, code: str) -> None:
    """Whatever else a command tries with a rule that names a socket is refused, and nobody hears of it."""
    named, other, abstract = place.listen("named"), place.listen("other"), place.listen(f"\0wfx-{secrets.token_hex(8)}")
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        head = (
            f"named, other, abstract, port = {named!r}, {other!r}, {abstract!r}, {listener.getsockname()[1]}\n"
            "home = os.environ['HOME']\n"
        )

        exit_status, said = tried(project, CONNECT + head + code, level=level, sockets=(named,))

    assert exit_status == 1
    assert "Error" in said
    assert place.reached == []


@both
@pytest.mark.parametrize("name", ["named", "link", "./../{}/named"])
def test_named_socket_is_reached(project: Project, place: Place, level: str, name: str) -> None:
    """The one that the rule names is reached, also by another path that leads to it; the record says it was granted."""
    named = place.listen("named")
    (place.folder / "link").symlink_to("named")
    path = f"{place.folder}/{name.format(place.folder.name)}"

    result = runner_of(project, tool(project, f"{CONNECT}print(connect({path!r}))", named), level=level).run(
        ["tool"], step="build", attempt=1
    )

    assert (result.exit, result.stdout) == (0, "named\n"), result.stderr
    assert place.reached == ["named"]
    assert project.facts("command.started")["sockets"] == [named]


def tool(project: Project, body: str, *sockets: str, **rights: Any) -> RuleSettings:
    """Write the project's tool, and return the rule that lets it use these sockets."""
    project.tool(body)
    return RuleSettings(rule="tool", sockets=sockets, **rights)


@both
def test_socket_of_the_project_is_named_from_its_root(project: Project, level: str) -> None:
    """A relative path starts at the project, whatever the command has as its folder."""
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        (Path(short) / "p").symlink_to(project.root)
        listener = Place(Path(short) / "p")
        try:
            listener.listen("db.sock")
            body = f"{CONNECT}print(connect('db.sock'), connect(os.getcwd() + '/db.sock') if len(os.getcwd()) < 80 else '')"
            exit_status, said = tried(project, body, level=level, sockets=("db.sock",))
        finally:
            listener.close()

    assert (exit_status, said) == (0, "")
    assert listener.reached[0] == "db.sock"


@both
def test_connection_leads_where_it_was_judged(project: Project, place: Place, level: str) -> None:
    """An address that another thread changes while it is judged never leads to another socket."""
    named, other = place.listen("named"), place.listen("other")
    body = f"""
import ctypes, socket, struct, threading
addresses = [struct.pack('=H', 1) + path.encode().ljust(108, b'\\0') for path in ({named!r}, {other!r})]
address, going = ctypes.create_string_buffer(addresses[0], 110), True
def change():
    while going:
        for each in addresses:
            ctypes.memmove(address, each, 110)
threading.Thread(target=change, daemon=True).start()
connect, outcomes = ctypes.CDLL(None, use_errno=True).connect, set()
for _ in range(200):
    made = socket.socket(socket.AF_UNIX)
    if connect(made.fileno(), address, 110) == 0:
        outcomes.add(made.recv(100))
    made.close()
going = False
print(outcomes)
"""

    result = runner_of(project, tool(project, body, named), level=level).run(["tool"], step="build", attempt=1)

    assert result.stdout in ("{b'named'}\n", "set()\n"), result.stderr
    assert "other" not in place.reached


@both
def test_socket_is_not_swapped_by_the_command(project: Project, place: Place, level: str) -> None:
    """What a command puts in the place of its socket is not what it then reaches."""
    other = place.listen("other")
    (project.root / "run").mkdir()
    with tempfile.TemporaryDirectory(dir="/tmp") as short:
        (Path(short) / "p").symlink_to(project.root / "run")
        listener = Place(Path(short) / "p")
        try:
            listener.listen("s")
            body = (
                f"{CONNECT}os.rename('run/s', 'run/gone'); os.symlink({other!r}, 'run/s')\n"
                "try: print(connect('run/s'))\nexcept PermissionError: print('refused')"
            )
            rule = tool(project, body, "run/s", write=("run",))
            result = runner_of(project, rule, level=level).run(["tool"], step="build", attempt=1)
            again = runner_of(project, rule, level=level)
            with pytest.raises(SandboxSetupError, match="leads out of the project"):
                again.run(["tool"], step="build", attempt=2)
        finally:
            listener.close()

    # The one that was there when it started.
    assert result.stdout == "s\n", result.stderr
    assert place.reached == []


MISSING = {
    "nothing": (lambda _: None, "No such file"),
    "a file": (lambda path: path.write_text(""), "no socket"),
    "a folder": (lambda path: path.mkdir(), "no socket"),
}


@both
@pytest.mark.parametrize(("make", "words"), MISSING.values(), ids=MISSING)
def test_command_does_not_start_without_its_socket(
    project: Project, place: Place, level: str, make: Callable[[Path], object], words: str
) -> None:
    """Where there is no socket of that name the command is not started, and the error says what is missing."""
    path = place.folder / "named"
    make(path)

    exit_status, said = tried(project, "open('made/ran', 'w')", level=level, sockets=(str(path),), write=("made",))

    assert exit_status is None
    assert words in said
    assert str(path) in said
    assert not (project.root / "made/ran").exists()
    assert project.kinds() == ["command.started", "command.finished"]


@both
def test_ports_hold_beside_sockets(project: Project, place: Place, level: str) -> None:
    """A rule with both connects to the ports and the sockets that it names, by TCP and UDP, and to no others."""
    named = place.listen("named")
    with socket.socket() as granted, socket.socket() as other:
        for listener in (granted, other):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        ports = [listener.getsockname()[1] for listener in (granted, other)]
        body = (
            f"{CONNECT}print(connect({named!r}))\nsocket.create_connection(('127.0.0.1', {ports[0]}), 5)\n"
            "asked = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); asked.bind(('127.0.0.1', 0))\n"
            f"asked.connect(('127.0.0.1', {ports[0]})); asked.send(b'x')\n"
            f"try: socket.create_connection(('127.0.0.1', {ports[1]}), 5)\nexcept PermissionError: print('refused')"
        )
        rule = tool(project, body, named, network=(f"*:{ports[0]}",))

        result = runner_of(project, rule, level=level).run(["tool"], step="build", attempt=1)

    assert (result.exit, result.stdout) == (0, "named\nrefused\n"), result.stderr


@both
def test_connection_that_waits_ends_with_its_command(project: Project, place: Place, level: str) -> None:
    """A command whose connection nobody takes is ended in time, with whatever waits for it, and counted as one process."""
    named = place.listen("named", backlog=0, answers=False)
    body = (
        "import socket\nopen('made/pid', 'w').write('x')\nmade = [socket.socket(socket.AF_UNIX) for _ in range(9)]\n"
        f"for each in made: each.connect({named!r})"
    )
    rule = tool(project, body, named, write=("made",))

    with pytest.raises(CommandTimeoutError):
        runner_of(project, rule, level=level).run(["tool"], step="build", attempt=1, timeout_s=2)

    assert (project.root / "made/pid").exists()
    assert project.facts("command.finished")["swept"] == 0


@both
def test_connections_hide_no_processes(project: Project, place: Place, level: str) -> None:
    """A command that never stops connecting is ended all the same when it has more processes than it may."""
    named = place.listen("named")
    body = (
        "import contextlib, socket\nwith contextlib.suppress(BlockingIOError):\n"
        " for _ in range(40):\n  if os.fork() == 0: time.sleep(1000)\n"
        f"while True:\n made = socket.socket(socket.AF_UNIX); made.connect({named!r}); made.close()\n"
    )
    rule = tool(project, body, named, limits=LimitSettings(stated=(("processes", 20),)))

    result = runner_of(project, rule, level=level).run(["tool"], step="build", attempt=1, timeout_s=60)

    assert (result.limit, result.signal) == ("processes", 9), result.stderr


@namespaces
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("level", ["landlock", "namespaces"])
def test_sockets_are_held_without_privilege(user: str, level: str) -> None:
    """What a canary tries is held for every user."""
    code = (
        "from pytest_workflow_exec.sandbox._sockets_canary import sockets_problem; "
        f"print(repr(sockets_problem({level!r})))"
    )

    done = run_as(user, "-c", code)

    assert done.stdout == "''\n", done.stdout + done.stderr


REFUSED_THERE = """
import ctypes, os, sys
sys.path.insert(0, sys.argv[1])
from pytest_workflow_exec.errors import PolicyError
from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.sandbox._spawn import _kernel
from pytest_workflow_exec.settings import PolicySettings, RuleSettings
# As in some containers: the kernel lets only one program be asked about system calls.
_kernel.prctl(_kernel.SET_NO_NEW_PRIVILEGES, 1)
_kernel.restrict_and_ask(bytes.fromhex('060000000000ff7f'))
for sockets in ((), ('/run/x.sock',)):
    rule = RuleSettings(rule='true', sockets=sockets)
    settings = PolicySettings(rules=(rule,), sandbox='required:' + sys.argv[2])
    try:
        print(compile_policy(settings, workflow='x', environment=os.environ).level)
    except PolicyError as error:
        print(error)
"""


@both
def test_policy_is_refused_where_sockets_cannot_be_held(level: str) -> None:
    """Where commands can't be held to the sockets that a rule names, the policy does not load; one without them does."""
    done = subprocess.run(
        [sys.executable, "-c", REFUSED_THERE, str(Path(__file__).parents[2]), level],
        capture_output=True,
        text=True,
        check=False,
    )

    first, said = done.stdout.split("\n", maxsplit=1)
    assert first == level, done.stderr
    assert "rule 'true': its commands can't be held to the sockets it names" in said
    assert "seccomp" in said


@landlock
@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("@abstract", "in the file system"),
        ("unix:/run/x", "in the file system"),
        ("/run/", "is a folder"),
        ("../x", "canonical"),
        ("/run//x", "canonical"),
        ("~/x", "plain path"),
        ("/run/*.sock", "plain path"),
        ("/run/a\nb", "plain path"),
    ],
)
def test_sockets_are_plain_paths(path: str, words: str) -> None:
    """Anything but the canonical path of a socket is an error when the policy loads."""
    settings = PolicySettings(rules=(RuleSettings(rule="true", sockets=(path,)),), sandbox="required:landlock")

    with pytest.raises(PolicyError, match=words):
        compile_policy(settings, workflow="x", environment=os.environ)


def test_too_many_sockets_are_refused() -> None:
    """More sockets than a command is given are an error when the policy loads."""
    paths = tuple(f"/run/{number}" for number in range(17))
    settings = PolicySettings(rules=(RuleSettings(rule="true", sockets=paths),), sandbox="none")

    with pytest.raises(PolicyError, match="17 sockets; 16 are allowed"):
        compile_policy(settings, workflow="x", environment=os.environ)


@pytest.mark.parametrize(("mode", "count"), [("none", 0), ("required:landlock", 1)])
def test_what_is_no_socket_is_said_before_anything_runs(project: Project, mode: SandboxMode, count: int) -> None:
    """A file in the place of a socket is a problem of the rule, where a level keeps to it."""
    if mode != "none" and landlock.args[0]:
        pytest.skip(str(landlock.kwargs["reason"]))
    (project.root / "file").write_text("")
    rules = (RuleSettings(rule="true", sockets=("file", "missing")),)
    policy = compile_policy(PolicySettings(rules=rules, sandbox=mode), workflow="x", environment=os.environ)

    said = [*socket_problems(policy.rules[0], root=project.root, level=policy.level)]

    assert [text for text in said if "'file' is no socket" in text] == said
    assert len(said) == count


def test_sockets_are_open_without_confinement(project: Project, place: Place) -> None:
    """At level `none` nothing is held, this neither."""
    other = place.listen("other")

    result = project.run(f"{CONNECT}print(connect({other!r}))")

    assert result.stdout == "other\n"


@both
def test_agent_is_used_by_its_own_program(project: Project, place: Place, level: str) -> None:
    """A real client of an SSH agent reaches it with a rule that names its socket, and without does not."""
    if not (shutil.which("ssh-agent") and shutil.which("ssh-add")):
        pytest.skip("there is no SSH agent here")
    path = str(place.folder / "agent")
    with subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL) as agent:
        try:
            while not Path(path).exists():
                assert agent.poll() is None
            said = []
            for sockets in ((path,), ()):
                rule = RuleSettings(rule="ssh-add -l", sockets=sockets, env=("SSH_AUTH_SOCK",))
                runner = runner_of(project, rule, level=level)
                runner._environment = {**os.environ, "SSH_AUTH_SOCK": path}
                done = runner.run(["ssh-add", "-l"], step="build", attempt=1)
                said.append((done.exit, done.stdout.strip()))
        finally:
            agent.terminate()

    assert said[0] == (1, "The agent has no identities.")
    assert said[1][0] == 2
