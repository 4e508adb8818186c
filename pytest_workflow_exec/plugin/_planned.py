"""Which step of which workflow an item is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import pytest

from pytest_workflow_exec.errors import Problem
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Step, Workflow

from ._keys import PLANNED


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """Which step of which workflow an item is."""

    workflow: str
    step: Step
    position: int
    """Its place in the plan, from 0."""
    function: Callable[..., object] | None = None
    """The tracked function that must run to its end; None for steps without Python of their own."""
    annotation: object = None
    """What the function is annotated to return; None without one."""
    evidence_type: object = None
    """The pydantic model that `@step(evidence=...)` gives it; None without one, and for steps in YAML."""


def talking_problems(items: Iterable[pytest.Item], workflow: Workflow) -> Iterator[Problem]:
    """Give the steps whose code asks for `claude`, directly or by a fixture, in a workflow whose mode does not let it."""
    if workflow.mode == "interactive":
        return
    for item in items:
        if PLANNED in item.stash and "claude" in getattr(item, "fixturenames", ()):
            step = item.stash[PLANNED].step
            where = step.location
            yield Problem(
                path=where.path,
                line=where.line,
                column=where.column,
                message=f"step {step.id!r} asks for the fixture 'claude', which talks with a model, and the workflow's mode "
                f"is {workflow.mode}. Say mode: interactive (in Python, mode='interactive')",
            )


def planned(item: pytest.Item) -> PlannedItem | None:
    """Return which step the item is; None for ordinary tests."""
    return item.stash.get(PLANNED, None)
