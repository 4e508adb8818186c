"""`--workflow-until`: which step is the last one to run."""

from __future__ import annotations

from pytest_workflow_exec.errors import PreflightError, Problem
from pytest_workflow_exec.model import StepId, is_named_by

from ._session import WorkflowSession


def read_until(session: WorkflowSession) -> dict[str, StepId]:
    """Return the last step to run of each workflow that is to stop early.

    Raises:
        PreflightError: An option does not say of which workflow, or names a step that is not there.
    """
    until: dict[str, StepId] = {}
    for option in session.config.getoption("workflow_until"):
        target, _, step = option.rpartition(":")
        if not target and len(session.workflows) > 1:
            raise _usage(f"--workflow-until {option!r} does not say of which workflow: WORKFLOW:STEP")
        name = target or next(iter(session.workflows), "")
        steps = [each.id for each in session.workflows[name].steps] if name in session.workflows else []
        found = [each for each in steps if is_named_by(each, step)]
        if not found:
            known = ", ".join(steps) or "none"
            raise _usage(f"--workflow-until {option!r}: there is no such step (known: {known})")
        until[name] = found[-1]
    return until


def _usage(message: str) -> PreflightError:
    return PreflightError([Problem(message=message)])
