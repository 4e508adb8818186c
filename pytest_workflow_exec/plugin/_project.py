"""The project of a workflow file."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.errors import Problem, SettingsError
from pytest_workflow_exec.settings import OWN_FILE, find_project


def project_of(path: Path) -> Path:
    """Return the project that holds a workflow file.

    Raises:
        SettingsError: No project holds it, or its configuration can't be read.
    """
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        message = f"has a name that is no UTF-8 text ({str(path)!a}), which no evidence can hold: rename it"
        raise SettingsError([Problem(message=message)]) from error
    root = find_project(path.parent)
    if root is None:
        message = (
            f"belongs to no project: no folder above it has a {OWN_FILE}, a [tool.workflow-exec] table "
            f"in pyproject.toml, or a repository. Put a {OWN_FILE} where the project starts."
        )
        raise SettingsError([Problem(path=path, message=message)])
    return root
