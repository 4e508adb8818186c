"""The open file of a log: only its holder writes to it, only at its end, and only while the path still names it."""

from __future__ import annotations

import contextlib
import fcntl
import io
import os
import stat
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from pytest_workflow_exec.errors import EvidenceError

from ._files import opened_directory, reason_of
from ._names import LOG_NAME, is_in_project

_OPEN = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_NEW = _OPEN | os.O_CREAT | os.O_EXCL
_sync = getattr(os, "fdatasync", os.fsync)


class LogFile:
    """A log's open file, which no other process can open for writing at the same time."""

    def __init__(self, descriptor: int, path: Path) -> None:
        """Take over the descriptor; use `create` or `open`."""
        self._descriptor, self.path = descriptor, path
        _open_files.add(self)

    @classmethod
    def create(cls, run_directory: Path) -> LogFile:
        """Return the new file of a log, durable in its folder and readable only to its owner.

        Raises:
            EvidenceError: Something of that name is there already, or it can't be made.
        """
        path = run_directory / LOG_NAME
        with _run_directory(run_directory) as folder:
            try:
                descriptor = os.open(LOG_NAME, _NEW, 0o600, dir_fd=folder)
            except OSError as error:
                raise EvidenceError(f"{path} can't be created: {reason_of(error)}") from error
            with _closed_on_error(descriptor, path):
                os.fchmod(descriptor, 0o600)
                _own(descriptor, path)
                _lock(descriptor, path)
                os.fsync(folder)
        return cls(descriptor, path)

    @classmethod
    def open(cls, run_directory: Path) -> LogFile:
        """Return the file of a log that is there.

        Raises:
            EvidenceError: There is none, it is not its owner's own, or another process holds it.
        """
        path = run_directory / LOG_NAME
        with _run_directory(run_directory) as folder:
            try:
                descriptor = os.open(LOG_NAME, _OPEN, dir_fd=folder)
            except OSError as error:
                raise EvidenceError(f"{path} can't be opened: {_why(error, folder)}") from error
            with _closed_on_error(descriptor, path):
                _own(descriptor, path)
                _lock(descriptor, path)
        return cls(descriptor, path)

    @property
    def closed(self) -> bool:
        """Whether it was given back."""
        return self._descriptor < 0

    @property
    def size_bytes(self) -> int:
        """How many bytes are in it now."""
        return os.fstat(self._descriptor).st_size

    def write(self, content: bytes) -> int:
        """Write at the end, once, and return how many of the bytes were taken.

        Raises:
            OSError: None were.
        """
        return os.write(self._descriptor, content)

    def sync(self) -> None:
        """Return when what was written survives a power cut.

        Raises:
            OSError: It may not.
        """
        _sync(self._descriptor)

    def reader(self) -> BinaryIO:
        """Return a reader of the open file, whatever the path names now; it needs not be closed."""
        return cast("BinaryIO", io.BufferedReader(_FromDescriptor(self._descriptor), 1 << 16))

    def displaced(self) -> str | None:
        """Return why the path does not name this file any more, or None.

        Raises:
            OSError: It can't be found out.
        """
        held, named = os.fstat(self._descriptor), _facts(self.path)
        if named is None:
            return "was deleted or moved away"
        if held.st_nlink == 0 or (held.st_dev, held.st_ino) != (named.st_dev, named.st_ino):
            return "was replaced by another file"
        return None

    def problem(self, size_bytes: int) -> str | None:
        """Return what was done to the file behind its holder's back, or None.

        Args:
            size_bytes: How many bytes must be in it.

        Raises:
            OSError: It can't be found out.
        """
        held = os.fstat(self._descriptor)
        if displaced := self.displaced():
            return displaced
        if held.st_nlink != 1:
            return "has a second name: somebody linked it"
        if held.st_size > size_bytes:
            return f"was written by somebody else: it has {held.st_size} bytes, not {size_bytes}"
        if held.st_size < size_bytes:
            return f"was cut, or its records are not being stored: it has {held.st_size} bytes, not {size_bytes}"
        return None

    def close(self) -> None:
        """Give the file and its lock back; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


class _FromDescriptor(io.RawIOBase):
    """Reads at a position of its own: the file's is where the next record goes."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor, self._position = descriptor, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]  # what BufferedReader gives
        content = os.pread(self._descriptor, len(buffer), self._position)
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)


_open_files: weakref.WeakSet[LogFile] = weakref.WeakSet()


def _close_in_child() -> None:
    # A forked child shares the open file, and with it the lock: it would hold the log for as long as it lives.
    for file in list(_open_files):
        file.close()


os.register_at_fork(after_in_child=_close_in_child)


@contextlib.contextmanager
def _run_directory(path: Path) -> Iterator[int]:
    # Step by step where the project is known: a link in place of any folder of ours would lead the log elsewhere.
    if not is_in_project(path):
        with opened_directory(path) as folder:
            yield folder
        return
    with (
        opened_directory(path.parents[1]) as state_folder,
        opened_directory(path.parent, parent=state_folder) as runs_folder,
        opened_directory(path, parent=runs_folder) as folder,
    ):
        yield folder


@contextlib.contextmanager
def _closed_on_error(descriptor: int, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        os.close(descriptor)
        raise EvidenceError(f"{path} can't be used: {reason_of(error)}") from error
    except BaseException:
        os.close(descriptor)
        raise


def _own(descriptor: int, path: Path) -> None:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1 or facts.st_uid != os.geteuid():
        raise EvidenceError(f"{path} is not a regular file of its own that belongs to uid {os.geteuid()}")


def _lock(descriptor: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        message = f"{path} is being written by another process. Wait for it, or stop it."
        raise EvidenceError(message) from error


def _facts(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _why(error: OSError, folder: int) -> str:
    reason = reason_of(error)
    if not isinstance(error, PermissionError):
        return reason
    try:
        facts = os.stat(LOG_NAME, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return reason
    mode = stat.S_IMODE(facts.st_mode)
    return f"{reason} (it belongs to uid {facts.st_uid}, mode {mode:04o}; you are uid {os.geteuid()})"
