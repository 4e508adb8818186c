"""Level `landlock`: what a confined command can't do, with real programs that try."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.errors import SandboxSetupError
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox import CommandResult, CommandRunner, compile_policy
from pytest_workflow_exec.sandbox._confinement import Grant, confined
from pytest_workflow_exec.sandbox._environment import MARKER
from pytest_workflow_exec.sandbox._level import Level, Offer, level_for, offered_level, try_level
from pytest_workflow_exec.sandbox._process import Ended, RunningCommand
from pytest_workflow_exec.settings import PolicySettings, RuleSettings

from .conftest import Project

OFFER = offered_level()
landlock = pytest.mark.skipif(OFFER.level != "landlock", reason=OFFER.reason or "confined")

PYTHON = (sys.executable, "-I", "-S", "-c")
BY_PROGRAM = {
    "find-exec": ["/usr/bin/find", ".", "-maxdepth", "0", "-exec", "/bin/touch", "PWNED", ";"],
    "tar-compressor": ["/usr/bin/tar", "cf", "o.tar", "-I", "touch PWNED;", "seed"],
    "git-alias": ["/usr/bin/git", "-c", "alias.x=!touch PWNED", "x"],
    "xargs": ["/usr/bin/xargs", "-a", "seed", "/usr/bin/touch", "PWNED"],
    "timeout": ["/usr/bin/timeout", "5", "/usr/bin/touch", "PWNED"],
    "make-eval": ["/usr/bin/make", "--eval=x:;@touch PWNED", "x"],
    "awk-system": ["/usr/bin/awk", 'BEGIN { system("touch PWNED") }'],
    "python-system": [*PYTHON, "import os; os.system('touch PWNED')"],
    "python-memfd": [
        *PYTHON,
        (
            "import os; f = os.memfd_create('x'); os.write(f, open('/usr/bin/touch', 'rb').read()); "
            "os.execve(f, ['touch', 'PWNED'], {})"
        ),
    ],
    "python-loader": [
        *PYTHON,
        "import glob, os; os.execv(glob.glob('/lib*/ld-linux*.so*')[0], ['x', '/usr/bin/touch', 'PWNED'])",
    ],
    "python-descriptor": [
        *PYTHON,
        (
            "import os, resource\n"
            "try: resource.setrlimit(resource.RLIMIT_NOFILE, (2000, 2000)); "
            "os.dup2(os.open('/usr/bin/touch', os.O_RDONLY), 1024)\n"
            "except (OSError, ValueError): pass\n"
            "f = os.open('/usr/bin/touch', os.O_RDONLY); os.execve(f, ['touch', 'PWNED'], {})"
        ),
    ],
}
OUTSIDE = {
    "create": "open(out + '/PWNED', 'w')",
    "append": "open(out + '/kept', 'a').write('x')",
    "empty": "os.truncate(out + '/kept', 0)",
    "rename": "os.rename(out + '/kept', out + '/PWNED')",
    "delete": "os.unlink(out + '/kept')",
    "link": "os.link(out + '/kept', 'PWNED')",
    "folder": "os.mkdir(out + '/PWNED')",
    "through-a-link": "os.symlink(out, 'way'); open('way/PWNED', 'w')",
    "through-proc": "open('/proc/self/root' + out + '/PWNED', 'w')",
    "read": "open('PWNED', 'w').write(open(out + '/kept').read())",
}


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    """Return a folder to be granted, with something in it."""
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "seed").write_text("seed\n")
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """Return a folder that nothing is granted of."""
    folder = tmp_path / "outside"
    folder.mkdir()
    (folder / "kept").write_text("kept\n")
    return folder


def run(argv: list[str], inside: Path, *, free: bool = False, abi: int | None = None, **rights: Any) -> Ended:
    """Run a command that may write in `inside` and nothing more, or freely."""
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(inside), MARKER: secrets.token_hex(16)}
    if free:
        command = RunningCommand(argv, cwd=inside, environment=environment)
    else:
        grant = Grant(program=Path(argv[0]), root=inside, private=(inside,), **rights)
        with confined(grant, find=lambda name: Path("/usr/bin") / name, abi=abi) as confinement:
            command = RunningCommand(argv, cwd=inside, environment=environment, confinement=confinement)
    try:
        command.wait(20)
    finally:
        ended = command.end()
    assert not ended.timed_out
    return ended


@landlock
@pytest.mark.parametrize("argv", BY_PROGRAM.values(), ids=BY_PROGRAM)
def test_no_second_program_is_started(inside: Path, argv: list[str]) -> None:
    """Whatever its arguments make it try, a command without `exec` starts no other program."""
    if not Path(argv[0]).exists():
        pytest.skip(f"{argv[0]} is not installed")
    run(argv, inside, free=True)
    if not list(inside.glob("*PWNED*")):
        pytest.skip("without confinement this does not work here either")
    for path in inside.glob("*PWNED*"):
        path.unlink()

    run(argv, inside)

    assert list(inside.glob("*PWNED*")) == []


@landlock
@pytest.mark.parametrize("abi", [None, 3, 5])
@pytest.mark.parametrize("code", OUTSIDE.values(), ids=OUTSIDE)
def test_nothing_outside_is_touched_or_read(inside: Path, outside: Path, code: str, abi: int | None) -> None:
    """A command neither writes, renames, deletes nor reads what nothing grants, with old and new kernels."""
    result = run([*PYTHON, f"import os; out = {str(outside)!r}; {code}"], inside, abi=abi)

    assert result.exit == 1
    assert b"Error" in result.stderr.content
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert (outside / "kept").read_text() == "kept\n"
    assert not (inside / "PWNED").exists() or (inside / "PWNED").read_text() == ""


@landlock
@pytest.mark.parametrize("code", OUTSIDE.values(), ids=OUTSIDE)
def test_the_same_works_without_confinement(inside: Path, outside: Path, code: str) -> None:
    """What confinement keeps from a command is what it could do without."""
    assert run([*PYTHON, f"import os; out = {str(outside)!r}; {code}"], inside, free=True).exit == 0


@landlock
@pytest.mark.parametrize("abi", [None, 3, 5])
@pytest.mark.parametrize(
    "code",
    [
        "os.kill(engine, 0)",
        "os.kill(os.getppid(), 9)",
        "signal.pidfd_send_signal(os.pidfd_open(engine), 0)",
        "assert open(f'/proc/{engine}/environ', 'rb').read(1)",
        "open(f'/proc/{engine}/mem', 'rb')",
        "os.readlink(f'/proc/{engine}/cwd')",
        "resource.prlimit(engine, resource.RLIMIT_FSIZE, (0, 0))",
        "os.open('/dev/tty', os.O_RDWR)",
        "socket.socket(socket.AF_UNIX)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "socket.create_connection(('127.0.0.1', port), 1)",
        "os.unshare(0x10000000) if hasattr(os, 'unshare') else os.open('/none', 0)",
    ],
)
def test_engine_and_network_are_out_of_reach(inside: Path, code: str, abi: int | None) -> None:
    """A command neither signals nor reads the engine, and has no network, terminal or namespace."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        head = f"import os, resource, signal, socket; engine, port = {os.getpid()}, {listener.getsockname()[1]}\n"

        result = run([*PYTHON, head + code], inside, abi=abi)

    assert result.exit == 1
    assert b"Error" in result.stderr.content


