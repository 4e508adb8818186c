"""What version control says of the project, and what the files themselves say: git is asked only for what HEAD holds.

git's own idea of a clean tree can be bent: `skip-worktree`, `assume-unchanged` and exclude files hide edits. So every
file that HEAD holds is read and compared with its blob, and only `.gitignore` files, which are such files themselves,
may leave others out.
"""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec.digests import Json, digest_of, digest_of_file
from pytest_workflow_exec.lean_dataclasses import dataclass

_PATIENCE_S = 60.0
_CHUNK_BYTES = 1 << 20
_HASHES = {40: "sha1", 64: "sha256"}
"""The hash that git's object names are made with, by their length in hexadecimal digits."""
_GITLINK = "160000"
_OWN = ".workflow-exec"


@dataclass(frozen=True, slots=True, kw_only=True)
class Repository:
    """The state of the project's repository; all None if there is none."""

    commit: str | None
    dirty: bool | None
    """Whether any file differs from the commit; None if that can't be told."""
    changes: str | None = None
    """SHA-256 over every path that differs and what is there instead, in hex; None if that can't be told."""

    def to_data(self) -> Mapping[str, Json]:
        """Return it as the evidence holds it."""
        return {"commit": self.commit, "dirty": self.dirty, "changes": self.changes}


NO_REPOSITORY = Repository(commit=None, dirty=None)


def repository_of(root: Path) -> Repository:
    """Return the commit at `root` and what in its working tree differs from it.

    A repository that can't be read counts as none: a gate shows that, instead of a guess.
    """
    if not _may_be_in_one(root):
        return NO_REPOSITORY
    said = _line(root, "rev-parse", "--show-toplevel", "--verify", "HEAD")
    top, _, commit = (said or "").rpartition("\n")
    if not top or not commit:
        return NO_REPOSITORY
    if not root.resolve().is_relative_to(Path(top).resolve()):
        # Its configuration names another working tree, which may well be clean.
        return Repository(commit=commit, dirty=None)
    try:
        changes = sorted(_changes(Path(top), commit))
    except (OSError, ValueError):
        return Repository(commit=commit, dirty=None)
    return Repository(commit=commit, dirty=bool(changes), changes=digest_of([list(change) for change in changes]))


def _may_be_in_one(root: Path) -> bool:
    # Where git would look, from the folder as it really is, and nowhere else: no variable names a repository to it.
    # Starting a process to hear that there is none was a twentieth of the start of a run.
    real = Path(os.path.realpath(root))
    return any(os.path.lexists(folder / ".git") for folder in (real, *real.parents))


def repository_facts(root: Path) -> Mapping[str, Json]:
    """Return the state of the repository at `root` as the evidence holds it."""
    return repository_of(root).to_data()


def _changes(top: Path, commit: str) -> Iterator[tuple[str, str]]:
    """Give each path that differs from the commit, with what is there.

    Raises:
        OSError: A file can't be read.
        ValueError: git gave no answer that can be read.
    """
    committed = set()
    for mode, name, path in _tree(top, commit):
        committed.add(path)
        now = _submodule(top / path) if mode == _GITLINK else _now(top / path, name)
        if now != f"{mode} {name}":
            yield path, now
    # What was added to the index is neither in the commit nor among the files that git does not know.
    added = _listed(top, "ls-files", "-z", "--cached")
    others = _listed(top, "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore")
    for path in {*added, *others} - committed:
        if _OWN not in path.split("/"):
            yield path, _digest(top / path)


def _tree(top: Path, commit: str) -> Iterator[tuple[str, str, str]]:
    for entry in _listed(top, "ls-tree", "-r", "-z", "--full-tree", commit):
        facts, path = entry.split("\t", 1)
        mode, _, name = facts.split(" ")
        yield mode, name, path


def _listed(top: Path, *arguments: str) -> list[str]:
    said = _output(top, *arguments)
    if said is None:
        raise ValueError(f"git {arguments[0]} gives no answer")
    return [entry for entry in said.split("\0") if entry]


def _now(path: Path, name: str) -> str:
    """Return what is at a path as git would list it, or in words if it would list nothing."""
    try:
        facts = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    if stat.S_ISLNK(facts.st_mode):
        return f"120000 {_blob(name, len(os.fsencode(path.readlink())), [os.fsencode(path.readlink())])}"
    if not stat.S_ISREG(facts.st_mode):
        return "no file"
    mode = "100755" if facts.st_mode & stat.S_IXUSR else "100644"
    with path.open("rb") as file:
        return f"{mode} {_blob(name, facts.st_size, iter(lambda: file.read(_CHUNK_BYTES), b''))}"


def _blob(name: str, size_bytes: int, content: Iterable[bytes]) -> str:
    digest = hashlib.new(_HASHES[len(name)], b"blob %d\0" % size_bytes, usedforsecurity=False)
    for chunk in content:
        digest.update(chunk)
    return digest.hexdigest()


def _submodule(path: Path) -> str:
    if _line(path, "rev-parse", "--show-toplevel") != str(path):
        # Not checked out: the folder, if there is one, belongs to the repository around it.
        return "missing"
    inside = repository_of(path)
    clean = inside.dirty is False
    return f"160000 {inside.commit}" if clean else f"160000 {inside.commit} with changes {inside.changes}"


def _digest(path: Path) -> str:
    if path.is_symlink():
        return f"link to {path.readlink()}"
    if not path.exists():
        return "missing"
    return digest_of_file(path) if path.is_file() else "folder"


def _line(root: Path, *arguments: str) -> str | None:
    said = _output(root, *arguments)
    return None if said is None else said.removesuffix("\n")


def _output(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603  # fixed words, no shell; the engine's own question, not a step's command
            ["git", *arguments],  # noqa: S607  # whichever git the person running this uses
            cwd=root,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_PATIENCE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return os.fsdecode(done.stdout) if done.returncode == 0 else None


def _environment() -> dict[str, str]:
    # A repository's own configuration may name programs for git to start; asking for its
    # status must start none of them.
    neutral = {
        "safe.directory": "*",
        "core.fsmonitor": "false",
        "core.hooksPath": os.devnull,
        "core.untrackedCache": "false",
    }
    settings = {
        key: value
        for number, (name, text) in enumerate(neutral.items())
        for key, value in ((f"GIT_CONFIG_KEY_{number}", name), (f"GIT_CONFIG_VALUE_{number}", text))
    }
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_CONFIG_COUNT": str(len(neutral)),
        "GIT_OPTIONAL_LOCKS": "0",
        # What stands in place of an object is not what was committed.
        "GIT_NO_REPLACE_OBJECTS": "1",
        "LC_ALL": "C.UTF-8",
        **settings,
    }
