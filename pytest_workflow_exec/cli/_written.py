"""Files that a command leaves where it was told to: new ones, never in the place of others."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError


def write_new(path: Path, content: bytes) -> None:
    """Write a file that is not there yet.

    Raises:
        EvidenceError: It is there already, or can't be written.
    """
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise EvidenceError(f"{path} is there already, and is kept") from error
    except OSError as error:
        raise EvidenceError(f"{path} can't be written: {error.strerror}") from error