@landlock
def test_granted_port_alone_is_reached(inside: Path) -> None:
    """`network` opens the ports that it names, and no others."""
    code = (
        "import socket, sys\nsocket.create_connection(('127.0.0.1', int(sys.argv[1])), 5)\n"
        "try: socket.create_connection(('127.0.0.1', int(sys.argv[2])), 5)\nexcept PermissionError: print('refused')"
    )
    with socket.socket() as granted, socket.socket() as other:
        for listener in (granted, other):
            listener.bind(("127.0.0.1", 0))
            listener.listen()
        ports = [str(listener.getsockname()[1]) for listener in (granted, other)]

        result = run([*PYTHON, code, *ports], inside, network=(f"*:{ports[0]}",))

    assert (result.exit, bytes(result.stdout.content)) == (0, b"refused\n"), result.stderr.content


@landlock
def test_listed_program_alone_is_started(inside: Path) -> None:
    """`exec` opens the programs that it names, and no others."""
    code = (
        "import os, subprocess\nsubprocess.run(['/usr/bin/touch', 'made'], check=True)\n"
        "try: subprocess.run(['/usr/bin/mkdir', 'PWNED'])\nexcept PermissionError: print('refused')"
    )

    result = run([*PYTHON, code], inside, exec=("touch",))

    assert (result.exit, bytes(result.stdout.content)) == (0, b"refused\n"), result.stderr.content
    assert (inside / "made").exists()
    assert not (inside / "PWNED").exists()


