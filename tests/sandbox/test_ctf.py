"""Capture the flag: what an attacker tried who knew the documentation and a policy, as tests. See docs/ctf.md."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.errors import CommandRefusedError, SandboxSetupError
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox import CommandResult, CommandRunner, compile_policy
from pytest_workflow_exec.sandbox._level import offer_of
from pytest_workflow_exec.sandbox._loaded_from import held_in, holding, loaded_from
from pytest_workflow_exec.sandbox._surroundings import PLAIN, Surroundings
from pytest_workflow_exec.settings import PolicySettings, RuleSettings

from .conftest import Project

LEVELS = {
    level: pytest.mark.skipif(offer_of(level).level != level, reason=level) for level in ("landlock", "namespaces")
}
both = pytest.mark.parametrize("level", [pytest.param(level, marks=mark) for level, mark in LEVELS.items()])
namespaces = LEVELS["namespaces"]


def attack(
    project: Project,
    body: str,
    *,
    level: str,
    path: Path | None = None,
    surroundings: Surroundings = PLAIN,
    **rights: Any,
) -> CommandResult:
    """Run a script that the policy allows, with these rights."""
    project.tool(body)
    return runner_of(project, RuleSettings(rule="tool", **rights), level=level, path=path).run(
        ["tool"], step="build", attempt=1, surroundings=surroundings
    )


def tried(project: Project, body: str, **rest: Any) -> tuple[int | None, str]:
    """Return how such a script ended and what it said; None and the reason, if it could not or failed for what it did."""
    try:
        done = attack(project, body, **rest)
    except SandboxSetupError as error:
        return None, str(error)
    return done.exit, done.stderr


def runner_of(project: Project, rule: RuleSettings, *, level: str, path: Path | None = None) -> CommandRunner:
    """Return a runner for one rule."""
    settings = PolicySettings(
        rules=(rule,),
        path=(str(project.folder / "bin"), *([str(path)] if path else []), "/usr/bin", "/bin"),
        sandbox=f"required:{level}",  # type: ignore[arg-type]  # one of the policy's
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


@both
def test_configuration_at_home_is_not_left_for_later_steps(project: Project, level: str) -> None:
    """A command can't leave a later one, which has a secret, a place to send it to."""
    plant = (
        "h = os.environ['HOME']; [open(f'{h}/{n}', 'w').write('x') for n in ('.pypirc', '.netrc', '.curlrc', '.npmrc')]"
    )
    look = "print(os.listdir(os.environ['HOME']), os.listdir(os.environ['TMPDIR']))"

    attack(project, plant, level=level)
    later = attack(project, look, level=level)

    assert later.stdout == "[] []\n", later.stderr


@both
@pytest.mark.parametrize("write", ["tools", "tools/deep", "."])
def test_programs_are_not_replaced(project: Project, level: str, write: str) -> None:
    """A folder that programs are found in is not writable, whatever a rule says."""
    tools = project.root / "tools"
    tools.mkdir()
    (tools / "publish").write_text("#!/bin/sh\n")

    exit_status, said = tried(
        project, "open('tools/publish', 'w').write('evil')", level=level, path=tools, write=(write,)
    )

    if (level, write) == ("namespaces", "."):
        assert exit_status == 1
        assert "Read-only" in said
    else:
        assert exit_status is None
        assert "programs are loaded from" in said or "whole project" in said
    assert (tools / "publish").read_text() == "#!/bin/sh\n"
    assert not (tools / "deep").exists()


@namespaces
def test_folder_of_programs_is_not_moved_away(project: Project) -> None:
    """Another folder in the place of the one that programs are found in fails the command."""
    tools = project.root / "sub/tools"
    tools.mkdir(parents=True)
    body = "os.rename('sub', 'gone'); os.makedirs('sub/tools'); open('sub/tools/publish', 'w')"

    with pytest.raises(SandboxSetupError, match="sub/tools"):
        attack(project, body, level="namespaces", path=tools, write=(".",))


def test_interpreter_and_packages_are_loaded_from() -> None:
    """The interpreter's environment, its packages and this package count as what code is loaded from."""
    places = loaded_from([Path("/opt/tools")])

    assert holding("/opt/tools/x", places) == "/opt/tools"
    assert holding(str(Path(sys.executable).parent), places)
    assert holding(str(Path(pytest.__file__).parents[1]), places)
    assert holding(str(Path(__file__).parents[2] / "pytest_workflow_exec/sandbox"), places)
    assert holding("/srv/project/dist", places) is None
    assert "tools" in held_in("/opt", places)


