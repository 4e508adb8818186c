"""Order and completeness of the session's items: reordering is undone, a cut plan is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import pytest

from pytest_workflow_exec.model import StepId, Workflow
from pytest_workflow_exec.run import steps_until

from ._keys import PLANNED
from ._planned import planned

_NAMED = 10


def restore_order(items: list[pytest.Item]) -> None:
    """Put the steps of each workflow back into plan order, together where its first item stands."""
    steps = [item for item in items if PLANNED in item.stash]
    by_workflow: dict[str, list[pytest.Item]] = {}
    for item in sorted(steps, key=lambda item: item.stash[PLANNED].position):
        by_workflow.setdefault(item.stash[PLANNED].workflow, []).append(item)
    items[:] = [each for item in items for each in _in_place_of(item, by_workflow)]


def _in_place_of(item: pytest.Item, by_workflow: dict[str, list[pytest.Item]]) -> Sequence[pytest.Item]:
    step = planned(item)
    return (item,) if step is None else by_workflow.pop(step.workflow, ())


def cuts(items: Iterable[pytest.Item], workflows: Mapping[str, Workflow], until: Mapping[str, StepId]) -> list[str]:
    """Return what is wrong with the selection: steps left out or doubled, in the user's words.

    A workflow of which no step is selected is not part of the session at all.

    Args:
        until: The last step to run of each workflow that is to stop early.
    """
    selected: dict[str, Counter[str]] = {}
    for item in items:
        if (step := planned(item)) is not None:
            selected.setdefault(step.workflow, Counter())[step.step.id] += 1
    return [text for name, steps in selected.items() for text in _cut(workflows[name], steps, until.get(name))]


def stop_after(items: list[pytest.Item], workflows: Mapping[str, Workflow], until: Mapping[str, StepId]) -> None:
    """Deselect the steps behind the last one that is to run."""
    wanted = {(name, step.id) for name, last in until.items() for step in steps_until(workflows[name], last)}
    left_out = [
        item
        for item in items
        if (step := planned(item)) is not None
        and step.workflow in until
        and (step.workflow, step.step.id) not in wanted
    ]
    if left_out:
        left_out[0].config.hook.pytest_deselected(items=left_out)
        gone = set(map(id, left_out))
        items[:] = [item for item in items if id(item) not in gone]


def _cut(workflow: Workflow, selected: Counter[str], until: StepId | None) -> Iterable[str]:
    left_out = [step.id for step in steps_until(workflow, until) if step.id not in selected]
    doubled = [step for step, count in selected.items() if count > 1]
    if left_out:
        yield f"workflow {workflow.name!r} would run without {_some(left_out)}"
    if doubled:
        yield f"workflow {workflow.name!r} would run more than once: {_some(doubled)}"


def _some(steps: Sequence[str]) -> str:
    more = len(steps) - _NAMED
    return ", ".join(steps[:_NAMED]) + (f" and {more} more" if more > 0 else "")
