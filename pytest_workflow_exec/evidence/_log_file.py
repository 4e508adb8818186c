"""The open file of a log: only its holder writes to it, only at its end, and only while the path still names it."""

from __future__ import annotations

import contextlib
import errno
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
        # Looked up before every effect, and paths take their time.
        self._name = os.fspath(path)
        facts = os.fstat(descriptor)
        self._identity, self._let_go = (facts.st_dev, facts.st_ino), False
        self.final_bytes = 0
        """How long it is for good, once another file follows it."""
        _open_files.add(self)

    @classmethod
    def create(cls, run_directory: Path, name: str = LOG_NAME, *, locked: bool = True, again: bool = False) -> LogFile:
        """Return the new file of a log, durable in its folder and readable only to its owner.

        Args:
            locked: Whether it is locked at once.
            again: Whether it may be there already, if it is empty: it was made by this process just now.

        Raises:
            EvidenceError: Something of that name is there already, or it can't be made.
        """
        path = run_directory / name
        with _run_directory(run_directory) as folder:
            try:
                descriptor = os.open(name, _OPEN | os.O_CREAT if again else _NEW, 0o600, dir_fd=folder)
            except OSError as error:
                raise EvidenceError(f"{path} can't be created: {reason_of(error)}") from error
            with _closed_on_error(descriptor, path):
                os.fchmod(descriptor, 0o600)
                _own(descriptor, path)
                if os.fstat(descriptor).st_size:
                    raise EvidenceError(f"{path} was made by somebody else")
                if locked:
                    _lock(descriptor, path)
                os.fsync(folder)
                return cls(descriptor, path)

    @classmethod
    def open(cls, run_directory: Path, name: str = LOG_NAME) -> LogFile:
        """Return the file of a log that is there.

        Raises:
            EvidenceError: There is none, it is not its owner's own, or another process holds it.
        """
        path = run_directory / name
        with _run_directory(run_directory) as folder:
            try:
                descriptor = os.open(name, _OPEN, dir_fd=folder)
            except OSError as error:
                raise EvidenceError(f"{path} can't be opened: {_why(error, folder, name)}") from error
            with _closed_on_error(descriptor, path):
                _own(descriptor, path)
                _lock(descriptor, path)
                return cls(descriptor, path)

    @property
    def closed(self) -> bool:
        """Whether it was given back."""
        return self._descriptor < 0 and not self._let_go

    @property
    def size_bytes(self) -> int:
        """How many bytes are in it now."""
        return os.fstat(self._descriptor).st_size

    def lock(self) -> None:
        """Keep other processes from opening it; a second time does nothing.

        Raises:
            EvidenceError: One has it open.
            OSError: It can't be locked.
        """
        _lock(self._descriptor, self.path)

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
        """Return a reader of the file, whatever the path names now.

        Raises:
            OSError: It was let go, and the path does not name it any more.
        """
        if self._let_go:
            return self._again()
        return cast("BinaryIO", io.BufferedReader(_FromDescriptor(self._descriptor), 1 << 16))

    def displaced(self) -> str | None:
        """Return why the path does not name this file any more, or None.

        Raises:
            OSError: It can't be found out.
        """
        return self._displaced(None if self._let_go else os.fstat(self._descriptor))

    def problem(self, size_bytes: int) -> str | None:
        """Return what was done to the file behind its holder's back, or None.

        Args:
            size_bytes: How many bytes must be in it.

        Raises:
            OSError: It can't be found out.
        """
        facts = None if self._let_go else os.fstat(self._descriptor)
        if displaced := self._displaced(facts):
            return displaced
        held = self.path.lstat() if facts is None else facts
        if held.st_nlink != 1:
            return "has a second name: somebody linked it"
        if held.st_size > size_bytes:
            return f"was written by somebody else: it has {held.st_size} bytes, not {size_bytes}"
        if held.st_size < size_bytes:
            return f"was cut, or its records are not being stored: it has {held.st_size} bytes, not {size_bytes}"
        return None

    def let_go(self) -> None:
        """Close it, and go on knowing which file it was."""
        self._let_go = True
        self._close()

    def close(self) -> None:
        """Give the file and its lock back; a second time does nothing."""
        self._let_go = False
        self._close()

    def _displaced(self, held: os.stat_result | None) -> str | None:
        named = _facts(self._name)
        if named is None:
            return "was deleted or moved away"
        gone = held is not None and held.st_nlink == 0
        if gone or self._identity != (named.st_dev, named.st_ino):
            return "was replaced by another file"
        return None

    def _again(self) -> BinaryIO:
        descriptor = os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        file = os.fdopen(descriptor, "rb")
        facts = os.fstat(descriptor)
        if (facts.st_dev, facts.st_ino) != self._identity:
            file.close()
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self.path))
        return file

    def _close(self) -> None:
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


def _facts(path: str) -> os.stat_result | None:
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _why(error: OSError, folder: int, name: str) -> str:
    reason = reason_of(error)
    if not isinstance(error, PermissionError):
        return reason
    try:
        facts = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except OSError:
        return reason
    mode = stat.S_IMODE(facts.st_mode)
    return f"{reason} (it belongs to uid {facts.st_uid}, mode {mode:04o}; you are uid {os.geteuid()})"
