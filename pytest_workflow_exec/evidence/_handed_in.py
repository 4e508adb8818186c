"""Small files that people put where a run looks. Nothing in them is ever believed by itself."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._files import reason_of

_MAX_BYTES = 1 << 16
_MOST_FILES = 1000
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """A file that somebody put there."""

    path: Path
    content: bytes = b""
    problem: str = ""
    """Why it can't be read; empty if it was."""


def files_in(folder: Path, ending: str, *, max_bytes: int = _MAX_BYTES) -> Iterator[HandedIn]:
    """Give every file of a folder whose name ends so, by name; none if there is no folder.

    Raises:
        EvidenceError: The folder can't be read, or holds more of them than anybody hands in.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(ending) and path.name[0] != ".")
    except FileNotFoundError:
        return
    except OSError as error:
        raise EvidenceError(f"{folder} can't be read: {reason_of(error)}") from error
    if len(paths) > _MOST_FILES:
        raise EvidenceError(
            f"{folder} holds {len(paths)} files *{ending}, and more than {_MOST_FILES} are not looked at"
        )
    for path in paths:
        try:
            yield HandedIn(path=path, content=read_small(path, max_bytes=max_bytes))
        except (OSError, ValueError) as error:
            yield HandedIn(path=path, problem=reason_of(error))


def read_small(path: Path, *, max_bytes: int = _MAX_BYTES) -> bytes:
    """Return what is in a small regular file that is no link.

    Raises:
        OSError: It can't be read.
        ValueError: It is something else, or longer than any answer or signature.
    """
    file = os.open(path, _READ)
    with os.fdopen(file, "rb") as opened:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise ValueError("it is no regular file")
        content = opened.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise ValueError(f"it is longer than {max_bytes} bytes")
    return content
