"""Which steps of a workflow are to run, and the plan of it as the order rule sees it."""

from __future__ import annotations

from types import MappingProxyType

from pytest_workflow_exec.model import Step, StepId, Workflow
from pytest_workflow_exec.run._state import Plan


def steps_until(workflow: Workflow, until: StepId | None) -> tuple[Step, ...]:
    """Return the steps that run if the workflow stops after `until`: all of them for None.

    Raises:
        ValueError: The workflow has no such step.
    """
    if until is None:
        return workflow.steps
    ids = [step.id for step in workflow.steps]
    return workflow.steps[: ids.index(until) + 1]


def plan_of(workflow: Workflow) -> Plan:
    """Return the plan of a workflow as the order rule sees it."""
    return Plan(
        tuple(step.id for step in workflow.steps),
        always=frozenset(step.id for step in workflow.steps if step.always),
        cleans=MappingProxyType({step.id: step.block for step in workflow.steps if step.block is not None}),
    )