@namespaces
@pytest.mark.parametrize(
    "name", ["conftest.cpython-311-pytest-8.4.1.pyc", "workflow_site.cpython-313.pyc", "test_it.pyc"]
)
def test_compiled_code_is_not_put_in_place_of_protected_source(project: Project, name: str) -> None:
    """Python takes a compiled file for a source that nobody may change: it is as protected, there or not."""
    (project.root / "conftest.py").write_text("")
    made = f"os.makedirs('__pycache__', exist_ok=True); open('__pycache__/{name}', 'w').write('evil')"

    with pytest.raises(SandboxSetupError, match=r"__pycache__.*protected"):
        attack(project, made, level="namespaces", write=(".",))
    done = attack(project, made, level="namespaces", write=(".",))

    assert done.exit == 1
    assert "Read-only" in done.stderr


@both
@pytest.mark.parametrize("name", ["conftest.py", "deep/test_x.py", ".git/config", "x.workflow.yaml", "workflow_x.py"])
def test_new_protected_file_fails_the_command(project: Project, level: str, name: str) -> None:
    """What pytest or git would run later is not made unseen in a writable folder."""
    body = f"os.makedirs(os.path.dirname('out/{name}'), exist_ok=True); open('out/{name}', 'w')"

    exit_status, said = tried(project, body, level=level, write=("out",))

    if exit_status is None:
        assert f"out/{name.split('/', maxsplit=1)[0]}" in said
        assert "protected" in str(project.facts("command.finished")["error"])
    else:
        # The kernel kept it from being made.
        assert (level, exit_status) == ("namespaces", 1), said
        assert not (project.root / "out" / name).is_file()


COMMON = "open('.git/commondir', 'w').write('evil'); os.makedirs('.git/evil/hooks'); os.makedirs('.git/evil/refs')"


def repository(root: Path) -> None:
    """Make a repository with one commit."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for words in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *words], cwd=root, check=True)


@namespaces
def test_repository_is_not_led_astray(project: Project) -> None:
    """A file in `.git` that sends git to other configuration and hooks fails the command, as that does run programs."""
    repository(project.root)
    config = "[core]\\n fsmonitor = touch PWNED; false\\n"
    evil = (
        f"{COMMON}; open('.git/evil/config', 'w').write('{config}'); os.symlink('../objects', '.git/evil/objects')\n"
        "os.symlink('../../refs/heads', '.git/evil/refs/heads')"
    )

    with pytest.raises(SandboxSetupError, match="commondir"):
        attack(project, evil, level="namespaces", write=(".git",))

    # It is no matter of form: whoever looks at the repository now runs the program.
    subprocess.run(["git", "status"], cwd=project.root, capture_output=True, check=False)
    assert (project.root / "PWNED").exists()


@namespaces
def test_linked_working_trees_can_be_pruned(project: Project) -> None:
    """The file by which a linked working tree finds its repository is no such thing, unless it leads elsewhere."""
    repository(project.root)
    tree = project.folder / "tree"
    subprocess.run(["git", "worktree", "add", "-q", "--detach", str(tree)], cwd=project.root, check=True)
    lead = "open('.git/worktrees/tree/commondir', 'w').write('../../evil')"

    with pytest.raises(SandboxSetupError, match="commondir"):
        attack(project, lead, level="namespaces", write=(".git",))
    (project.root / ".git/worktrees/tree/commondir").write_text("../..\n")
    (tree / ".git").unlink()
    rule = RuleSettings(rule="git worktree prune", write=(".git",))
    done = runner_of(project, rule, level="namespaces").run(["git", "worktree", "prune"], step="build", attempt=1)

    assert (done.exit, done.stderr) == (0, "")
    assert not (project.root / ".git/worktrees").exists()


@both
@pytest.mark.parametrize("where", ["out", "{os.environ['HOME']}"])
def test_folders_without_end_are_an_error_with_words(project: Project, level: str, where: str) -> None:
    """Folders deeper than anybody can look through are refused, or left lying, and never a traceback of ours."""
    body = f"os.chdir(f\"{where}\")\nfor _ in range(3000):\n  os.mkdir('d'); os.chdir('d')"

    try:
        if where == "out":
            with pytest.raises(SandboxSetupError, match="too deep"):
                attack(project, body, level=level, write=("out",))
        else:
            assert attack(project, body, level=level).exit == 0
    finally:
        subprocess.run(["/bin/rm", "-rf", project.root / "out", project.folder / "scratch"], check=True)


@both
@pytest.mark.parametrize(
    "name", ["TWINE_REPOSITORY_URL", "https_proxy", "PIP_INDEX_URL", "GOPROXY", "REQUESTS_CA_BUNDLE"]
)
def test_workflow_does_not_say_where_a_secret_goes(project: Project, level: str, name: str) -> None:
    """Where a command fetches from or sends to is set by a step only if the command's rule names the variable."""
    given = Surroundings(env={name: "https://evil.example"})
    body = f"open(os.environ['HOME'] + '/ran', 'w'); print(os.environ[{name!r}])"

    with pytest.raises(CommandRefusedError, match=f"sets {name}"):
        attack(project, body, level=level, surroundings=given)

    assert project.kinds() == ["command.refused"]
    assert list((project.folder / "scratch").iterdir()) == []
    assert attack(project, body, level=level, surroundings=given, env=(name,)).stdout == "https://evil.example\n"


