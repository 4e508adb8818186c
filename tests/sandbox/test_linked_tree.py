"""Git in a linked working tree, whose repository lies outside the project: it is read there, by git alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.sandbox import CommandResult, CommandRunner, compile_policy
from pytest_workflow_exec.sandbox._level import Level, offer_of
from pytest_workflow_exec.sandbox._linked_tree import linked_tree
from pytest_workflow_exec.settings import PolicySettings, RuleSettings, SandboxMode

LEVELS: Sequence[Level] = [level for level in ("landlock", "namespaces") if offer_of(level).level == level]
MODES: Mapping[Level, SandboxMode] = {"landlock": "required:landlock", "namespaces": "required:namespaces"}
pytestmark = pytest.mark.skipif(not LEVELS, reason="no confinement here")
AS_GIT_WRITES = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", "PATH": "/usr/bin:/bin"}


def git(folder: Path, *words: str) -> None:
    """Let git do something, unconfined."""
    argv = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words]
    subprocess.run(argv, cwd=folder, env=AS_GIT_WRITES, check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A linked working tree of a repository that lies beside it, with another one."""
    main = tmp_path / "main"
    main.mkdir()
    git(main, "init", "-q", ".")
    (main / "seed").write_text("seed\n")
    git(main, "add", "seed")
    git(main, "commit", "-q", "-m", "First")
    (main / "secret").write_text("secret\n")
    (main / ".git/hooks/pre-commit").write_text("secret\n")
    git(main, "worktree", "add", "-q", str(tmp_path / "project"), "-b", "linked")
    git(main, "worktree", "add", "-q", str(tmp_path / "other"), "-b", "other")
    return tmp_path / "project"


def run(project: Path, level: Level, argv: Sequence[str], *, rights: Sequence[str] = ()) -> CommandResult:
    """Return what a command did that is confined in the project."""
    rule = RuleSettings(rule=f"{argv[0]} **" if argv[0] != "git" else " ".join(argv), exec=tuple(rights))
    settings = PolicySettings(rules=(rule,), path=("/usr/bin", "/bin"), sandbox=MODES[level])
    (project.parent / "scratch").mkdir(exist_ok=True)
    runner = CommandRunner(
        policy=compile_policy(settings, workflow="flow", environment=os.environ),
        root=project,
        scratch=project.parent / "scratch",
        inputs={},
        environment=os.environ,
        redactor=Redactor({}),
        record=lambda _: None,
    )
    return runner.run(argv, step="step", attempt=1)


@pytest.mark.parametrize("level", LEVELS)
def test_git_works_in_a_linked_tree(project: Path, level: Level) -> None:
    """It knows its state, its history and its branch."""
    (project / "new").write_text("new\n")

    state = run(project, level, ["git", "status", "--porcelain"])
    history = run(project, level, ["git", "log", "-1", "--format=%s", "linked"])
    branch = run(project, level, ["git", "rev-parse", "--abbrev-ref", "HEAD"])

    assert (state.exit, state.stdout) == (0, "?? new\n"), state.stderr
    assert (history.exit, history.stdout) == (0, "First\n"), history.stderr
    assert (branch.exit, branch.stdout) == (0, "linked\n"), branch.stderr


@pytest.mark.parametrize("level", LEVELS)
def test_git_changes_nothing_of_the_repository(project: Path, level: Level) -> None:
    """It is read, not written: neither its references nor its configuration nor its hooks."""
    config = project.parent / "main/.git/config"
    before = config.read_text()

    tag = run(project, level, ["git", "tag", "made"])
    setting = run(project, level, ["git", "config", "alias.x", "!touch"])

    assert tag.exit != 0
    assert setting.exit != 0
    assert config.read_text() == before
    assert not (project.parent / "main/.git/refs/tags/made").exists()


@pytest.mark.parametrize("level", LEVELS)
def test_what_git_needs_is_all_that_is_read(project: Path, level: Level) -> None:
    """No hooks, no other working tree, nothing beside the repository; and another program reads nothing of it at all."""
    repository = project.parent / "main/.git"
    closed = [repository / "hooks/pre-commit", repository / "worktrees/other/HEAD", repository.parent / "secret"]

    for path in closed:
        read = run(project, level, ["cat", str(path)], rights=["git"])
        assert (read.exit, read.stdout) == (1, ""), path
    assert run(project, level, ["cat", str(repository / "config")], rights=["git"]).exit == 0
    assert run(project, level, ["cat", str(repository / "config")]).exit == 1


@pytest.mark.parametrize("level", LEVELS)
def test_project_has_no_repository_by_saying_so(project: Path, level: Level) -> None:
    """A `.git` that leads to folders of its own, which lead to somebody's repository, opens nothing of that."""
    victim = project.parent / "victim"
    victim.mkdir()
    git(victim, "init", "-q", ".")
    made = project / "made/worktrees/x"
    made.mkdir(parents=True)
    (made / "commondir").write_text(f"{victim}/.git\n")
    (made / "gitdir").write_text(f"{project}/.git\n")
    (project / ".git").write_text(f"gitdir: {made}\n")

    read = run(project, level, ["cat", str(victim / ".git/config")], rights=["git"])

    assert (read.exit, read.stdout) == (1, "")


def test_links_of_both_sides_may_be_relative(project: Path) -> None:
    """Newer versions of git write them so."""
    expected = linked_tree(str(project))
    own = project.parent / "main/.git/worktrees/project"
    (project / ".git").write_text("gitdir: ../main/.git/worktrees/project\n")
    (own / "gitdir").write_text("../../../../project/.git\n")

    assert linked_tree(str(project)) == expected
    assert expected[0] == os.path.realpath(own)


@pytest.mark.parametrize("said", ["", "gitdir: \n", "gitdir: /etc\n", "gitdir: x\nmore\n", "/etc\n", "gitdir: \0\n"])
def test_link_that_is_none_leads_nowhere(project: Path, said: str) -> None:
    """Nothing is read by it."""
    (project / ".git").write_text(said)

    assert linked_tree(str(project)) == ()
