"""Why a signed answer is none."""

from __future__ import annotations

from pytest_workflow_exec.errors import WorkflowExecError


class BallotRefusedError(WorkflowExecError):
    """A signed answer does not count; nothing of it is taken in."""