@both
def test_link_does_not_widen_what_is_read(project: Project, level: str) -> None:
    """A link that an earlier command left in the place of a readable folder opens nothing outside."""
    (project.folder / "secret").mkdir()
    (project.folder / "secret/key").write_text("TOP")
    attack(project, f"os.symlink({str(project.folder / 'secret')!r}, 'out/in')", level=level, write=("out",))
    project.events.clear()

    with pytest.raises(SandboxSetupError, match="leads out of the project"):
        attack(project, "print(open('out/in/key').read())", level=level, read=("out/in",))

    assert "TOP" not in project.everything()


OTHER_NAMES = {
    "through its own root": "open(f'/proc/self/root{out}/new', 'w')",
    "through its own folder": "open(f'/proc/self/cwd/..{out.removeprefix(base)}/new', 'w')",
    "through a link": "os.symlink(out, 'made/link'); open('made/link/new', 'w')",
    "by a second name": "os.link(f'{out}/kept', 'made/kept'); open('made/kept', 'w')",
    "by moving it in": "os.rename(f'{out}/kept', 'made/kept')",
    "by moving something out": "open('made/new', 'w').close(); os.rename('made/new', f'{out}/new')",
    "without opening for writing": "os.close(os.open(f'{out}/kept', os.O_RDONLY | os.O_TRUNC))",
    "by its length": "os.truncate(f'{out}/kept', 0)",
}


@both
@pytest.mark.parametrize("code", OTHER_NAMES.values(), ids=OTHER_NAMES)
def test_nothing_outside_is_written_by_another_name(project: Project, level: str, code: str) -> None:
    """What works for anybody fails for a command, and leaves everything as it was."""
    outside = project.folder / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    body = f"out, base = {str(outside)!r}, {str(project.folder)!r}\n{code}"

    exit_status, said = tried(project, body, level=level, write=("made",))

    assert exit_status == 1, said
    assert "Error" in said
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"kept": "kept"}
    for path in (project.root / "made").iterdir():
        path.unlink()
    free = subprocess.run([sys.executable, "-c", f"import os\n{body}"], cwd=project.root, check=False)
    assert free.returncode == 0


START_STDIN = """
import stat
def start(path):
    pid = os.fork()
    if pid == 0:
        try:
            os.execv(path, ['true'])
        finally:
            os._exit(9)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
assert start('/usr/bin/true') == 0
try:
    os.fchmod(0, 0o755)
except OSError:
    pass
try:
    os.ftruncate(0, 0)
    os.pwrite(0, open('/usr/bin/true', 'rb').read(), 0)
except OSError:
    pass
try:
    again = os.open('/proc/self/fd/0', os.O_RDONLY)
except PermissionError:
    # A file that has a place is not opened by another name.
    again = os.dup(0)
os.set_inheritable(again, True)
os.dup2(os.open('/dev/null', os.O_RDONLY), 0)
print(start(f'/proc/self/fd/{again}'))
"""


@both
@pytest.mark.parametrize("sealing", [True, False], ids=["sealed", "as before Linux 6.3"])
def test_standard_input_is_no_program(
    project: Project, level: str, sealing: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that may start one other program writes another one into its input, and can't start that."""
    if not sealing:
        refused = OSError(22, "no such flag")

        def refuse(*_: object) -> int:
            raise refused

        monkeypatch.setattr(os, "memfd_create", refuse)

    done = attack(
        project, START_STDIN, level=level, exec=("true",), surroundings=Surroundings(stdin="x")
    )  # fmt: skip

    assert done.stdout == "9\n", done.stderr


@both
@pytest.mark.parametrize("kind", ["SOCK_STREAM", "SOCK_SEQPACKET"])
@pytest.mark.parametrize("call", ["bind('\\0workflow-exec-test')", "bind('made')", "connect('made')", "listen()"])
def test_pair_of_sockets_gets_no_name(project: Project, level: str, kind: str, call: str) -> None:
    """A name would be the machine's: one that a service listens at could be taken from it."""
    code = f"import socket\nos.chdir(os.environ['TMPDIR'])\nsocket.socketpair(socket.AF_UNIX, socket.{kind})[0].{call}"

    done = attack(project, code, level=level)

    assert done.exit == 1
    assert "PermissionError" in done.stderr
