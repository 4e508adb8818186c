"""The digest of a file that nobody changes meanwhile."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError

from ._files import reason_of

_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_CHUNK_BYTES = 1 << 20


def digest_of_still(path: Path) -> str:
    """Return the SHA-256 of a regular file's content, in hex, if the file stayed the same while it was read.

    Raises:
        EvidenceError: It can't be read, is no regular file, or somebody wrote or replaced it meanwhile.
    """
    digest = hashlib.sha256()
    try:
        with os.fdopen(os.open(path, _OPEN), "rb", buffering=0) as file:
            before = os.fstat(file.fileno())
            if not stat.S_ISREG(before.st_mode):
                raise EvidenceError(f"{path} can't be read: it is no regular file")
            while chunk := file.read(_CHUNK_BYTES):
                digest.update(chunk)
            after, named = os.fstat(file.fileno()), path.stat()
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{path} can't be read: {reason_of(error)}") from error
    if not _facts(before) == _facts(after) == _facts(named):
        raise EvidenceError(f"{path} was written or replaced while it was read")
    return digest.hexdigest()


def _facts(facts: os.stat_result) -> tuple[int, ...]:
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns
