"""What every command may read, held open: naming some forty paths anew for each command takes longer than starting it."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterable
from typing import NamedTuple

from ._landlock import Ruleset

_TICKS_NS = 100_000_000

_Stamp = tuple[int, int, int, int]


class _Held(NamedTuple):
    descriptor: int
    device: int
    inode: int
    is_folder: bool


class HeldPaths:
    """Files and folders that are opened once, and again when a folder that holds one of them has changed."""

    def __init__(self, paths: Iterable[str]) -> None:
        """Hold nothing yet; what is missing then is looked for again when its folder has changed."""
        self._paths = tuple(paths)
        self._folders = dict.fromkeys(os.path.dirname(path) for path in self._paths)  # noqa: PTH120
        self._stamps: dict[str, _Stamp | None] = {}
        self._held: dict[str, _Held] = {}
        self._missing: set[str] = set()
        self._lock = threading.Lock()

    def allow(self, ruleset: Ruleset, access: int) -> None:
        """Allow `access` to all of them that there are.

        Raises:
            OSError: The kernel does not take it.
        """
        with self._lock:
            self._look()
            for path, held in tuple(self._held.items()):
                if _is(held):
                    ruleset.allow_known(held.descriptor, access, is_folder=held.is_folder)
                else:
                    # Somebody in this process closed it, and its number may be another file's.
                    del self._held[path]
            for path in self._paths:
                if path not in self._held and path not in self._missing:
                    ruleset.allow(path, access)

    def _look(self) -> None:
        now_ns = time.time_ns()
        stamps = {folder: _stamp(folder) for folder in self._folders}
        if stamps == self._stamps:
            return
        changed = {
            folder for folder, stamp in stamps.items() if folder not in self._stamps or stamp != self._stamps[folder]
        }
        for path in self._paths:
            if os.path.dirname(path) not in changed:  # noqa: PTH120
                continue
            held = self._held.pop(path, None)
            if held is not None and _is(held):
                os.close(held.descriptor)
            self._missing.discard(path)
            try:
                opened = _opened(path)
            except FileNotFoundError:
                if _is_settled(stamps[os.path.dirname(path)], now_ns):  # noqa: PTH120
                    self._missing.add(path)
            else:
                if opened is not None:
                    self._held[path] = opened
        self._stamps = stamps


def _stamp(folder: str) -> _Stamp | None:
    try:
        found = os.stat(folder)  # noqa: PTH116  # path objects take ten times as long
    except OSError:
        return None
    return (found.st_dev, found.st_ino, found.st_mtime_ns, found.st_ctime_ns)


def _is_settled(stamp: _Stamp | None, now_ns: int) -> bool:
    # Of two changes within one tick of the clock, the folder's times show one.
    return stamp is None or max(stamp[2:]) < now_ns - _TICKS_NS


def _opened(path: str) -> _Held | None:
    try:
        # Where a link leads can change without its folder: such a path is opened for each command.
        descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise
    except OSError:
        return None
    found = os.fstat(descriptor)
    if stat.S_ISLNK(found.st_mode):
        os.close(descriptor)
        return None
    return _Held(descriptor, found.st_dev, found.st_ino, stat.S_ISDIR(found.st_mode))


def _is(held: _Held) -> bool:
    try:
        found = os.fstat(held.descriptor)
    except OSError:
        return False
    return found.st_ino == held.inode and found.st_dev == held.device
