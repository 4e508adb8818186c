"""Which CLAUDE.md files a project has, and what a path in one of them means."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Iterator

from ._files import NAME
from ._observed import Identity, Observed, identity_of, is_settled

_PASSED_BY = frozenset({"node_modules", "__pycache__"})
_ENVIRONMENT = "pyvenv.cfg"
_MAX_FOLDERS = 50_000

_Listing = tuple[tuple[str, ...], bool]
"""The folders in a folder, and whether it has a file of ours."""
_listings: dict[str, tuple[Identity, _Listing]] = {}
_lock = threading.Lock()


class OutsideError(Exception):
    """A path leads out of the project."""


def way_to(root: str, at: str) -> Iterator[str]:
    """Give the places of the files from the root down to a folder, from the root.

    Args:
        root: The project, without links in it.
        at: The folder, without links in it.

    Raises:
        OutsideError: The folder does not lie in the project.
    """
    inside = os.path.relpath(at, root)
    parts = [] if inside == "." else inside.split(os.sep)  # noqa: PTH206  # text, not the parts of a Path
    if ".." in parts:
        raise OutsideError(f"{at} lies outside the project {root}")
    for depth in range(len(parts) + 1):
        yield "/".join([*parts[:depth], NAME])


def all_files(root: str, problems: list[str], observed: Observed) -> Iterator[str]:
    """Give the files of a project that lie in its folders, from its root, in order of their paths.

    Hidden folders, virtual environments, `node_modules` and links to folders are passed by.

    Args:
        problems: Receives what could not be looked at.
        observed: Notes where was looked.
    """
    waiting, folders = [""], 0
    while waiting:
        folder = waiting.pop()
        folders += 1
        if folders > _MAX_FOLDERS:
            problems.append(f"the project has more than {_MAX_FOLDERS} folders: the rest was not looked through")
            return
        try:
            inner, has_one = _listing(f"{root}/{folder}" if folder else root, observed)
        except OSError as error:
            problems.append(f"{folder or '.'} can't be looked through: {error.strerror or error}")
            continue
        prefix = f"{folder}/" if folder else ""
        if has_one:
            yield f"{prefix}{NAME}"
        waiting.extend(f"{prefix}{name}" for name in inner)


def _listing(folder: str, observed: Observed) -> _Listing:
    facts = observed.note(folder)
    if facts is None:
        raise FileNotFoundError(errno.ENOENT, "it is gone")
    identity = identity_of(facts)
    known = _listings.get(folder)
    if known is not None and known[0] == identity:
        return known[1]
    inner: list[str] = []
    has_one = False
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name == NAME:
                has_one = entry.is_file()
            elif entry.name == _ENVIRONMENT:
                inner, has_one = [], False
                break
            elif entry.name[0] != "." and entry.name not in _PASSED_BY and entry.is_dir(follow_symlinks=False):
                inner.append(entry.name)
    listing = tuple(sorted(inner, reverse=True)), has_one
    if is_settled(identity):
        with _lock:
            if len(_listings) > _MAX_FOLDERS:
                _listings.clear()
            _listings[folder] = (identity, listing)
    return listing


def resolve(root: str, beside: str, text: str, observed: Observed) -> str | None:
    """Return the file that a path in another file means, from the project's root; None if there is none.

    It is looked for beside that file, then from the root; a folder means the file of ours in it.

    Args:
        root: The project, without links in it.
        beside: The file in which the path stands, from the root.
        observed: Notes where was looked.

    Raises:
        OutsideError: It leads out of the project.
    """
    if text.startswith(("/", "~")) or "\0" in text:
        raise OutsideError("leads out of the project")
    outside = False
    for folder in dict.fromkeys((os.path.dirname(beside), "")):  # noqa: PTH120
        asked = os.path.join(root, folder, text)  # noqa: PTH118
        observed.note(asked)
        place = os.path.realpath(asked)
        if os.path.isdir(place):  # noqa: PTH112
            place = os.path.realpath(os.path.join(place, NAME))  # noqa: PTH118
        if place != root and os.path.commonpath([root, place]) != root:
            outside = True
        elif observed.note(place) is not None:
            return os.path.relpath(place, root).replace(os.sep, "/")
    if outside:
        raise OutsideError("leads out of the project")
    return None
