"""One run of a workflow, and of a concurrency group, at a time per project: locks that die with their process."""

from __future__ import annotations

import fcntl
import os
import stat
import weakref
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError, LockHeldError
from pytest_workflow_exec.evidence import state_directory

_MAX_NOTE_BYTES = 200
_MODE = 0o600
# Without O_NONBLOCK, a FIFO in its place would wait for somebody to open its other end.
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class RunLock:
    """The right to run one workflow in one project, and to use what its concurrency group shares."""

    def __init__(self, workflow: _FileLock, group: _FileLock | None) -> None:
        self._workflow, self._group = workflow, group

    @classmethod
    def take(cls, root: Path, workflow: str, *, run: str, group: str | None = None) -> RunLock:
        """Return the lock on `workflow`.

        Args:
            root: The project.
            run: The run that takes it, for the message that others will see.
            group: Its concurrency group. Workflows of one process share it: they run one after the other.

        Raises:
            LockHeldError: Another process holds it; says which.
            EvidenceError: A lock file can't be made.
        """
        state = state_directory(root)
        own = _FileLock.take(state / f"{workflow}.lock", workflow, said=f"run {run}")
        try:
            return cls(own, None if group is None else _group_lock(state, group, workflow, run))
        except BaseException:
            own.release()
            raise

    def check(self) -> None:
        """Return if the lock's files are still where others look for them.

        Raises:
            EvidenceError: One is not: another run may have begun.
        """
        self._workflow.check()
        if self._group is not None:
            self._group.check()

    def release(self) -> None:
        """Give the lock back; a second time does nothing."""
        self._workflow.release()
        if self._group is not None:
            self._group.release()
        self._group = None


class _FileLock:
    """A file that one process at a time holds, as often as it likes."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor, self._path, self._name = descriptor, path, os.fspath(path)
        self._holds = 1
        _held.add(self)

    @classmethod
    def take(cls, path: Path, workflow: str, *, said: str, group: str | None = None) -> _FileLock:
        try:
            descriptor = _locked(path, workflow, group)
        except OSError as error:
            raise EvidenceError(f"the lock {path} can't be taken: {error.strerror}") from error
        lock = cls(descriptor, path)
        try:
            # The text is for people; the lock is the kernel's, so a stale text locks nobody out.
            _note(descriptor, f"{said}, process {os.getpid()}\n")
        except OSError as error:
            lock.close()
            raise EvidenceError(f"the lock {path} can't be written: {error.strerror}") from error
        return lock

    def is_of(self, path: Path) -> bool:
        """Return whether it is held, by that path."""
        return self._descriptor >= 0 and self._path == path

    def hold_again(self) -> _FileLock:
        """Hold it once more: it is given back with the last of its holds."""
        self._holds += 1
        return self

    def check(self) -> None:
        try:
            named = _is_named(self._descriptor, self._name)
        except OSError as error:
            raise EvidenceError(f"the lock {self._path} can't be looked at: {error.strerror}") from error
        if not named:
            raise EvidenceError(f"the lock {self._path} was removed or replaced: another run may have begun")

    def release(self) -> None:
        """Give one hold back; the last one gives back the lock."""
        self._holds -= 1
        if self._holds <= 0:
            self.close()

    def close(self) -> None:
        """Give the lock back, however often it is held; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


_held: weakref.WeakSet[_FileLock] = weakref.WeakSet()


def _group_lock(state: Path, group: str, workflow: str, run: str) -> _FileLock:
    # No workflow's name has a point in it.
    path = state / f"concurrency.{group}.lock"
    for lock in list(_held):
        if lock.is_of(path):
            return lock.hold_again()
    return _FileLock.take(path, workflow, said=f"workflow {workflow}, run {run}", group=group)


def _close_in_child() -> None:
    # A forked child shares the open file, and with it the lock: it would hold it for as
    # long as it lives, after the run itself is gone.
    for lock in list(_held):
        lock.close()


os.register_at_fork(after_in_child=_close_in_child)


def _locked(path: Path, workflow: str, group: str | None) -> int:
    while True:
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_named(descriptor, os.fspath(path)):
                return descriptor
        except BlockingIOError as error:
            holder = os.pread(descriptor, _MAX_NOTE_BYTES, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise LockHeldError(workflow=workflow, holder=holder or "by an unknown process", group=group) from error
        except BaseException:
            os.close(descriptor)
            raise
        # Removed between opening and locking: whoever comes next would make another file, and hold that.
        os.close(descriptor)


def _opened(path: Path) -> int:
    descriptor = os.open(path, _FLAGS, _MODE)
    try:
        # Whatever the umask: a lock that its owner can't open again locks the project for good.
        os.fchmod(descriptor, _MODE)
        _demand_file(descriptor, path)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _demand_file(descriptor: int, path: Path) -> None:
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        raise EvidenceError(f"the lock {path} is no regular file; remove it")


def _is_named(descriptor: int, path: str) -> bool:
    held = os.fstat(descriptor)
    try:
        named = os.lstat(path)
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)


def _note(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("ascii"), 0)
