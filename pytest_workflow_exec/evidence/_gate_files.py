"""What lies beside a log for its gates: the bytes that are to be signed, and answers that were handed in.

Nothing here is ever believed by itself: whoever uses a file judges what it says.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._files import opened_directory, private_directory, reason_of, write_durably

_FOLDER = "gates"
_DECISION = ".decision.json"
_MAX_BYTES = 1 << 16
_MOST_DECISIONS = 1000
_DIGEST_CHARACTERS = 16
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedIn:
    """A file that somebody put beside a log as an answer."""

    path: Path
    content: bytes = b""
    problem: str = ""
    """Why it can't be read; empty if it was."""


def challenge_path(run_directory: Path, step: str, digest: str) -> Path:
    """Return where the bytes lie that approve a question.

    Args:
        digest: The question's, in hex.
    """
    readable = re.sub(r"[^A-Za-z0-9_-]", "_", step)[:64]
    return run_directory / _FOLDER / f"{readable}-{digest[:_DIGEST_CHARACTERS]}.approve"


def keep_challenge(run_directory: Path, step: str, digest: str, content: bytes) -> Path:
    """Return the file that now holds what has to be signed.

    Raises:
        EvidenceError: It can't be written.
    """
    return _written(challenge_path(run_directory, step, digest), content)


def hand_in(run_directory: Path, content: bytes) -> Path:
    """Return the file that now holds an answer, for the run to take in when it goes on.

    Raises:
        EvidenceError: It can't be written.
    """
    name = f"{digest_of_bytes(content)[:_DIGEST_CHARACTERS]}{_DECISION}"
    return _written(run_directory / _FOLDER / name, content)


def handed_in(run_directory: Path) -> Iterator[HandedIn]:
    """Give every answer that lies beside a log, in an order of no meaning.

    Raises:
        EvidenceError: The folder can't be read, or holds more answers than anybody gives.
    """
    folder = run_directory / _FOLDER
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(_DECISION) and path.name[0] != ".")
    except FileNotFoundError:
        return
    except OSError as error:
        raise EvidenceError(f"{folder} can't be read: {reason_of(error)}") from error
    if len(paths) > _MOST_DECISIONS:
        raise EvidenceError(f"{folder} holds {len(paths)} decisions, and more than {_MOST_DECISIONS} are not looked at")
    for path in paths:
        try:
            yield HandedIn(path=path, content=read_small(path))
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


def _written(path: Path, content: bytes) -> Path:
    run_directory = path.parent.parent
    try:
        with opened_directory(run_directory) as run, private_directory(path.parent, parent=run) as folder:
            write_durably(path, content, folder=folder)
    except OSError as error:
        raise EvidenceError(f"{path} can't be written: {reason_of(error)}") from error
    return path
