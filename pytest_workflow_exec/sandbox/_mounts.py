"""What one command sees of the file system at level `namespaces`."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

from ._guard import Guard
from ._spawner import Folder, Mounts, folder_at
from ._writable import Writable


def mounts_of(
    root: Path,
    *,
    private: Sequence[Path],
    writable: Sequence[Writable],
    hidden: Path | None,
    shown: Sequence[Path],
) -> Mounts:
    """Return them.

    Args:
        root: The project.
        private: The engine's own folders for the command, in which it may write.
        writable: The folders of the project in which it may.
        hidden: The folder that holds the evidence; None if there is none.
        shown: What may be read of it.

    Raises:
        OSError: A folder can't be looked at.
    """
    real = _Real()
    places = [real.path(path) for path in private]
    closed = None if hidden is None or not hidden.is_dir() else real.path(hidden)
    beneath = [path for path in places if closed is not None and _is_beneath(path, closed)]
    readable = [real.path(path) for path in shown if path.is_dir()]
    granted = [(_place(root, each), each) for each in writable]
    taken = {closed, *beneath}
    return Mounts(
        writable=(*(folder_at(path) for path in places if path not in beneath), *(folder for folder, _ in granted)),
        protected=tuple(path for path in _within(granted, "protected") if path not in taken),
        masked=tuple(path for path in _within(granted, "missing") if path not in taken),
        hidden=closed,
        shown=(
            *((folder_at(path), True) for path in beneath),
            *((folder_at(path), False) for path in readable if closed is not None and _is_beneath(path, closed)),
        ),
    )


class _Real:
    """Where paths really lead, with what several of them lie in looked up once."""

    def __init__(self) -> None:
        self._folders: dict[str, str] = {}

    def path(self, path: Path) -> str:
        if os.path.islink(path) or path.name in {"", ".."}:  # noqa: PTH114  # path objects take ten times as long
            return os.path.realpath(path)
        folder = os.path.dirname(path)  # noqa: PTH120
        if folder not in self._folders:
            self._folders[folder] = os.path.realpath(folder)
        return os.path.join(self._folders[folder], path.name)  # noqa: PTH118


def _within(granted: Sequence[tuple[Folder, Writable]], what: Literal["protected", "missing"]) -> Iterator[str]:
    for folder, writable in granted:
        guard = writable.guard or Guard()
        names = [path for path, *_ in guard.protected] if what == "protected" else guard.missing
        yield from (f"{folder.path}/{name}" for name in names)


def _place(root: Path, writable: Writable) -> Folder:
    found = os.fstat(writable.descriptor)
    path = os.path.normpath(f"{os.path.realpath(root)}/{writable.entry}")
    return Folder(path=path, device=found.st_dev, inode=found.st_ino)


def _is_beneath(path: str, folder: str) -> bool:
    return path.startswith(f"{folder}/")
