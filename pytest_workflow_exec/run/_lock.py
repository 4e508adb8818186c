"""One run of a workflow at a time per project: a lock that dies with its process."""

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
    """The right to run one workflow in one project."""

    def __init__(self, descriptor: int, path: Path) -> None:
        self._descriptor, self._path = descriptor, path
        _held.add(self)

    @classmethod
    def take(cls, root: Path, workflow: str, *, run: str) -> RunLock:
        """Return the lock on `workflow`.

        Args:
            root: The project.
            run: The run that takes it, for the message that others will see.

        Raises:
            LockHeldError: Another process holds it; says which.
            EvidenceError: The lock file can't be made.
        """
        path = state_directory(root) / f"{workflow}.lock"
        try:
            descriptor = _locked(path, workflow)
        except OSError as error:
            raise EvidenceError(f"the lock {path} can't be taken: {error.strerror}") from error
        lock = cls(descriptor, path)
        try:
            # The text is for people; the lock is the kernel's, so a stale text locks nobody out.
            _note(descriptor, f"run {run}, process {os.getpid()}\n")
        except OSError as error:
            lock.release()
            raise EvidenceError(f"the lock {path} can't be written: {error.strerror}") from error
        return lock

    def check(self) -> None:
        """Return if the lock's file is still where others look for it.

        Raises:
            EvidenceError: It is not: another run of the workflow may have begun.
        """
        try:
            named = _is_named(self._descriptor, self._path)
        except OSError as error:
            raise EvidenceError(f"the lock {self._path} can't be looked at: {error.strerror}") from error
        if not named:
            raise EvidenceError(f"the lock {self._path} was removed or replaced: another run may have begun")

    def release(self) -> None:
        """Give the lock back; a second time does nothing."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


_held: weakref.WeakSet[RunLock] = weakref.WeakSet()


def _close_in_child() -> None:
    # A forked child shares the open file, and with it the lock: it would hold it for as
    # long as it lives, after the run itself is gone.
    for lock in list(_held):
        lock.release()


os.register_at_fork(after_in_child=_close_in_child)


def _locked(path: Path, workflow: str) -> int:
    while True:
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if _is_named(descriptor, path):
                return descriptor
        except BlockingIOError as error:
            holder = os.pread(descriptor, _MAX_NOTE_BYTES, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise LockHeldError(workflow=workflow, holder=holder or "by an unknown process") from error
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


def _is_named(descriptor: int, path: Path) -> bool:
    held = os.fstat(descriptor)
    try:
        named = path.lstat()
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)


def _note(descriptor: int, text: str) -> None:
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("ascii"), 0)
