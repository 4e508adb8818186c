"""What can go wrong with a fleet on purpose."""

from __future__ import annotations

from pytest_workflow_exec.errors import WorkflowExecError


class FleetError(WorkflowExecError):
    """Something that was asked of a fleet can't be done."""


class FleetRefusedError(FleetError):
    """A submission is not run, or a run does not go on here; says why."""


class FleetLostError(FleetError):
    """This host has no say in a run any more: another one took it over, or its leg has ended."""
