"""Folders that a rule lets its commands write in: opened without following links, and refused if they hold too much."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._guard import GIT, OF_GIT, PROTECTED, Guard, GuardError, Place, guard_of
from ._loaded_from import held_in, holding, loaded_from
from ._rules import Rule

_MOST_FILES = 100_000
_GUARDING = "namespaces"


class NotWritableError(Exception):
    """A folder can't be granted; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writable:
    """A folder that commands may write in."""

    entry: str
    descriptor: int
    guard: Guard | None
    """What stays protected in it; None where nothing in it may be."""
    places: frozenset[str] = frozenset()
    """What programs and the engine's own code are loaded from in it; paths from there."""


def write_problems(rule: Rule, *, root: Path, level: str, path: Sequence[Path]) -> Iterator[str]:
    """Return why folders that a rule names can't be granted, without making any; one that is missing can be made.

    Args:
        root: The project.
        level: The confinement that its commands run under; without any, nothing is granted or refused.
        path: The policy's.
    """
    for entry in rule.write if level != "none" else ():
        try:
            places = _places(root, entry, path)
            descriptor = _opened(root, _names(entry, level), entry, make=False)
            if descriptor is not None:
                _check_and_close(descriptor, entry, level, places)
        except NotWritableError as error:
            yield f"rule {rule.text!r}: {error}"


def open_writable(root: Path, entry: str, *, level: str = "landlock", path: Sequence[Path] = ()) -> Writable:
    """Return a folder of the project that commands may write in, made if it is not there; the caller closes it.

    Args:
        entry: A canonical path relative to `root`.
        path: The policy's.

    Raises:
        NotWritableError: It holds or could hold a protected path that the level can't guard, or a file with a second
            name, or is no folder.
    """
    places = _places(root, entry, path)
    descriptor = _opened(root, _names(entry, level), entry, make=True)
    if descriptor is None:
        raise NotWritableError(f"write {entry!r} vanished while it was made")
    try:
        guard = _check(descriptor, entry, level, places)
    except BaseException:
        os.close(descriptor)
        raise
    return Writable(entry=entry, descriptor=descriptor, guard=guard, places=places)


def trespasses(root: Path, before: Writable) -> tuple[str, ...]:
    """Return what was made in a folder though its name is protected, as paths of the project."""
    level = "landlock" if before.guard is None else _GUARDING
    try:
        descriptor = _opened(root, _names(before.entry, level), before.entry, make=False)
        if descriptor is None:
            return (before.entry,)
        try:
            if before.guard is None:
                # There was none before: else it would not have been granted.
                return tuple(path for path, name, _ in _below(descriptor, before.entry) if PROTECTED.fullmatch(name))
            now = guard_of(descriptor, place=_place(before.entry), is_before=False, places=before.places)
        finally:
            os.close(descriptor)
    except (NotWritableError, GuardError) as error:
        return (f"{before.entry} ({error})",)
    return tuple(os.path.normpath(f"{before.entry}/{path}") for path in before.guard.trespasses(now))


def _check_and_close(descriptor: int, entry: str, level: str, places: frozenset[str]) -> None:
    try:
        _check(descriptor, entry, level, places)
    finally:
        os.close(descriptor)


def _names(entry: str, level: str) -> list[str]:
    names = [name for name in entry.split("/") if name not in {"", "."}]
    within = names
    if level == _GUARDING and GIT in names:
        # A repository's data may be written; what chooses programs may not.
        within, after = names[: names.index(GIT)], names[names.index(GIT) + 1 :]
        if after and after[0] in OF_GIT:
            raise NotWritableError(f"write {entry!r} lies in '{GIT}/{after[0]}', which is protected")
    held = next((name for name in within if PROTECTED.fullmatch(name)), None)
    if held is not None:
        raise NotWritableError(f"write {entry!r} lies in {held!r}, which is protected")
    if not names and level != _GUARDING:
        raise NotWritableError(f"write {entry!r} is the whole project, which holds the policy and the evidence")
    return names


def _opened(root: Path, names: list[str], entry: str, *, make: bool) -> int | None:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    current = os.open(root, flags)
    for name in names:
        try:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(name, dir_fd=current)
            below = os.open(name, flags | os.O_NOFOLLOW, dir_fd=current)
        except FileNotFoundError as error:
            if make:
                raise NotWritableError(f"write {entry!r} can't be opened: {error}") from error
            if not os.access(".", os.W_OK | os.X_OK, dir_fd=current):
                raise NotWritableError(f"write {entry!r} is missing and can't be made") from None
            return None
        except OSError as error:
            raise NotWritableError(f"write {entry!r} can't be opened without following links: {error}") from error
        finally:
            os.close(current)
        current = below
    return current


def _place(entry: str) -> Place:
    names = os.path.normpath(entry).split("/")
    if GIT not in names:
        return "project"
    return "repository" if names[-1] == GIT else "repository's data"


def _places(root: Path, entry: str, path: Sequence[Path]) -> frozenset[str]:
    places, folder = loaded_from(path), os.path.normpath(f"{os.path.realpath(root)}/{entry}")
    place = holding(folder, places)
    if place is not None:
        raise NotWritableError(f"write {entry!r} lies in {place!r}, which programs are loaded from")
    return held_in(folder, places)


def _check(descriptor: int, entry: str, level: str, places: frozenset[str]) -> Guard | None:
    if level == _GUARDING:
        try:
            return guard_of(descriptor, place=_place(entry), places=places)
        except GuardError as error:
            raise NotWritableError(f"write {entry!r} holds {error}") from error
    held = {os.path.normpath(f"{entry}/{place}") for place in places}
    for count, (path, name, found) in enumerate(_below(descriptor, entry)):
        if path in held:
            raise NotWritableError(f"write {entry!r} holds {path!r}, which programs are loaded from")
        if PROTECTED.fullmatch(name):
            raise NotWritableError(f"write {entry!r} holds {path!r}, which is protected")
        if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
            raise NotWritableError(f"write {entry!r} holds {path!r}, a file that has a second name elsewhere")
        if count >= _MOST_FILES:
            raise NotWritableError(f"write {entry!r} holds more than {_MOST_FILES} files; grant a smaller folder")
    return None


def _below(descriptor: int, entry: str) -> Iterator[tuple[str, str, os.stat_result]]:
    def unreadable(error: OSError) -> None:
        raise NotWritableError(f"write {entry!r} can't be looked through: {error}") from error

    try:
        for folder, folders, files, opened in os.fwalk(".", dir_fd=descriptor, onerror=unreadable):
            for name in (*folders, *files):
                path = os.path.normpath(f"{entry}/{folder}/{name}")
                try:
                    found = os.stat(name, dir_fd=opened, follow_symlinks=False)
                except OSError as error:
                    raise NotWritableError(f"write {entry!r}: {path!r} can't be looked at: {error}") from error
                yield path, name, found
    except RecursionError:
        raise NotWritableError(f"write {entry!r} holds folders that are too deep to be looked through") from None
