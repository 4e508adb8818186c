"""Which run is meant, and which project."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.errors import LogUnreadableError, SettingsError
from pytest_workflow_exec.evidence import find_run
from pytest_workflow_exec.settings import find_project

FLEET = "fleet:"
"""What a run of a fleet begins with, where any run can be named."""


def log_of(reference: str) -> Path:
    """Return the log of the run that somebody named.

    Raises:
        LogUnreadableError: No run fits, or several do.
    """
    if reference.startswith(FLEET):
        return _log_from_fleet(reference.removeprefix(FLEET))
    # A run's path needs no project: a project that can't be read only matters if nothing else was found.
    root, problem = None, None
    try:
        root = find_project(Path.cwd())
    except (SettingsError, OSError) as error:
        problem = error
    try:
        return find_run(reference, root=root)
    except LogUnreadableError as error:
        if problem is None:
            raise
        raise LogUnreadableError(f"{error}\n{problem}") from error


def _log_from_fleet(reference: str) -> Path:
    # Only here: whoever asks about a run on this machine loads nothing of fleets.
    from ._fleet import log_kept

    return log_kept(reference)


def project() -> Path:
    """Return the project of the working directory.

    Raises:
        LogUnreadableError: There is none.
        SettingsError: A configuration file on the way can't be read.
    """
    return project_of(Path.cwd())


def project_of(folder: Path) -> Path:
    """Return the project that a folder lies in.

    Raises:
        LogUnreadableError: There is none.
        SettingsError: A configuration file on the way can't be read.
    """
    root = find_project(folder)
    if root is None:
        raise LogUnreadableError(
            "there is no project here: no folder above holds a workflow-exec.toml, a [tool.workflow-exec] in a "
            "pyproject.toml, or a .git"
        )
    return root
