"""Saving a log whose name was taken from it: what the open file holds is written where nobody has to look for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pytest_workflow_exec.errors import EvidenceError

from ._files import opened_directory, private_directory, reason_of, write_all
from ._names import RUNS, SAVED, STATE_DIRECTORY

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK_BYTES = 1 << 20
_MOST_NAMES = 1000


def saved(reader: Callable[[], BinaryIO], run_directory: Path) -> str:
    """Return, in words for an error, where a log that lost its name was saved to; or why it could not be.

    Args:
        reader: Gives a reader of the open file from its start.
        run_directory: Where it was.
    """
    problem = "its project is not known"
    for folder, save in _places(run_directory):
        try:
            return f"What it held is saved in {save(reader)}."
        except (EvidenceError, OSError) as error:
            problem = f"{folder}: {reason_of(error)}"
    return f"What it held could not be saved ({problem})."


def _places(run_directory: Path) -> list[tuple[Path, Callable[[Callable[[], BinaryIO]], Path]]]:
    run = run_directory.name
    if (run_directory.parent.name, run_directory.parents[1].name) != (RUNS, STATE_DIRECTORY):
        return [
            (run_directory.parent, lambda reader: _beside(run_directory.parent, f"workflow-exec-saved-{run}", reader))
        ]
    state, root = run_directory.parents[1], run_directory.parents[2]
    return [
        (state / SAVED, lambda reader: _within(state, run, reader)),
        (root, lambda reader: _beside(root, f"workflow-exec-saved-{run}", reader)),
    ]


def _within(state: Path, run: str, reader: Callable[[], BinaryIO]) -> Path:
    # Not made again if it is gone: whoever removed it would look for a saved file anywhere but there.
    with opened_directory(state) as parent, private_directory(state / SAVED, parent=parent) as folder:
        return _write(state / SAVED, run, reader(), folder)


def _beside(folder: Path, name: str, reader: Callable[[], BinaryIO]) -> Path:
    with opened_directory(folder, follow=True) as descriptor:
        return _write(folder, name, reader(), descriptor)


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
