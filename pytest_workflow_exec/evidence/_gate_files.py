"""What lies beside a log for its gates: the bytes that are to be signed, and answers that were handed in.

Nothing here is ever believed by itself: whoever uses a file judges what it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.errors import EvidenceError

from ._files import opened_directory, private_directory, reason_of, write_durably
from ._handed_in import HandedIn, files_in

_FOLDER = "gates"
_DECISION = ".decision.json"
_DIGEST_CHARACTERS = 16


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
    return files_in(run_directory / _FOLDER, _DECISION)


def _written(path: Path, content: bytes) -> Path:
    run_directory = path.parent.parent
    try:
        with opened_directory(run_directory) as run, private_directory(path.parent, parent=run) as folder:
            write_durably(path, content, folder=folder)
    except OSError as error:
        raise EvidenceError(f"{path} can't be written: {reason_of(error)}") from error
    return path
