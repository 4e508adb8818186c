"""Items of the steps that are written in YAML, in a workflow of their own or in a fragment that one includes."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.model import Call, Function, Gate, Step, Workflow

from ._bodies import perform
from ._keys import PLANNED
from ._markers import mark_step
from ._placed import PlacedFunction
from ._planned import PlannedItem


def items_of(file: pytest.Module, workflow: Workflow) -> list[pytest.Item]:
    """Return an item for each step of the workflow in that file that is no function of Python."""
    return [
        _item(file, workflow, step, position) for position, step in enumerate(workflow.steps) if not is_function(step)
    ]


def _item(file: pytest.Module, workflow: Workflow, step: Step, position: int) -> pytest.Item:
    item: StepItem = StepItem.from_parent(file, name=step.id, callobj=_body_of(step))
    item.stash[PLANNED] = PlannedItem(workflow=workflow.name, step=step, position=position)
    mark_step(item, step)
    return item


class StepItem(PlacedFunction):
    """One step of a YAML workflow."""

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the step's own line, so that reports and editors lead there."""
        location = self.stash[PLANNED].step.location
        return location.path, location.line - 1, self.name


def is_function(step: Step) -> bool:
    """Return whether a step is a function of Python, whose item pytest made."""
    body = step.body
    return isinstance(body, Function) or (isinstance(body, Gate) and body.function is not None)


def _body_of(step: Step) -> Callable[..., None]:
    def body(request: pytest.FixtureRequest, **fixtures: object) -> None:
        __tracebackhide__ = True
        perform(request.node, step, {**fixtures, "request": request})

    names = step.body.fixtures if isinstance(step.body, Call) else ()
    # pytest asks the signature which fixtures to bring: a called function's own are its parameters.
    body.__signature__ = _signature(names)  # type: ignore[attr-defined]  # functions carry it
    body.__name__ = step.id.replace("-", "_")
    body.__doc__ = step.name
    return body


@functools.lru_cache(maxsize=256)
def _signature(names: tuple[str, ...]) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind) for name in dict.fromkeys(("request", *names))])
