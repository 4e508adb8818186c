"""What stays protected in a folder that commands may write in, where the kernel can keep it so."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

EXACT = (
    ".git",
    ".gitmodules",
    ".github",
    ".gitlab-ci.yml",
    ".workflow-exec",
    "workflow-exec.toml",
    "pyproject.toml",
    "conftest.py",
    "pytest.ini",
    "pytest.toml",
    ".pytest.ini",
    ".pytest.toml",
    "tox.ini",
    "setup.cfg",
)
_PATTERNS = r"workflow_.*\.py|.*\.workflow\.ya?ml|test_.*\.py|.*_test\.py"
PROTECTED = re.compile("|".join([*map(re.escape, EXACT), _PATTERNS]))
GIT = ".git"
_OF_WORKTREE = "config.worktree"
OF_GIT = ("config", _OF_WORKTREE, "hooks", "modules")
"""What chooses the programs that git runs; the rest of a repository is data."""
_MOST_FILES = 100_000
_MOST_PROTECTED = 5_000


Place = Literal["project", "repository", "repository's data"]
"""Where a folder lies: in a `.git`, it may be that itself, or below it."""


class GuardError(Exception):
    """A folder can't be guarded; says what is in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Guard:
    """What is protected in one folder; paths from that folder."""

    protected: tuple[tuple[str, int, int], ...] = ()
    """What is there, each with its device and inode."""
    missing: tuple[str, ...] = ()
    """What is not there, and must not be made."""

    def trespasses(self, now: Guard) -> tuple[str, ...]:
        """Return what is protected `now` and is new, or something else than it was."""
        return tuple(path for path, *_ in sorted(set(now.protected) - set(self.protected)))


def guard_of(descriptor: int, *, place: Place, is_before: bool = True) -> Guard:
    """Return what is protected in an open folder.

    Args:
        is_before: Whether what holds more than can be guarded is refused; afterwards it is only looked at.

    Raises:
        GuardError: It holds a link in a protected place, a file with a second name, or too many files.
    """
    protected: list[tuple[str, int, int]] = []
    missing = [name for name in _TOP[place] if not _is_there(name, descriptor)]
    for count, (path, found, kind) in enumerate(_below(descriptor, place)):
        if kind == "repository":
            missing += [f"{path}/{name}" for name in OF_GIT if not _is_there(f"{path}/{name}", descriptor)]
        elif kind == "protected":
            if stat.S_ISLNK(found.st_mode) and is_before:
                raise GuardError(f"{path!r}, a link with a protected name")
            protected.append((path, found.st_dev, found.st_ino))
        elif is_before and stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            raise GuardError(f"{path!r}, a file that has a second name elsewhere")
        if count >= _MOST_FILES or len(protected) > _MOST_PROTECTED:
            raise GuardError(f"more than {_MOST_FILES} files or {_MOST_PROTECTED} protected ones")
    return Guard(protected=tuple(protected), missing=tuple(missing))


_TOP: Mapping[Place, tuple[str, ...]] = {"project": EXACT, "repository": OF_GIT, "repository's data": ()}


def _below(descriptor: int, place: Place) -> Iterator[tuple[str, os.stat_result, str]]:
    def unreadable(error: OSError) -> None:
        raise GuardError(f"something that can't be looked at: {error}") from error

    for folder, folders, files, opened in os.fwalk(".", dir_fd=descriptor, onerror=unreadable):
        for name in (*folders, *files):
            path = os.path.normpath(f"{folder}/{name}")
            try:
                found = os.stat(name, dir_fd=opened, follow_symlinks=False)
            except OSError as error:
                raise GuardError(f"{path!r}, which can't be looked at: {error}") from error
            kind = _kind(path.split("/"), place, is_folder=stat.S_ISDIR(found.st_mode))
            if kind == "protected" and name in folders:
                # All of it is.
                folders.remove(name)
            yield path, found, kind


def _kind(names: list[str], place: Place, *, is_folder: bool) -> str:
    if GIT in names[:-1] or place != "project":
        is_top = names[-2] == GIT if len(names) > 1 else place == "repository"
        return "protected" if names[-1] == _OF_WORKTREE or (is_top and names[-1] in OF_GIT) else ""
    if names[-1] == GIT and is_folder:
        return "repository"
    return "protected" if PROTECTED.fullmatch(names[-1]) else ""


def _is_there(path: str, descriptor: int) -> bool:
    try:
        os.stat(path, dir_fd=descriptor, follow_symlinks=False)
    except FileNotFoundError:
        return False
    except OSError as error:
        raise GuardError(f"{path!r}, which can't be looked at: {error}") from error
    return True
