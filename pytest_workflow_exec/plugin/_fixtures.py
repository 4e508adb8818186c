"""What the plugin's fixtures give to a step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.model import IncludedOutputs, Reference, Step, StepId, Workflow
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
        step=item.stash[PLANNED].step,
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
    noted, step = _NotedOutputs(run, annotations), item.stash[PLANNED].step
    return noted if step.enclosure is None else _EnclosedOutputs(noted, run.workflow, step)


class _NotedOutputs(Mapping[StepId, object]):
    """What earlier steps returned; looking at it is noted, so that a resumed run knows who used what."""

    def __init__(self, run: Run, annotations: Mapping[StepId, object]) -> None:
        self._run, self._annotations = run, annotations

    def __getitem__(self, step: StepId) -> object:
        declared = self._run.workflow.included.get(step)
        if declared is not None:
            return _DeclaredOutputs(self._run, step, declared)
        outputs = self._run.values.outputs[step]
        self._run.note_use(step)
        return restore_return(outputs, self._annotations.get(step))

    def __iter__(self) -> Iterator[StepId]:
        yield from self._run.values.outputs
        yield from (name for name, declared in self._run.workflow.included.items() if _are_there(self._run, declared))

    def __len__(self) -> int:
        return sum(1 for _ in self)


def _are_there(run: Run, declared: IncludedOutputs) -> bool:
    return bool(declared.values) and all(path[0] in run.values.outputs for path in declared.values.values())


class _DeclaredOutputs(Mapping[str, Json]):
    """What a fragment declares as outputs, each looked up when it is asked for."""

    def __init__(self, run: Run, name: StepId, declared: IncludedOutputs) -> None:
        if not _are_there(run, declared):
            raise KeyError(name)
        self._run, self._paths = run, declared.values

    def __getitem__(self, key: str) -> Json:
        path = self._paths[key]
        self._run.note_use(path[0])
        return self._run.values.value(Reference(scope="steps", path=path))

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)


class _EnclosedOutputs(Mapping[StepId, object]):
    """What earlier steps of a fragment returned, by the ids that they have there."""

    def __init__(self, outputs: Mapping[StepId, object], workflow: Workflow, step: Step) -> None:
        self._outputs = outputs
        prefix = "" if step.enclosure is None else step.enclosure.prefix
        self._own = {
            each.id.removeprefix(prefix): each.id
            for each in workflow.steps
            if each.fragment == step.fragment and each.id.startswith(prefix)
        }
        self._own |= {
            name.removeprefix(prefix): name
            for name, declared in workflow.included.items()
            if declared.fragment == step.fragment and name.startswith(prefix)
        }

    def __getitem__(self, step: StepId) -> object:
        return self._outputs[self._own[step]]

    def __iter__(self) -> Iterator[StepId]:
        # Looked at by name only: to take one out would count as using it.
        there = frozenset(iter(self._outputs))
        return (own for own, step in self._own.items() if step in there)

    def __len__(self) -> int:
        return sum(1 for _ in self)