@landlock
def test_descriptors_and_session_are_its_own(inside: Path) -> None:
    """A command has the three streams and no other descriptor, an own session, and no signal ignored."""
    code = "import os; print(sorted(map(int, os.listdir('/proc/self/fd')))[:-1], os.getsid(0) == os.getpid())"

    result = run([*PYTHON, code], inside)

    assert bytes(result.stdout.content) == b"[0, 1, 2] True\n", result.stderr.content


def test_too_old_landlock_is_refused_with_the_fix() -> None:
    """Where Landlock can't keep a file from being emptied, nothing is called confined."""
    offer = try_level(2)

    assert offer.level == "none"
    assert "6.2" in offer.reason or "no kernel confinement" in offer.reason
    assert 'sandbox = "available"' in offer.reason


@pytest.mark.parametrize(("mode", "refused"), [("required:landlock", True), ("available", False)])
def test_unmet_requirement_is_refused(mode: str, refused: bool) -> None:
    """Below the required level a policy is refused with the reason; `available` goes on without."""
    settings = PolicySettings(rules=(RuleSettings(rule="true"),), sandbox=mode)  # type: ignore[arg-type]

    level, problem = level_for(settings, lambda _: Offer(level="none", reason="there is no Landlock"))

    assert level == "none"
    assert ("there is no Landlock" in problem) is refused


def test_nothing_is_tried_without_rules() -> None:
    """A policy that allows no command starts no canary."""

    def never(_: Level) -> Offer:
        raise AssertionError

    assert level_for(PolicySettings(sandbox="required:landlock"), never) == ("none", "")


def confined_runner(project: Project, rule: RuleSettings) -> CommandRunner:
    """Return a runner for one rule at level `landlock`."""
    settings = PolicySettings(
        rules=(rule,), path=(str(project.folder / "bin"), "/usr/bin", "/bin"), sandbox="required:landlock"
    )
    return CommandRunner(
        policy=compile_policy(settings, workflow="release", environment=os.environ),
        root=project.root,
        scratch=project.folder / "scratch",
        inputs={},
        environment=os.environ,
        redactor=Redactor({}),
        record=project.events.append,
    )


def run_tool(project: Project, body: str, **rights: Any) -> CommandResult:
    """Run a script of the project's path, confined, with these rights."""
    project.tool(body)
    return confined_runner(project, RuleSettings(rule="tool", **rights)).run(["tool"], step="build", attempt=1)


@landlock
def test_script_writes_where_its_rule_says(project: Project) -> None:
    """A granted folder is made and writable, private folders are, the project is only readable; the level is kept."""
    (project.root / "seen").write_text("seen")

    result = run_tool(
        project,
        "open('dist/out', 'w').write(open('seen').read()); open(os.environ['HOME'] + '/x', 'w')\n"
        "try: open('seen', 'w')\nexcept PermissionError: print('refused', os.path.basename(sys.argv[0]))",
        write=("dist",),
    )

    assert (result.exit, result.stdout, result.level) == (0, "refused tool\n", "landlock"), result.stderr
    assert (project.root / "dist/out").read_text() == "seen"
    assert project.facts("command.started")["level"] == "landlock"


