"""Which gates a workflow has: what each of them covers, and whose signatures it wants."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.model import Gate, Signed, Step, StepId, Workflow


def gates_of(workflow: Workflow) -> Mapping[StepId, StepId | None]:
    """Return for each step the gate whose decision covers it; None if no gate does.

    A gate is covered by no other gate: it asks for itself. Steps of `finally` run whatever is decided.
    """
    gates: dict[StepId, StepId | None] = {}
    last = None
    for step in workflow.steps:
        is_gate = isinstance(step.body, Gate)
        gates[step.id] = None if is_gate or step.always else last
        last = step.id if is_gate else last
    return gates


def wants_signatures(workflow: Workflow) -> bool:
    """Return whether a gate or waiver of the workflow is decided by signatures."""
    return any(signed_of(step) is not None for step in workflow.steps)


def signed_of(step: Step) -> Signed | None:
    """Return which signatures the step's gate, or the acceptance of its failure, wants; None if none."""
    if isinstance(step.body, Gate):
        return step.body.signed
    return None if step.waive is None else step.waive.signed
