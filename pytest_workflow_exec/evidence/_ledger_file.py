"""Adding to a ledger: under its lock, behind its last whole line, durably."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError

from ._files import reason_of
from ._ledger_lines import LedgerEntry, line_of_entry, sealed_entry
from ._record import NO_HASH

LEDGER_NAME = "ledger.jsonl"

_FLAGS = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_TAIL_BYTES = 1 << 16
_PATIENCE_S = 10.0
_PAUSE_S = 0.01


def append_entry(folder: int, path: Path, entry: LedgerEntry, *, synced: bool) -> None:
    """Add an entry to the ledger at `path`, which is made if it is missing.

    Args:
        folder: A descriptor of the folder that holds it.
        synced: Whether it has to survive a power cut.

    Raises:
        EvidenceError: It can't be written.
    """
    try:
        with _locked(folder, path) as file:
            before, prev = _end(file)
            _write(file, before + line_of_entry(entry, prev), path)
            if synced:
                os.fsync(file)
                os.fsync(folder)
    except OSError as error:
        raise EvidenceError(f"the ledger {path} can't be written: {reason_of(error)}") from error


def check_writable(folder: int, path: Path) -> None:
    """Return if an entry could be added to the ledger at `path`, which is made if it is missing.

    Raises:
        EvidenceError: It could not.
    """
    try:
        with _locked(folder, path):
            pass
    except OSError as error:
        raise EvidenceError(f"the ledger {path} can't be written: {reason_of(error)}") from error


@contextlib.contextmanager
def _locked(folder: int, path: Path) -> Iterator[int]:
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        file = os.open(path.name, _FLAGS, 0o600, dir_fd=folder)
        try:
            _own(file, path)
            # From reading the last line to writing the next one: otherwise two writers follow the same line.
            _lock(file, path, deadline)
            if _is_named(file, path.name, folder):
                yield file
                return
        finally:
            os.close(file)


def _lock(file: int, path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise EvidenceError(f"the ledger {path} is locked by another process") from None
            time.sleep(_PAUSE_S)
        else:
            return


def _own(file: int, path: Path) -> None:
    facts = os.fstat(file)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1 or facts.st_uid != os.geteuid():
        raise EvidenceError(f"{path} is not a regular file of its own that belongs to uid {os.geteuid()}")
    if stat.S_IMODE(facts.st_mode) != 0o600:  # noqa: PLR2004  # whatever the umask
        os.fchmod(file, 0o600)


def _is_named(file: int, name: str, folder: int) -> bool:
    held = os.fstat(file)
    try:
        named = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return (held.st_dev, held.st_ino) == (named.st_dev, named.st_ino)


def _end(file: int) -> tuple[bytes, str]:
    """Return what has to be written before the next line, and the hash of the last whole one."""
    size_bytes = os.fstat(file).st_size
    tail = os.pread(file, _TAIL_BYTES, max(size_bytes - _TAIL_BYTES, 0))
    ending = b"" if not tail or tail.endswith(b"\n") else b"\n"
    for raw in reversed(tail.split(b"\n")):
        sealed = sealed_entry(raw + b"\n")
        if sealed is not None:
            return ending, sealed.hash
    return ending, NO_HASH


def _write(file: int, content: bytes, path: Path) -> None:
    written = os.write(file, content)
    if written != len(content):
        raise EvidenceError(f"the ledger {path} took only {written} of {len(content)} bytes; is the disk full?")
