"""One run of a workflow at a time per project: a lock that dies with its process."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError, LockHeldError
from pytest_workflow_exec.evidence import state_directory

_MAX_NOTE_BYTES = 200
_MODE = 0o600


def _opened(path: Path) -> int:
    try:
        # Without O_NONBLOCK, a FIFO in its place would wait for somebody to open its other end.
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
        descriptor = os.open(path, flags, _MODE)
        # Whatever the umask: a lock that its owner can't open again locks the project for good.
        os.fchmod(descriptor, _MODE)
    except OSError as error:
        message = f"the lock {path} can't be opened: {error.strerror}"
        raise EvidenceError(message) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        message = f"the lock {path} is no regular file; remove it"
        raise EvidenceError(message)
    return descriptor


class RunLock:
    """The right to run one workflow in one project."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._owner = os.getpid()
        os.register_at_fork(after_in_child=self._close_in_child)

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
        descriptor = _opened(path)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.pread(descriptor, _MAX_NOTE_BYTES, 0).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise LockHeldError(workflow=workflow, holder=holder or "by an unknown process") from error
        # The text is for people; the lock is the kernel's, so a stale text locks nobody out.
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"run {run}, process {os.getpid()}\n".encode("ascii"), 0)
        return cls(descriptor)

    def release(self) -> None:
        """Give the lock back; a second time does nothing."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _close_in_child(self) -> None:
        # A forked child shares the open file, and with it the lock: it would hold it for as
        # long as it lives, after the run itself is gone.
        self.release()
