"""`--workflow-break-glass`: at which gate a person is asked whether they go past the signatures that it wants."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.errors import PreflightError, Problem
from pytest_workflow_exec.model import Gate, StepId, Workflow
from pytest_workflow_exec.sandbox import Policy

_OPTION = "--workflow-break-glass"


def glass_to_break(config: pytest.Config, workflow: Workflow, *, only: bool) -> StepId | None:
    """Return the gate at which a person is asked; None if the option names none of this workflow.

    Args:
        only: Whether the workflow is the only one of the session that runs.

    Raises:
        PreflightError: It does not say of which workflow, or names several gates, or what is no gate that wants signatures.
    """
    gates = []
    for option in config.getoption("workflow_break_glass"):
        target, _, step = option.rpartition(":")
        if not target and not only:
            raise _problem(workflow, f"{_OPTION} {option!r} does not say of which workflow: WORKFLOW:GATE")
        if target in ("", workflow.name):
            gates.append(step)
    if len(gates) > 1:
        raise _problem(workflow, f"{_OPTION} takes one gate of a workflow, not {len(gates)}")
    signed = [step.id for step in workflow.steps if isinstance(step.body, Gate) and step.body.signed is not None]
    for gate in gates:
        if gate not in signed:
            known = ", ".join(signed) or "none"
            raise _problem(workflow, f"{_OPTION} {gate!r} is no gate that wants signatures (those are: {known})")
    return gates[0] if gates else None


def glass_problem(gate: StepId, policy: Policy, *, terminal_problem: str | None) -> str | None:
    """Return why nobody can be asked to break the glass of a gate; None if somebody can.

    Args:
        terminal_problem: Why no person can be asked here, or None if one can.
    """
    if not policy.break_glass:
        return f"{_OPTION} {gate}: the policy does not grant it (break_glass = true, in what is pinned)"
    if policy.pin is None:
        return f"{_OPTION} {gate}: the policy is unpinned, so that anybody who can edit the project could grant it"
    return None if terminal_problem is None else f"{_OPTION} asks a person for a reason: {terminal_problem}"


def _problem(workflow: Workflow, message: str) -> PreflightError:
    return PreflightError([Problem(path=workflow.file, message=message)])
