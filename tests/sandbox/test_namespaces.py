"""Level `namespaces`: what a command does not see and can't change, as the tests' user and as one without privilege."""

from __future__ import annotations

import atexit
import functools
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.errors import PolicyError, SandboxSetupError
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox import CommandRunner, compile_policy
from pytest_workflow_exec.sandbox._level import Level, Offer, level_for, offer_of, try_level
from pytest_workflow_exec.settings import PolicySettings, RuleSettings

from ._attempts import ALLOWED, ATTEMPTS, project_in, run
from .conftest import Project

OFFER = offer_of("namespaces")
namespaces = pytest.mark.skipif(OFFER.level != "namespaces", reason=OFFER.reason or "confined")

ROOT = Path(__file__).parents[2]
NOBODY = 65534
USERS = [
    "own",
    pytest.param("nobody", marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")),
]


@functools.cache
def python_of(user: str) -> str:
    """Return an interpreter that a user can start."""
    if user == "own":
        return sys.executable
    for path in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            code = "import sys; raise SystemExit(sys.version_info < (3, 10))"
            subprocess.run([path, "-c", code], user=NOBODY, group=NOBODY, extra_groups=[], env={}, cwd="/", check=True)
        except (OSError, subprocess.CalledProcessError):
            continue
        return path
    pytest.skip("an unprivileged user can't start any interpreter here")


@functools.cache
def source_for(user: str) -> Path:
    """Return a folder with the package and its tests that a user can read: the checkout's own parents may be closed."""
    if user == "own":
        return ROOT
    copy = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, copy)
    copy.chmod(0o755)
    for name in ("pytest_workflow_exec", "tests"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def run_as(user: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Python with the package as a user."""
    python = python_of(user)
    environment = {"PYTHONPATH": str(source_for(user)), "PYTHONDONTWRITEBYTECODE": "1", "PATH": "/usr/bin:/bin"}
    other: dict[str, Any] = {} if user == "own" else {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return subprocess.run(
        [python, *arguments], env=environment, cwd="/", capture_output=True, text=True, check=False, **other
    )


@functools.cache
def found(user: str) -> dict[str, dict[str, Any]]:
    """Return what became of every attempt of a user."""
    with tempfile.TemporaryDirectory() as name:
        if user == "nobody":
            os.chown(name, NOBODY, NOBODY)
        done = run_as(user, "-m", "tests.sandbox._attempts", name)
    if done.returncode != 0:
        raise AssertionError(done.stderr)
    result: dict[str, dict[str, Any]] = json.loads(done.stdout)
    return result


@namespaces
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("name", ATTEMPTS)
def test_attempt_fails_and_leaves_nothing(name: str, user: str) -> None:
    """What works without confinement fails at level `namespaces`, and nothing is there afterwards that was not before."""
    attempt = found(user)["attempts"][name]

    assert attempt["free"], attempt
    assert not attempt["confined"], attempt
    assert attempt["left"] == []


@namespaces
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("name", ALLOWED)
def test_what_is_granted_works(name: str, user: str) -> None:
    """A command reads this run's outputs, writes where it may, and is who it was."""
    assert found(user)["allowed"][name] == {"works": True, "said": ""}


@namespaces
@pytest.mark.parametrize("user", USERS)
@pytest.mark.parametrize("level", ["landlock", "namespaces"])
def test_canary_is_held(user: str, level: str) -> None:
    """Each level is found by trying, also without any privilege."""
    code = f"from pytest_workflow_exec.sandbox._level import try_level; print(try_level(None, {level!r}))"

    done = run_as(user, "-c", code)

    assert done.stdout == f"Offer(level={level!r}, reason='')\n", done.stderr


@namespaces
def test_network_of_the_machine_is_there_with_a_grant(tmp_path: Path) -> None:
    """With `network` a command keeps the machine's network, and nothing else of it."""
    code = (
        "assert os.readlink('/proc/self/ns/net') == spaces['net'] and os.readlink('/proc/self/ns/pid') != spaces['pid']"
    )

    ended = run(code, *project_in(tmp_path), network=("*:443",))

    assert ended.exit == 0, ended.stderr.content


@namespaces
@pytest.mark.skipif(not Path("/dev/shm").is_dir(), reason="this machine has no shared memory as files")  # noqa: S108
def test_shared_memory_and_semaphores_are_the_commands_own(tmp_path: Path) -> None:
    """A pool of processes works; the machine sees nothing of it, and neither does the next command."""
    name = f"workflow-exec-{secrets.token_hex(8)}"
    seen = "assert not any(n.startswith('workflow-exec-') for n in os.listdir('/dev/shm'))\n"
    pool = "import multiprocessing as m\nm.Lock()\nwith m.get_context('fork').Pool(2) as p: assert p.map(abs, [-1]) == [1]\n"
    code = f"{seen}open('/dev/shm/{name}', 'x').write('x' * 5000)\n{pool}"
    shared = Path("/dev/shm", f"outside-{secrets.token_hex(8)}")  # noqa: S108
    shared.touch()
    try:
        folders = project_in(tmp_path)
        ended = [run(code, *folders), run(f"{code}open('{shared}', 'r')", *folders)]
    finally:
        shared.unlink()

    assert ended[0].exit == 0, ended[0].stderr.content
    assert ended[1].exit == 1
    assert b"No such file" in ended[1].stderr.content
    assert not Path("/dev/shm", name).exists()  # noqa: S108


@namespaces
@pytest.mark.parametrize(
    ("code", "made"),
    [
        ("open('test_new.py', 'w')", ("test_new.py",)),
        ("os.mkdir('sub'); open('sub/conftest.py', 'w')", ("sub/conftest.py",)),
        ("os.mkdir('sub'); os.symlink('x', 'sub/tox.ini')", ("sub/tox.ini",)),
        ("os.rename('wf', 'w2')", ("w2/site.workflow.yaml", "w2/test_it.py", "w2/workflow_site.py")),
        ("os.rename('.git', 'git2'); os.mkdir('.git'); open('.git/config', 'w')", (".git/config",)),
        ("open('wf/other.py', 'w')", ()),
    ],
)
def test_what_no_mount_can_keep_is_seen_afterwards(tmp_path: Path, code: str, made: tuple[str, ...]) -> None:
    """Protected names that a command makes where nothing could stand in their place are told of when it has ended."""
    ended = run(code, *project_in(tmp_path))

    assert (ended.exit, ended.trespasses) == (0, made), ended.stderr.content


@namespaces
def test_repository_alone_may_be_written_but_what_runs_programs(tmp_path: Path) -> None:
    """`write = [".git"]` opens the repository, and neither its configuration nor its hooks, nor the project."""
    code = (
        "open('.git/made', 'w')\nfor path in ('.git/config', '.git/hooks/x', '.git/config.worktree', 'seed'):\n"
        " try: open(path, 'a')\n except OSError: continue\n print(path)"
    )

    ended = run(code, *project_in(tmp_path), write=(".git",))

    assert (ended.exit, bytes(ended.stdout.content)) == (0, b""), ended.stderr.content
    assert (tmp_path / "project/.git/made").exists()
    assert not (tmp_path / "project/.git/config.worktree").exists()


def runner_of(project: Project, *, write: tuple[str, ...], network: tuple[str, ...] = ()) -> CommandRunner:
    """Return a runner at level `namespaces` for the project's tool."""
    settings = PolicySettings(
        rules=(RuleSettings(rule="tool", write=write, network=network),),
        path=(str(project.folder / "bin"), "/usr/bin", "/bin"),
        sandbox="required:namespaces",
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


@namespaces
@pytest.mark.parametrize("network", [(), ("*:443",)])
def test_level_and_namespaces_are_recorded(project: Project, network: tuple[str, ...]) -> None:
    """Each command's record says its level and which namespaces are its own."""
    project.tool("open('made', 'w').close(); print(os.getpid())")

    result = runner_of(project, write=(".",), network=network).run(["tool"], step="build", attempt=1)

    assert (result.stdout, result.level) == ("2\n", "namespaces"), result.stderr
    facts = project.facts("command.started")
    assert (facts["level"], "net" in facts["namespaces"]) == ("namespaces", not network)
    assert set(facts["namespaces"]) | {"net"} == {"ipc", "mount", "net", "pid", "user"}
    assert [path.name for path in project.root.iterdir()] == ["made"]


@namespaces
def test_trespass_fails_the_command(project: Project) -> None:
    """A command that made what is protected fails, and its record says what it made."""
    project.tool("open('test_new.py', 'w').close()")

    with pytest.raises(SandboxSetupError, match=r"tool made 'test_new\.py' where that is protected"):
        runner_of(project, write=(".",)).run(["tool"], step="build", attempt=1)

    assert "test_new.py" in str(project.facts("command.finished")["error"])


@namespaces
@pytest.mark.parametrize(
    ("write", "made", "words"),
    [
        (".workflow-exec", "", "protected"),
        (".git/hooks", "", "protected"),
        ("sub/conftest.py", "", "protected"),
        (".", "tox.ini -> seed", "a link with a protected name"),
        (".", "name = /etc/hostname", "second name"),
        ("sub", "sub -> .", "without following links"),
    ],
)
def test_folder_that_can_not_be_guarded_is_refused(project: Project, write: str, made: str, words: str) -> None:
    """What no mount can keep, and what lies in something protected, is refused; nothing runs."""
    name, how, aim = made.partition(" ") if made else ("", "", "")
    if aim.startswith("->"):
        (project.root / name).symlink_to(aim[3:])
    elif how:
        (project.root / "other").write_text("")
        (project.root / name).hardlink_to(project.root / "other")
    project.tool("open(os.environ['HOME'] + '/ran', 'w')")

    with pytest.raises(SandboxSetupError, match=words):
        runner_of(project, write=(write,)).run(["tool"], step="build", attempt=1)

    assert not (project.folder / "scratch/home/ran").exists()


@namespaces
def test_masks_go_also_when_the_engine_is_killed(tmp_path: Path) -> None:
    """What stands for missing paths while a command runs is removed even if the engine is not there any more."""
    root, outside = project_in(tmp_path / "p")
    code = (
        "from pathlib import Path; from tests.sandbox._attempts import run\n"
        f'run(\'open("begun", "w").close(); import time; time.sleep(1000)\', Path({str(root)!r}), Path({str(outside)!r}))'
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as process:
        while not (root / "begun").exists():
            assert process.poll() is None
            time.sleep(0.01)
        assert (root / "pytest.ini").is_dir()
        process.send_signal(signal.SIGKILL)

    kept = {".git", ".workflow-exec", "begun", "conftest.py", "seed", "wf", "workflow-exec.toml"}
    deadline = time.monotonic() + 20
    while (left := {path.name for path in root.iterdir()}) != kept and time.monotonic() < deadline:
        time.sleep(0.01)

    assert left == kept


@pytest.mark.parametrize("higher", ["none", "namespaces"])
def test_level_is_what_the_policy_asks_for(higher: Level) -> None:
    """`available` takes the highest level that there is, `required:landlock` just that one."""

    def offered(level: Level) -> Offer:
        return Offer(level=higher, reason="no") if level == "namespaces" else Offer(level="landlock")

    rules = (RuleSettings(rule="true"),)

    levels = [
        level_for(PolicySettings(rules=rules, sandbox=mode), offered)[0]
        for mode in ("available", "required:landlock", "none")
    ]

    assert levels == [higher if higher != "none" else "landlock", "landlock", "none"]


def test_unmet_requirement_is_refused_with_the_fix() -> None:
    """Where there are no namespaces, a policy that requires them is refused with the reason."""
    level, problem = level_for(
        PolicySettings(rules=(RuleSettings(rule="true"),), sandbox="required:namespaces"),
        lambda level: Offer(level="none", reason=f"{level}: not here"),
    )

    assert (level, problem) == (
        "none", "sandbox is 'required:namespaces', but commands can't be confined here: namespaces: not here",
    )  # fmt: skip


@namespaces
def test_machine_without_namespaces_is_told_so(tmp_path: Path) -> None:
    """Within a confined command, where the kernel refuses namespaces, the level is not offered, and the reason is said."""
    unshare = shutil.which("unshare")
    if unshare is None:
        pytest.skip("unshare is not installed")
    code = (
        "from pathlib import Path\nPath('/proc/sys/user/max_user_namespaces').write_text('0')\n"
        "from pytest_workflow_exec.sandbox._level import try_level\n"
        "print(try_level(None, 'namespaces'), try_level(None).level)"
    )

    done = subprocess.run(
        [unshare, "-Ur", sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stdout.startswith("Offer(level='none'"), done.stderr
    assert "namespaces for users without privilege" in done.stdout
    assert done.stdout.endswith("landlock\n")


def test_too_old_landlock_gives_no_namespaces() -> None:
    """Namespaces stand on Landlock: without it there is no such level."""
    assert try_level(2, "namespaces").level == "none"


def test_policy_that_can_not_be_met_is_no_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    """A required level that is not there is an error of the policy."""
    settings = PolicySettings(rules=(RuleSettings(rule="true"),), sandbox="required:namespaces")
    monkeypatch.setattr(
        "pytest_workflow_exec.sandbox._level.offer_of", lambda _: Offer(level="none", reason="not here")
    )

    with pytest.raises(PolicyError, match="not here"):
        compile_policy(settings, workflow="release", environment=os.environ)
