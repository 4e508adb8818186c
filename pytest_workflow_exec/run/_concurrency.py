"""What workflows share that only one run at a time may use: the name of a workflow's concurrency group."""

from __future__ import annotations

import re

from pytest_workflow_exec.errors import OutputError, Problem
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import Workflow
from pytest_workflow_exec.run._values import Values

_GROUP = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)


def group_of(workflow: Workflow, values: Values) -> str | None:
    """Return the group that a run of the workflow belongs to, None for no group.

    Args:
        values: What references stand for before any step ran.

    Raises:
        OutputError: Its text does not give the name of a group; says why.
    """
    if workflow.concurrency is None:
        return None
    name = values.known(workflow.concurrency)
    if name is None:
        message = "the concurrency group must be known before the run begins"
        raise OutputError(message)
    if _GROUP.fullmatch(name) is None:
        message = f"the concurrency group {name[:64]!r} is no name: it must match {_GROUP.pattern}"
        raise OutputError(message)
    return name


def group_problems(workflow: Workflow, values: Values) -> list[Problem]:
    """Return what is wrong with the group that a run of the workflow would belong to."""
    try:
        group_of(workflow, values)
    except OutputError as error:
        return [Problem(path=workflow.file, message=str(error))]
    return []
