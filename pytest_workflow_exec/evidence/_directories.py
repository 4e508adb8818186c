"""Where runs live: making the folder of a new one, finding the log of an old one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError, LogUnreadableError
from pytest_workflow_exec.model import RunId

from ._files import opened_directory, private_directory, reason_of
from ._git import excluded, ignore_everything, keep_from_cleaning
from ._names import LOG_NAME, RUN_SUBDIRECTORIES, RUNS, STATE_DIRECTORY
from ._run_id import RUN_ID
from ._segments import first_of

__all__ = [
    "STATE_DIRECTORY",
    "create_run_directory",
    "find_run",
    "opened_state",
    "run_ids",
    "runs_directory",
    "state_directory",
]

_SHOWN_CHOICES = 10


def runs_directory(root: Path) -> Path:
    """Return the folder that holds the runs of the project at `root`; it need not exist."""
    return root / STATE_DIRECTORY / RUNS


def state_directory(root: Path) -> Path:
    """Return the project's private folder for everything about its runs, made if it is missing.

    Raises:
        EvidenceError: It can't be made, is a link, or is somebody else's.
    """
    with opened_state(root):
        return root / STATE_DIRECTORY


def create_run_directory(root: Path, run: RunId) -> Path:
    """Return the new, private and durable folder of a run, with the folders its commands use.

    Raises:
        EvidenceError: It exists, can't be made, or something on the way is a link or somebody else's.
    """
    if not RUN_ID.fullmatch(run):
        raise EvidenceError(f"{run!r} is no run id")
    runs = runs_directory(root)
    with (
        opened_state(root) as state_folder,
        private_directory(runs, parent=state_folder) as runs_folder,
        private_directory(runs / run, parent=runs_folder, must_be_new=True) as folder,
    ):
        for name in RUN_SUBDIRECTORIES:
            with private_directory(runs / run / name, parent=folder, must_be_new=True):
                pass
    return runs / run


def find_run(reference: str, *, root: Path | None) -> Path:
    """Return the log of a run, from what a person typed.

    Args:
        reference: A run id, a unique prefix of one, `latest`, or a path of a run's folder or log.
        root: The project whose runs are meant; None if there is none, then only paths can be found.

    Raises:
        LogUnreadableError: No run fits, or several do; the message lists them.
    """
    if os.sep in reference or reference.endswith(".jsonl"):
        return _log_at(Path(reference))
    runs = run_ids(root) if root is not None else []
    latest = runs[:1] if reference == "latest" else []
    fitting = latest or [run for run in runs if reference and run.startswith(reference.lower())]
    if root is not None and len(fitting) == 1:
        return runs_directory(root) / fitting[0] / LOG_NAME
    if fitting:
        raise LogUnreadableError(f"{len(fitting)} runs begin with {reference!r}:\n{_listed(fitting)}")
    if reference and Path(reference).exists():
        return _log_at(Path(reference))
    raise LogUnreadableError(_nothing_found(reference, runs, root))


def run_ids(root: Path) -> list[RunId]:
    """Return the ids of the runs whose folders are there, newest first.

    Raises:
        LogUnreadableError: The folder that holds them can't be read.
    """
    try:
        names = [entry.name for entry in runs_directory(root).iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise LogUnreadableError(f"{runs_directory(root)} can't be read: {reason_of(error)}") from error
    return sorted((name for name in names if RUN_ID.fullmatch(name)), reverse=True)


@contextlib.contextmanager
def opened_state(root: Path) -> Iterator[int]:
    """Give a descriptor of `state_directory`.

    Raises:
        EvidenceError: It can't be made, is a link, or is somebody else's.
    """
    state = root / STATE_DIRECTORY
    with opened_directory(root, follow=True) as project, private_directory(state, parent=project) as folder:
        ignore_everything(state, folder)
        if excluded(root):
            keep_from_cleaning(state, folder)
        yield folder


def _log_at(path: Path) -> Path:
    log = path / LOG_NAME if path.is_dir() else path
    first = first_of(log)
    if first is not None and first.exists():
        raise LogUnreadableError(f"{log} is a later file of the log that begins in {first}. Give the path of that.")
    if not log.exists():
        raise LogUnreadableError(f"there is no {log}. Give the path of a run's folder or of its {LOG_NAME}.")
    return log


def _nothing_found(reference: str, runs: list[RunId], root: Path | None) -> str:
    if root is None:
        return f"there is no project here, so {reference!r} can't be a run of it. Give the path of a run."
    if not runs:
        return (
            f"there is no run {reference!r}, and no other: {runs_directory(root)} is empty. `workflow-exec list` names the "
            "project's workflows; pytest runs the one whose file it is given"
        )
    return f"there is no run {reference!r}. Newest first, there are:\n{_listed(runs)}"


def _listed(runs: list[RunId]) -> str:
    more = len(runs) - _SHOWN_CHOICES
    lines = [f"  {run}" for run in runs[:_SHOWN_CHOICES]]
    return "\n".join([*lines, f"  and {more} more"] if more > 0 else lines)
