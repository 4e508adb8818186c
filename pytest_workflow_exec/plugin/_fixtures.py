"""What the plugin's fixtures give to a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run import Run, Sandbox, WorkflowHandle, restore_return

from ._keys import PLANNED, SESSION
from ._session import run_of

if TYPE_CHECKING:
    from ._talks import Claude


def workflow_handle(request: pytest.FixtureRequest) -> WorkflowHandle:
    """Return the workflow as the requesting step sees it."""
    return handle_for(_step_item(request))


def handle_for(item: pytest.Item) -> WorkflowHandle:
    """Return the workflow as the step of an item sees it."""
    run = run_of(item)
    return WorkflowHandle(
        run,
        outputs=partial(_typed_outputs, item, run),
        ask=partial(_ask, item, run),
        batch=item.config.stash[SESSION].lines.batch,
    )


def _ask(item: pytest.Item, run: Run, *arguments: object, **options: object) -> object:
    __tracebackhide__ = True
    # Only here: a workflow that asks no model loads nothing that could.
    from ._ai import ask_for_code

    return ask_for_code(item, run, item.stash[PLANNED].step)(*arguments, **options)


def step_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Return the requesting step's access to commands."""
    return sandbox_for(_step_item(request))


def sandbox_for(item: pytest.Item) -> Sandbox:
    """Return the access to commands of the step of an item."""
    return Sandbox(run_of(item), item.stash[PLANNED].step.id)


def step_claude(request: pytest.FixtureRequest) -> Claude:
    """Return the requesting step's way to talk with a model."""
    # Only here: a workflow that talks with no model loads nothing that could.
    from ._talks import Claude

    return Claude(_step_item(request))


def _step_item(request: pytest.FixtureRequest) -> pytest.Item:
    node = request.node
    if isinstance(node, pytest.Item) and PLANNED in node.stash:
        return node
    pytest.fail(f"the fixture {request.fixturename!r} is only for steps of a workflow", pytrace=False)


def _typed_outputs(item: pytest.Item, run: Run) -> Mapping[StepId, object]:
    annotations = item.config.stash[SESSION].annotations.get(run.workflow.name, {})
    return _NotedOutputs(run, annotations)


class _NotedOutputs(Mapping[StepId, object]):
    """What earlier steps returned; looking at it is noted, so that a resumed run knows who used what."""

    def __init__(self, run: Run, annotations: Mapping[StepId, object]) -> None:
        self._run, self._annotations = run, annotations

    def __getitem__(self, step: StepId) -> object:
        outputs = self._run.values.outputs[step]
        self._run.note_use(step)
        return restore_return(outputs, self._annotations.get(step))

    def __iter__(self) -> Iterator[StepId]:
        return iter(self._run.values.outputs)

    def __len__(self) -> int:
        return len(self._run.values.outputs)
