"""The database that is meant, and the project that is worked on."""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.cli._find import project
from pytest_workflow_exec.evidence import STATE_DIRECTORY
from pytest_workflow_exec.fleet import Database, FleetError, name_of_run, open_database, submission_named, write_log

VARIABLE = "WORKFLOW_EXEC_FLEET"


def address_of(database: str | None) -> str:
    """Return the address of the fleet's database.

    Raises:
        LogUnreadableError: It is a file of the project, and there is no project here.
    """
    return database or os.environ.get(VARIABLE) or f"sqlite:///{project() / STATE_DIRECTORY / 'fleet.sqlite'}"


@contextlib.contextmanager
def opened(arguments: argparse.Namespace, *, make: bool = False) -> Iterator[Database]:
    """Give the fleet's database.

    Args:
        make: Whether a file that is missing is made.

    Raises:
        FleetError: There is none, or it can't be used.
    """
    found = open_database(address_of(arguments.database), make=make)
    with contextlib.closing(found):
        yield found


@contextlib.contextmanager
def log_from(database: Database, reference: str) -> Iterator[Path]:
    """Give the log of a run as the database has it, in a folder that is removed afterwards.

    Raises:
        FleetError: There is no such run, or it has not begun.
    """
    run = name_of_run(database, submission_named(database, reference))
    with tempfile.TemporaryDirectory(prefix="workflow-exec-") as folder:
        place = Path(folder) / run
        place.mkdir()
        yield write_log(database, run, place)


def file_of(named: str, root: Path) -> Path:
    """Return the file of a workflow that somebody named by its name or its file.

    Raises:
        FleetError: There is none, or it is not the project's.
    """
    from pytest_workflow_exec.definition import list_workflows
    from pytest_workflow_exec.settings import find_project

    path = Path(named).resolve()
    if not path.is_file():
        found = [
            each.path for each in list_workflows(root) if each.name == named and find_project(each.path.parent) == root
        ]
        if len(found) != 1:
            what = "no workflow file and no workflow of this project is" if not found else "several workflows are"
            raise FleetError(f"{what} called {named!r}; `workflow-exec list` shows which there are")
        path = found[0].resolve()
    if not path.is_relative_to(root.resolve()):
        raise FleetError(f"{path} is not in the project {root}")
    return path
