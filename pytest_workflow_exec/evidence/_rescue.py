"""Saving a log whose name was taken from it: what the open file holds is written where nobody has to look for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pytest_workflow_exec.errors import EvidenceError

from ._files import opened_directory, private_directory, reason_of, write_all
from ._log_file import LogFile
from ._names import SAVED, is_in_project

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK_BYTES = 1 << 20
_MOST_NAMES = 1000


def saved(log: LogFile) -> str | None:
    """Return, in words for an error, where a log that lost its name was saved to, or why it could not be.

    It is None if the log still has its name, or if that can't be told.
    """
    try:
        if log.displaced() is None:
            return None
    except OSError:
        return None
    problem = "its project is not known"
    for folder, save in _places(log.path.parent):
        try:
            return f"What it held is saved in {save(log.reader())}."
        except (EvidenceError, OSError) as error:
            problem = f"{folder}: {reason_of(error)}"
    return f"What it held could not be saved ({problem})."


def _places(run_directory: Path) -> list[tuple[Path, Callable[[BinaryIO], Path]]]:
    run = run_directory.name
    if not is_in_project(run_directory):
        return [
            (run_directory.parent, lambda content: _beside(run_directory.parent, f"workflow-exec-saved-{run}", content))
        ]
    state, root = run_directory.parents[1], run_directory.parents[2]
    return [
        (state / SAVED, lambda content: _within(state, run, content)),
        (root, lambda content: _beside(root, f"workflow-exec-saved-{run}", content)),
    ]


def _within(state: Path, run: str, content: BinaryIO) -> Path:
    # Not made again if it is gone: whoever removed it would look for a saved file anywhere but there.
    with opened_directory(state) as parent, private_directory(state / SAVED, parent=parent) as folder:
        return _write(state / SAVED, run, content, folder)


def _beside(folder: Path, name: str, content: BinaryIO) -> Path:
    with opened_directory(folder, follow=True) as descriptor:
        return _write(folder, name, content, descriptor)


def _write(directory: Path, name: str, content: BinaryIO, folder: int) -> Path:
    path, file = _new_file(directory, name, folder)
    try:
        os.fchmod(file, 0o600)
        while chunk := content.read(_CHUNK_BYTES):
            write_all(file, chunk)
        os.fsync(file)
        os.fsync(folder)
    finally:
        os.close(file)
    return path


def _new_file(directory: Path, name: str, folder: int) -> tuple[Path, int]:
    for number in range(1, _MOST_NAMES):
        path = directory / f"{name}-{number}.jsonl"
        with contextlib.suppress(FileExistsError):
            return path, os.open(path.name, _NEW, 0o600, dir_fd=folder)
    raise EvidenceError(f"{directory} holds {_MOST_NAMES - 1} saved logs of the run already")
