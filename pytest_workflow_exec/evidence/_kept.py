"""Files that a run keeps for itself: whole copies, each in a folder of its own."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from pathlib import Path
from typing import BinaryIO

from pytest_workflow_exec.errors import EvidenceError

from ._files import opened_directory, private_directory, reason_of

_CHUNK_BYTES = 1 << 20
_READ_ONLY = 0o400


class NotSameError(EvidenceError):
    """A file does not hold what it is said to hold."""


def keep_copy(source: Path, place: Path, *, sha256: str) -> Path:
    """Return a durable copy of a file, under the file's name; one that is there already is used again.

    Args:
        place: The folder for the copy, made if it is missing; the one that holds it exists.
        sha256: What must be in the file, in hex.

    Raises:
        NotSameError: The file, or a copy that is there already, holds something else.
        EvidenceError: It can't be read, or the copy can't be written.
    """
    copy = place / source.name
    try:
        with opened_directory(place.parent) as parent, private_directory(place, parent=parent) as inner:
            if not _is_kept(copy, sha256):
                _write(source, place, copy, sha256)
                os.fsync(inner)
    except OSError as error:
        raise EvidenceError(f"{source} can't be copied to {copy}: {reason_of(error)}") from error
    return copy


def _is_kept(copy: Path, sha256: str) -> bool:
    try:
        found = digest_without_following(copy)
    except FileNotFoundError:
        return False
    if found != sha256:
        raise NotSameError(f"the copy {copy} holds something else now: somebody changed it")
    return True


def digest_without_following(path: Path) -> str:
    """Return the SHA-256 of a regular file's content, in hex; a link is no such file.

    Raises:
        OSError: It can't be read.
    """
    with _opened(path, os.O_NOFOLLOW) as file:
        return _digest(file, None)


def _write(source: Path, place: Path, copy: Path, sha256: str) -> None:
    temporary = place / f".{secrets.token_hex(8)}"
    try:
        with _opened(source) as original, open(temporary, "xb", opener=_private) as file:
            found = _digest(original, file)
            file.flush()
            # A program that was approved stays one.
            os.fchmod(file.fileno(), _READ_ONLY | stat.S_IMODE(os.fstat(original.fileno()).st_mode) & stat.S_IXUSR)
            os.fsync(file.fileno())
        if found != sha256:
            raise NotSameError(f"{source} changed since its step made it: it is now {found}, was {sha256}")
        # Under its name only once it is whole: a run that is killed here leaves nothing that looks like the copy.
        temporary.rename(copy)
    finally:
        with contextlib.suppress(FileNotFoundError):
            temporary.unlink()


def _opened(path: Path, more_flags: int = 0) -> BinaryIO:
    # Without waiting: a pipe would keep its reader until someone writes.
    file = open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | more_flags), "rb")  # noqa: PTH123, SIM115
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is no regular file")
    return file


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC, _READ_ONLY)


def _digest(file: BinaryIO, to: BinaryIO | None) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK_BYTES):
        digest.update(chunk)
        if to is not None:
            to.write(chunk)
    return digest.hexdigest()
