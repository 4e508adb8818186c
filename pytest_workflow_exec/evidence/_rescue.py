"""Saving a log whose name was taken from it: what the open file holds is written where nobody has to look for it."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

from pytest_workflow_exec.errors import EvidenceError

from ._files import opened_directory, private_directory, reason_of, write_all
from ._log_files import LogFiles
from ._names import SAVED, is_in_project
from ._segments import segment_path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CHUNK_BYTES = 1 << 20
_MOST_NAMES = 1000


def saved(log: LogFiles) -> str | None:
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
            return f"What it held is saved in {save(log)}."
        except (EvidenceError, OSError) as error:
            problem = f"{folder}: {reason_of(error)}"
    return f"What it held could not be saved ({problem})."


def _places(run_directory: Path) -> list[tuple[Path, Callable[[LogFiles], Path]]]:
    run = run_directory.name
    if not is_in_project(run_directory):
        return [(run_directory.parent, lambda log: _beside(run_directory.parent, f"workflow-exec-saved-{run}", log))]
    state, root = run_directory.parents[1], run_directory.parents[2]
    return [
        (state / SAVED, lambda log: _within(state, run, log)),
        (root, lambda log: _beside(root, f"workflow-exec-saved-{run}", log)),
    ]


def _within(state: Path, run: str, log: LogFiles) -> Path:
    # Not made again if it is gone: whoever removed it would look for a saved file anywhere but there.
    with opened_directory(state) as parent, private_directory(state / SAVED, parent=parent) as folder:
        return _write(state / SAVED, run, log, folder)


def _beside(folder: Path, name: str, log: LogFiles) -> Path:
    with opened_directory(folder, follow=True) as descriptor:
        return _write(folder, name, log, descriptor)


def _write(directory: Path, name: str, log: LogFiles, folder: int) -> Path:
    path, file = _new_file(directory, name, folder)
    _fill(file, cast("BinaryIO", log.opened(0)), folder)
    for number in range(1, log.count):
        # What was not kept open may be lost; the rest is worth keeping all the same.
        with contextlib.suppress(FileNotFoundError), cast("BinaryIO", log.opened(number)) as content:
            _fill(os.open(segment_path(path, number).name, _NEW, 0o600, dir_fd=folder), content, folder)
    return path


def _fill(file: int, content: BinaryIO, folder: int) -> None:
    try:
        os.fchmod(file, 0o600)
        while chunk := content.read(_CHUNK_BYTES):
            write_all(file, chunk)
        os.fsync(file)
        os.fsync(folder)
    finally:
        os.close(file)


def _new_file(directory: Path, name: str, folder: int) -> tuple[Path, int]:
    for number in range(1, _MOST_NAMES):
        path = directory / f"{name}-{number}.jsonl"
        with contextlib.suppress(FileExistsError):
            return path, os.open(path.name, _NEW, 0o600, dir_fd=folder)
    raise EvidenceError(f"{directory} holds {_MOST_NAMES - 1} saved logs of the run already")