@landlock
@pytest.mark.parametrize(
    ("write", "made", "words"),
    [
        (".", "", "whole project"),
        (".workflow-exec/runs", "", "protected"),
        (".git", "", "protected"),
        ("sub", "sub/conftest.py", "sub/conftest.py"),
        ("sub", "sub/deep/workflow_site.py", "workflow_site.py"),
        ("sub", "sub/.git", "sub/.git"),
        ("sub", "sub -> /tmp", "without following links"),
        ("sub", "sub/name = ../other", "second name"),
        ("sub", "sub", "can't be opened"),
    ],
)
def test_folder_that_holds_too_much_is_not_granted(project: Project, write: str, made: str, words: str) -> None:
    """A writable folder that holds something protected, a link or a second name is refused, and nothing runs."""
    path = project.root / made.split(" ", maxsplit=1)[0]
    path.parent.mkdir(parents=True, exist_ok=True)
    if " -> " in made:
        path.symlink_to("/tmp")  # noqa: S108  # a link's aim
    elif " = " in made:
        (project.root / "other").write_text("")
        path.hardlink_to(project.root / "other")
    elif made:
        path.write_text("")

    with pytest.raises(SandboxSetupError, match=words):
        run_tool(project, "open(os.environ['HOME'] + '/ran', 'w')", write=(write,))

    assert not (project.folder / "scratch/home/ran").exists()
    assert words in str(project.facts("command.finished")["error"])


@landlock
@pytest.mark.parametrize("wiped", [False, True])
def test_detached_processes_end_with_the_command(project: Project, alive: Callable[[int], bool], wiped: bool) -> None:
    """A daemon of a confined command is ended and counted, also one that kept nothing of its environment."""
    again = "os.execve(sys.executable, ['python', '-ISc', 'import time; time.sleep(1000)'], {})" if wiped else ""
    body = (
        "if os.fork() == 0:\n os.setsid()\n if os.fork() == 0:\n"
        "  open('out/pids', 'w').write(f'{os.getpid()}\\n'); os.close(1); os.close(2)\n"
        f"  {again or 'pass'}\n  time.sleep(1000)\n os._exit(0)\n"
        "os.wait()\nwhile not os.path.exists('out/pids') or not open('out/pids').read(): time.sleep(0.005)\n"
    )

    result = run_tool(project, body, write=("out",), exec=("any",))

    assert result.exit == 0, result.stderr
    [pid] = [int(line) for line in (project.root / "out/pids").read_text().split()]
    assert not alive(pid)
    assert project.facts("command.finished")["swept"] == 1


@landlock
def test_command_dies_with_the_engine(tmp_path: Path, inside: Path, alive: Callable[[int], bool]) -> None:
    """If the engine is killed, a running confined command and its daemons are ended."""
    code = (
        "import os, time\nif os.fork() == 0:\n os.setsid()\n if os.fork(): os._exit(0)\n"
        "open(f'pid-{os.getpid()}', 'w').close()\ntime.sleep(1000)"
    )
    engine = tmp_path / "engine.py"
    engine.write_text(
        "import json, sys\nfrom pathlib import Path\n"
        "from tests.sandbox.test_confinement import run\nrun(json.loads(sys.argv[1]), Path(sys.argv[2]))\n"
    )
    argv = [sys.executable, str(engine), json.dumps([*PYTHON, code]), str(inside)]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(argv, env=environment) as process:  # our own code
        while len(list(inside.glob("pid-*"))) < 2:
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    pids = [int(path.name.removeprefix("pid-")) for path in inside.glob("pid-*")]

    deadline = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.01)

    assert [pid for pid in pids if alive(pid)] == []


@landlock
def test_signal_and_exit_status_are_the_commands_own(inside: Path) -> None:
    """How a confined command ended is told as it was."""
    ends = [run([*PYTHON, code], inside) for code in ("raise SystemExit(7)", "import os; os.kill(os.getpid(), 15)")]

    assert [(ended.exit, ended.signal) for ended in ends] == [(7, None), (None, 15)]


@landlock
def test_nothing_is_left_open_at_the_end() -> None:
    """A process that started confined commands ends without a word, and so does what started them for it."""
    script = (
        "import subprocess\n"
        "from pytest_workflow_exec.sandbox import _level, _spawner\n"
        "print(_level.try_level(None).level, _spawner._free[0].pid)\n"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", script], capture_output=True, text=True, check=False
    )

    level, pid = done.stdout.split()
    assert (done.returncode, done.stderr, level) == (0, "", "landlock")
    assert not Path(f"/proc/{pid}").exists()
