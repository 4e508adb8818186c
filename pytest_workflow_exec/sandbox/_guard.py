"""What stays protected in a folder that commands may write in, where the kernel can keep it so."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from typing import Literal

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass

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
# Also as compiled: Python loads that instead, if its time and size say that it is of the same source.
_PATTERNS = r".*\.workflow\.ya?ml|(?:conftest|workflow_.*|test_.*|.*_test)(?:\..*)?\.py[co]?"
PROTECTED = lazy_pattern("|".join([*map(re.escape, EXACT), _PATTERNS]))
GIT = ".git"
_OF_WORKTREE = "config.worktree"
_COMMON = "commondir"
_OF_THE_REPOSITORY = b"../.."
OF_GIT = ("config", _OF_WORKTREE, "hooks", "modules")
"""What chooses the programs that git runs; the rest of a repository is data."""
_MOST_FILES = 100_000
_MOST_PROTECTED = 5_000


Place = Literal["project", "repository", "repository's data"]
"""Where a folder lies: in a `.git`, it may be that itself, or below it."""


_Found = tuple[str, os.stat_result, str]


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


def guard_of(descriptor: int, *, place: Place, is_before: bool = True, places: frozenset[str] = frozenset()) -> Guard:
    """Return what is protected in an open folder.

    Args:
        places: What else is, whatever its name; paths from there.
        is_before: Whether what holds more than can be guarded is refused; afterwards it is only looked at.

    Raises:
        GuardError: It holds a link in a protected place, a file with a second name, or too many files.
    """
    protected: list[tuple[str, int, int]] = []
    missing = [name for name in _TOP[place] if not _is_there(name, descriptor)]
    for count, (path, found, kind) in enumerate(_bounded(_below(descriptor, place, places))):
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


def _bounded(found: Iterator[_Found]) -> Iterator[_Found]:
    try:
        yield from found
    except RecursionError:
        raise GuardError("folders that are too deep to be looked through") from None


def _below(descriptor: int, place: Place, places: frozenset[str]) -> Iterator[tuple[str, os.stat_result, str]]:
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
            if path in places or (name == _COMMON and _leads_elsewhere(path, place, opened, found)):
                kind = "protected"
            if kind == "protected" and name in folders:
                # All of it is.
                folders.remove(name)
            yield path, found, kind


def _leads_elsewhere(path: str, place: Place, folder: int, found: os.stat_result) -> bool:
    # Git takes configuration and hooks from the folder that this file names. In a linked working tree it names the
    # repository; anywhere else it is of no use but to lead astray.
    names = path.split("/")
    if GIT not in names[:-1] and place == "project":
        return False
    if not stat.S_ISREG(found.st_mode) or "worktrees" not in names[-3:-2]:
        return True
    try:
        file = os.open(_COMMON, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except OSError as error:
        raise GuardError(f"{path!r}, which can't be looked at: {error}") from error
    try:
        return os.read(file, 100).rstrip(b"\n") != _OF_THE_REPOSITORY
    finally:
        os.close(file)


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
