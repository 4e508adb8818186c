"""Digests of values: one canonical spelling, so that equal things have equal digests everywhere."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, TypeAlias

Json: TypeAlias = "bool | int | float | str | Sequence[Json] | Mapping[str, Json] | None"

_CHUNK_BYTES = 1 << 20
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


def canonical_json(value: Json) -> str:
    """Return the one spelling of `value` that its digest is taken of: sorted keys, compact, ASCII.

    Raises:
        TypeError: `value` holds something JSON has no word for.
        ValueError: `value` holds NaN or an infinity.
    """
    return _encode(value)


def digest_of(value: Json) -> str:
    """Return the SHA-256 of a value's canonical JSON, in hex.

    Raises:
        TypeError: `value` holds something JSON has no word for.
        ValueError: `value` holds NaN or an infinity.
    """
    return hashlib.sha256(canonical_json(value).encode("ascii")).hexdigest()


def digest_of_bytes(content: bytes) -> str:
    """Return the SHA-256 of `content`, in hex."""
    return hashlib.sha256(content).hexdigest()


def digest_of_file(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hex, without holding it in memory.

    Raises:
        OSError: The file can't be read, or is a pipe, a device or anything else but a regular file.
    """
    digest = hashlib.sha256()
    with _opened(path) as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _opened(path: Path) -> BinaryIO:
    # Asked before it is opened, because opening a device may already do something; and again after, because
    # the name may by then mean something else. Without waiting: a pipe would keep its reader until someone writes.
    _demand_regular(path.stat(), path)
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC), "rb")
    try:
        _demand_regular(os.fstat(file.fileno()), path)
    except BaseException:
        file.close()
        raise
    return file


def _demand_regular(facts: os.stat_result, path: Path) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise OSError(errno.EINVAL, "is no regular file", str(path))
