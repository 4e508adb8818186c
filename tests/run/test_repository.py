"""The state of the working tree: told from the files, not from what git remembers of them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.run._repository import NO_REPOSITORY, repository_of


def git(root: Path, *arguments: str) -> None:
    """Run git."""
    identity = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "protocol.file.allow=always"]
    subprocess.run(["git", *identity, *arguments], cwd=root, check=True, capture_output=True)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository with two files, a link, a program and an ignored folder, all committed and clean."""
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    git(root, "init", "-q")
    (root / "a.txt").write_text("a")
    (root / "sub/b.txt").write_text("b")
    (root / "link").symlink_to("a.txt")
    (root / "tool").write_text("#!/bin/sh")
    (root / "tool").chmod(0o755)
    (root / ".gitignore").write_text("build/\n")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "all")
    (root / "build").mkdir()
    (root / "build/out").write_text("made")
    return root


def test_clean_tree(tree: Path) -> None:
    """What equals the commit is clean, also seen from a folder below, and what .gitignore names does not count."""
    state = repository_of(tree / "sub")

    assert (state.dirty, len(state.commit or "")) == (False, 40)
    assert state == repository_of(tree)


def hidden_by_skip_worktree(tree: Path) -> None:
    """Edit a file that git is told not to look at."""
    git(tree, "update-index", "--skip-worktree", "a.txt")
    (tree / "a.txt").write_text("A")


def hidden_by_assume_unchanged(tree: Path) -> None:
    """Edit a file that git is told to believe unchanged."""
    git(tree, "update-index", "--assume-unchanged", "sub/b.txt")
    (tree / "sub/b.txt").write_text("B")


def hidden_by_stat(tree: Path) -> None:
    """Edit a file without changing its size or times."""
    before = (tree / "a.txt").stat()
    git(tree, "config", "core.checkStat", "minimal")
    (tree / "a.txt").write_text("A")
    os.utime(tree / "a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))


def hidden_by_exclude(tree: Path) -> None:
    """Add a file that the repository's own exclude file names."""
    (tree / ".git/info/exclude").write_text("new.txt\n")
    (tree / "new.txt").write_text("new")


def hidden_by_index(tree: Path) -> None:
    """Add a file to the index."""
    (tree / "new.txt").write_text("new")
    git(tree, "add", "new.txt")


def hidden_by_replacement(tree: Path) -> None:
    """Edit a file and let git show a commit with that edit in place of the real one."""
    (tree / "a.txt").write_text("A")
    git(tree, "add", "a.txt")
    git(tree, "commit", "-qm", "edit")
    git(tree, "replace", "HEAD~1", "HEAD")
    git(tree, "reset", "-q", "--soft", "HEAD~1")


@pytest.mark.parametrize(
    "edit",
    [
        hidden_by_replacement,
        hidden_by_skip_worktree,
        hidden_by_assume_unchanged,
        hidden_by_stat,
        hidden_by_exclude,
        hidden_by_index,
        lambda tree: (tree / "a.txt").unlink(),
        lambda tree: (tree / "tool").chmod(0o644),
        lambda tree: ((tree / "link").unlink(), (tree / "link").symlink_to("tool")),
        lambda tree: ((tree / "a.txt").unlink(), (tree / "a.txt").mkdir()),
        lambda tree: (tree / ".gitignore").write_text("*\n"),
        lambda tree: (tree / "new").symlink_to("nowhere"),
    ],
)
def test_every_edit_shows(tree: Path, edit: Callable[[Path], object]) -> None:
    """No setting of git hides that a file is not what was committed."""
    edit(tree)

    state = repository_of(tree)

    assert state.dirty is True
    assert state.changes != repository_of(tree / "nothing").changes


def test_further_edits_change_the_digest(tree: Path) -> None:
    """A tree that was dirty before is another one after the next edit, and the same after none."""
    (tree / "a.txt").write_text("first")
    first = repository_of(tree)
    again = repository_of(tree)
    (tree / "a.txt").write_text("other")

    assert first == again
    assert repository_of(tree).changes != first.changes


def test_evidence_is_no_change(tree: Path) -> None:
    """The folder of evidence, whether git sees it or not, says nothing about the tree."""
    (tree / "sub/.workflow-exec").mkdir()
    (tree / "sub/.workflow-exec/log").write_text("x")

    assert repository_of(tree).dirty is False


def test_submodules_count(tree: Path, tmp_path: Path) -> None:
    """An edit in a submodule is an edit of the tree."""
    other = tmp_path / "other"
    other.mkdir()
    git(other, "init", "-q")
    (other / "c.txt").write_text("c")
    git(other, "add", "-A")
    git(other, "commit", "-qm", "c")
    git(tree, "submodule", "add", "-q", str(other), "module")
    git(tree, "commit", "-qm", "module")
    before = repository_of(tree)

    (tree / "module/c.txt").write_text("C")

    assert before.dirty is False
    assert repository_of(tree).dirty is True


def test_other_working_tree_is_not_believed(tree: Path, tmp_path: Path) -> None:
    """A repository whose configuration names another working tree says nothing about this one."""
    clean = tmp_path / "clean"
    git(tmp_path, "clone", "-q", str(tree), str(clean))
    (tree / "a.txt").write_text("A")
    git(tree, "config", "core.worktree", str(clean))

    assert repository_of(tree).dirty is None


def test_no_repository(tmp_path: Path) -> None:
    """Outside version control nothing is claimed; before the first commit neither."""
    assert repository_of(tmp_path) == NO_REPOSITORY
    git(tmp_path, "init", "-q")
    assert repository_of(tmp_path) == NO_REPOSITORY


def test_a_folder_that_leads_into_a_repository_is_in_it(tree: Path, tmp_path: Path) -> None:
    """The repository is that of the folder itself, not that of the way to it."""
    way = tmp_path / "elsewhere" / "way"
    way.parent.mkdir()
    way.symlink_to(tree / "sub")

    assert repository_of(way).commit == repository_of(tree).commit is not None


def test_outside_of_one_git_is_not_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no folder above holds a repository, no program is asked for one."""
    programs, marker = tmp_path / "programs", tmp_path / "started"
    programs.mkdir()
    (programs / "git").write_text(f"#!/bin/sh\ntouch {marker}\n")
    (programs / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")

    assert repository_of(tmp_path) == NO_REPOSITORY
    assert not marker.exists()

    (tmp_path / ".git").mkdir()
    assert repository_of(tmp_path) == NO_REPOSITORY
    assert marker.exists()


def test_programs_of_the_repository_are_not_started(tree: Path) -> None:
    """What the repository's configuration would have git start is not started."""
    marker = tree.parent / "started"
    git(tree, "config", "core.fsmonitor", f"touch {marker}")
    git(tree, "config", "filter.f.clean", f"touch {marker}; cat")
    (tree / ".git/info/attributes").write_text("* filter=f\n")
    (tree / "a.txt").write_text("A")

    assert repository_of(tree).dirty is True
    assert not marker.exists()
