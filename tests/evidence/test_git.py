"""Git and the evidence: it is neither shown, nor added, nor cleaned away."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.evidence import STATE_DIRECTORY, create_run_directory, new_run_id, read_log, state_directory

from ._logs import new_log, note, passed_run, written

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git")


def git(root: Path, *arguments: str) -> str:
    """Return what git prints; it must not fail."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_SYSTEM": os.devnull,
    }
    words = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    return subprocess.run(words, cwd=root, env=environment, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    root = tmp_path / "project"
    root.mkdir()
    git(root, "init", "-q")
    (root / "file").write_text("text")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "first")
    return root


def _shown_and_added(root: Path) -> list[str]:
    before = git(root, "ls-files", "--stage")
    shown = [git(root, "status", "--porcelain", f"--untracked-files={mode}") for mode in ("normal", "all")]
    git(root, "add", "-A")
    return [*shown, git(root, "ls-files", "--stage").replace(before, "")]


def test_git_never_shows_or_adds_evidence(repository: Path) -> None:
    """Status is clean and `git add -A` adds nothing: no file, no repository within."""
    log = written(repository, passed_run())

    assert _shown_and_added(repository) == ["", "", ""]
    assert log.exists()


@pytest.mark.parametrize("how", ["-dfx", "-dfX", "-df"])
def test_evidence_outlives_git_clean(repository: Path, how: str) -> None:
    """Cleaning leaves the log, its long texts and the locks; afterwards git still shows and adds nothing."""
    log = written(repository, [note(text="t" * 10_000)])
    lock = state_directory(repository) / "flow.lock"
    lock.touch()
    (repository / "made").mkdir()
    (repository / "made" / "file").touch()

    git(repository, "clean", how)

    assert (repository / "made").exists() == (how == "-dfX")
    shutil.rmtree(repository / "made", ignore_errors=True)
    assert [record.data for record in read_log(log)] == [{"text": "t" * 10_000}]
    assert lock.exists()
    assert _shown_and_added(repository) == ["", "", ""]


def test_a_run_under_way_outlives_git_clean(repository: Path) -> None:
    """Cleaning in the middle of a run does not end it."""
    log = new_log(repository)
    log.append(note())
    log.barrier()

    git(repository, "clean", "-dfx")
    log.append(note())
    log.barrier()

    assert len(list(read_log(log.path))) == 2


def test_a_worktree_and_a_folder_within_a_repository_are_left_alone_too(repository: Path, tmp_path: Path) -> None:
    """The repository may be found further up, or be named by a file."""
    tree = tmp_path / "tree"
    git(repository, "worktree", "add", "-q", str(tree))
    below = repository / "below"
    below.mkdir()

    logs = [written(tree, passed_run()), written(below, passed_run())]
    for root in (tree, repository):
        git(root, "clean", "-dfx")
        assert _shown_and_added(root) == ["", "", ""]

    assert all(log.exists() for log in logs)


def test_the_line_that_excludes_is_added_once_and_only_where_it_is_missing(repository: Path) -> None:
    """What the user excludes stays as it is, also without a last newline; no run adds a second line."""
    exclude = repository / ".git" / "info" / "exclude"
    exclude.write_text("*.o")

    for _ in range(2):
        new_log(repository).close()

    assert exclude.read_text() == "*.o\n.workflow-exec/\n"
    exclude.write_text("/.workflow-exec\n")
    new_log(repository).close()
    assert exclude.read_text() == "/.workflow-exec\n"


@pytest.mark.parametrize("kind", ["no text", "link", "folder", "broken worktree"])
def test_a_repository_that_takes_no_line_stops_no_run(repository: Path, kind: str) -> None:
    """Excluding is a convenience: where it can't be done, the run's own folder is made all the same."""
    exclude = repository / ".git" / "info" / "exclude"
    exclude.unlink()
    if kind == "no text":
        exclude.write_bytes(b"\xff\xfe")
    elif kind == "link":
        exclude.symlink_to(repository / "file")
    elif kind == "folder":
        exclude.mkdir()
    else:
        (repository / "below").mkdir()
        (repository / "below" / ".git").write_text("gitdir: nowhere\n")

    log = written(repository / "below" if kind == "broken worktree" else repository, passed_run())

    assert log.exists()
    assert (repository / "file").read_text() == "text"


def test_without_a_repository_around_it_there_is_none_within(tmp_path: Path) -> None:
    """A project that becomes a repository later is not one that git refuses to add."""
    log = written(tmp_path, passed_run())
    assert not (tmp_path / STATE_DIRECTORY / ".git").exists()

    git(tmp_path, "init", "-q")

    assert git(tmp_path, "status", "--porcelain") == ""
    new_log(tmp_path).close()
    git(tmp_path, "clean", "-dfx")
    assert log.exists()


def test_what_stands_in_for_the_inner_repository_is_refused(repository: Path, tmp_path: Path) -> None:
    """A link in its place is not written through."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (repository / STATE_DIRECTORY).mkdir()
    (repository / STATE_DIRECTORY / ".git").symlink_to(elsewhere)

    with pytest.raises(EvidenceError, match="is a symbolic link"):
        create_run_directory(repository, new_run_id())

    assert list(elsewhere.iterdir()) == []
