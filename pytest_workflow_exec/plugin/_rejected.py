"""A new run of a plan that somebody rejected: a person says why, at a terminal, or nothing is run."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_workflow_exec.errors import LogUnreadableError, PreflightError, Problem
from pytest_workflow_exec.model import RunId, Workflow
from pytest_workflow_exec.run import AfterRejection, rejected_runs, starter


def rejected_before(workflow: Workflow) -> Sequence[RunId]:
    """Return the runs in which just this plan was rejected, and for which no reason was given since.

    Raises:
        PreflightError: A log that may say so can't be read.
    """
    try:
        return rejected_runs(workflow)
    except LogUnreadableError as error:
        message = f"whether its plan was rejected before can't be told: {error}. See `workflow-exec runs`"
        raise PreflightError([Problem(path=workflow.file, message=message)]) from error


def rejection_problem(runs: Sequence[RunId], *, terminal_problem: str | None) -> str | None:
    """Return why a new run can't begin after rejections; None if it can, or if a person can be asked.

    Args:
        terminal_problem: Why no person can be asked here; None if one can.
    """
    if not runs or terminal_problem is None:
        return None
    return (
        f"just this plan was rejected in run {', '.join(runs)}, so a person must say why it is run: {terminal_problem}"
    )


def reason_after(runs: Sequence[RunId], workflow: Workflow) -> AfterRejection | None:
    """Return why a plan is run that was rejected; None if it was not.

    Raises:
        PreflightError: Nobody said why.
    """
    if not runs:
        return None
    from pytest_workflow_exec.approval import ask_reason

    reason = ask_reason(f"just this plan of workflow {workflow.name} was rejected in run {', '.join(runs)}.")
    if not reason:
        message = f"the plan was rejected in run {', '.join(runs)}, and nobody said why it is run; nothing was run"
        raise PreflightError([Problem(path=workflow.file, message=message)])
    return AfterRejection(runs=tuple(runs), reason=reason, who=str(starter()["user"]))
