"""The project that a log belongs to, and whose signatures count there."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.approval import Trust
from pytest_workflow_exec.errors import PinError
from pytest_workflow_exec.evidence import STATE_DIRECTORY, find_pin, pin_places
from pytest_workflow_exec.run import trust_in

from ._find import project


def project_of(log: Path) -> Path:
    """Return the project that a log lies in; that of the working directory if it lies in none."""
    folder = log.resolve().parent
    state = next((parent for parent in folder.parents if parent.name == STATE_DIRECTORY), None)
    return project() if state is None else state.parent


def trust_of(log: Path) -> Trust:
    """Return whose signatures count for a run.

    Raises:
        PinError: Its project is not pinned here.
    """
    root = project_of(log)
    pin = find_pin(root, pin_places())
    if pin is None:
        raise PinError(f"{root} is not pinned here: `workflow-exec trust` there says whose signatures count")
    return trust_in(pin)
