"""What was used up, kept by whoever lets a thing happen once: a file that only grows, one line for each use."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import stat
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import BinaryIO

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.lazy_patterns import lazy_pattern

from ._files import opened_directory, reason_of

_OPEN = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
_LINE = lazy_pattern(rb"([0-9a-f]{32})(?: [\x20-\x7e]*)?\n")
_NONCE = lazy_pattern(r"[0-9a-f]{32}", re.ASCII)
_MAX_LINE_BYTES = 1 << 16
_PATIENCE_S = 30.0
_PAUSE_S = 0.05


class UsedBeforeError(EvidenceError):
    """Something may be used once, and was."""


def use_up(path: Path, nonce: str, *, note: str) -> None:
    """Note in a file that something is used now, so that nobody can use it again, whatever happens next.

    Args:
        path: The file; made if it is missing, in a folder that is there.
        nonce: What it is: 32 hexadecimal digits.
        note: What else whoever reads the file wants to know; printable ASCII.

    Raises:
        UsedBeforeError: It is in the file.
        EvidenceError: The file can't be read to its end, trusted or written. It counts as used then if it may have
            been written.
    """
    line = f"{nonce} {datetime.now(timezone.utc).strftime('%Y-%m-%dT%H:%M:%SZ')} {note}\n".encode("ascii")
    if not _NONCE.fullmatch(nonce) or not _LINE.fullmatch(line) or len(line) > _MAX_LINE_BYTES:
        raise EvidenceError(f"{nonce!r} can't be noted as used")
    try:
        with _opened(path) as (file, folder):
            _demand_unused(file, path, nonce)
            if os.write(file.fileno(), line) != len(line):
                # What was written stays: a file that ends in the middle of a line lets nothing through.
                raise EvidenceError(f"{path} could not be written whole: the disk is full")
            os.fsync(file.fileno())
            os.fsync(folder)
    except OSError as error:
        raise EvidenceError(f"{path} can't be used to note what was used: {reason_of(error)}") from error


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    with opened_directory(path.absolute().parent, follow=True) as folder:
        descriptor = os.open(path.name, _OPEN, 0o600, dir_fd=folder)
        with os.fdopen(descriptor, "rb") as file:
            _demand_own(os.fstat(descriptor), path)
            _lock(descriptor, path)
            # Whoever had it before may have put another one in its place.
            held, named = os.fstat(descriptor), os.stat(path.name, dir_fd=folder, follow_symlinks=False)
            if (held.st_dev, held.st_ino, held.st_nlink) != (named.st_dev, named.st_ino, 1):
                raise EvidenceError(f"{path} was replaced by another file while it was waited for")
            yield file, folder


def _demand_own(facts: os.stat_result, path: Path) -> None:
    problems = (
        (not stat.S_ISREG(facts.st_mode), "it is no regular file"),
        (facts.st_nlink != 1, "it has several names"),
        (facts.st_uid != os.geteuid(), f"it belongs to uid {facts.st_uid}, not to you (uid {os.geteuid()})"),
        (bool(facts.st_mode & 0o022), "others can write it: chmod go-w"),
    )
    for applies, why in problems:
        if applies:
            raise EvidenceError(f"{path} can't be used to note what was used: {why}")


def _lock(descriptor: int, path: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if time.monotonic() >= until:
                raise EvidenceError(f"{path} is held by another process since {_PATIENCE_S:g} s") from error
            time.sleep(_PAUSE_S)
        else:
            return


def _demand_unused(file: BinaryIO, path: Path, nonce: str) -> None:
    number, wanted, found = 0, nonce.encode("ascii"), False
    while raw := file.readline(_MAX_LINE_BYTES + 1):
        number += 1
        line = _LINE.fullmatch(raw)
        if line is None:
            what = (
                "ends in the middle of a line" if not raw.endswith(b"\n") else "is none of those that are written here"
            )
            raise EvidenceError(
                f"{path}:{number}: this line {what}. Look at it and mend it: until then nothing is let through"
            )
        found = found or line.group(1) == wanted
    # Only once all of it was read: a file that can't be trusted is told first.
    if found:
        raise UsedBeforeError(f"it was used before, as {path} says (nonce {nonce})")
