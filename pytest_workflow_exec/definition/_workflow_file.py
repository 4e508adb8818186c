"""What holds of a workflow's file whatever it is written in: where it is, what it is called, what it trusts."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_workflow_exec.errors import DefinitionError, Problem

from ._names import name_from_file, step_id_problem
from ._problems import Problems
from ._schema_basics import DeclarationModel
from ._sources import source_digests
from ._texts import Files


def absolute(path: Path) -> Path:
    """Return the path from the file system's root, with `..` taken out and links left in."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps the `..`


def check_in_project(path: Path, root: Path) -> None:
    """Check that a workflow file belongs to the project.

    Raises:
        DefinitionError: It does not.
    """
    if not path.is_relative_to(root):
        raise DefinitionError([Problem(path=path, message=f"is not in the project at {root}")])


def workflow_name(model: DeclarationModel | None, path: Path, problems: Problems) -> str:
    """Return the name of a workflow: what it says, else what its file is called."""
    if model is not None and model.workflow is not None:
        return model.workflow
    name = name_from_file(path)
    problem = step_id_problem(name)
    if model is not None and problem is not None:
        problems.at((), f"the file's name gives no name for the workflow: {problem}. Say it: workflow: my-name")
    return name


def workflow_sources(files: Files, problems: Problems) -> dict[str, str]:
    """Return the digest of every file that the run trusts, by path from the root."""
    try:
        return source_digests(files.root, files.contents, files.folder)
    except OSError as error:
        problems.at((), f"{error.filename or 'a conftest.py'} can't be read: {error.strerror or error}")
        return {}
