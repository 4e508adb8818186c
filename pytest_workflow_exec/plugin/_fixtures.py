"""What the plugin's fixtures give to a step."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import pytest

from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run import Run, Sandbox, WorkflowHandle, restore_return

from ._keys import PLANNED, SESSION
from ._session import run_of


def workflow_handle(request: pytest.FixtureRequest) -> WorkflowHandle:
    """Return the workflow as the requesting step sees it."""
    item = _step_item(request)
    return WorkflowHandle(run_of(item), outputs=partial(_typed_outputs, item, run_of(item)))


def step_sandbox(request: pytest.FixtureRequest) -> Sandbox:
    """Return the requesting step's access to commands."""
    item = _step_item(request)
    return Sandbox(run_of(item), item.stash[PLANNED].step.id)


def _step_item(request: pytest.FixtureRequest) -> pytest.Item:
    node = request.node
    if isinstance(node, pytest.Item) and PLANNED in node.stash:
        return node
    pytest.fail(f"the fixture {request.fixturename!r} is only for steps of a workflow", pytrace=False)


def _typed_outputs(item: pytest.Item, run: Run) -> Mapping[StepId, object]:
    annotations = item.config.stash[SESSION].annotations.get(run.workflow.name, {})
    return {step: restore_return(outputs, annotations.get(step)) for step, outputs in run.values.outputs.items()}
