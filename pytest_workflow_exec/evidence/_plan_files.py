"""Approved plans that lie beside a workflow file, for its repository to keep. Nothing in them is believed by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError

from ._files import opened_directory, reason_of, write_durably
from ._handed_in import HandedIn, files_in, read_small

FOLDER = "approved-plans"

_ENDING = ".json"
_MAX_BYTES = 4 << 20
_FOLDER_MODE, _FILE_MODE = 0o755, 0o644


def plans_folder(file: Path, workflow: str) -> Path:
    """Return where the approved plans of a workflow lie.

    Args:
        file: The workflow's own file.
    """
    return file.parent / FOLDER / workflow


def approved_plans(folder: Path) -> Iterator[HandedIn]:
    """Give every file of approved plans, by name.

    Raises:
        EvidenceError: The folder can't be read, or holds more files than anybody approves.
    """
    return files_in(folder, _ENDING, max_bytes=_MAX_BYTES)


def read_approved_plan(path: Path) -> bytes | None:
    """Return what a file of approved plans holds; None if there is none.

    Raises:
        EvidenceError: It can't be read.
    """
    try:
        return read_small(path, max_bytes=_MAX_BYTES)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise EvidenceError(f"{path} can't be read: {reason_of(error)}") from error


def keep_approved_plan(path: Path, content: bytes) -> None:
    """Write a file of approved plans, whole or not at all.

    Raises:
        EvidenceError: It can't be written.
    """
    try:
        path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        with opened_directory(path.parent) as folder:
            write_durably(path, content, folder=folder, mode=_FILE_MODE)
    except OSError as error:
        raise EvidenceError(f"{path} can't be written: {reason_of(error)}") from error
