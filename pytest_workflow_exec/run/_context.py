"""The context of a step's work: the project's CLAUDE.md files, and what the run knows by now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import Step, StepId
from pytest_workflow_exec.run._repository import repository_facts
from pytest_workflow_exec.run._run import Run

if TYPE_CHECKING:
    from pytest_workflow_exec.context import Context, Query

_RUN_SHARE = 2
"""What the run knows takes at most one part of so many of the budget."""


def context_of(run: Run, query: Query, step: Step) -> Context:
    """Return the context of the step under way, and take note of it for its evidence.

    What the run knows takes at most half of the budget, and the files the rest. As it holds what every step before has
    left, the step counts as one that used them. A step of a fragment sees the fragment's own inputs and steps.

    Raises:
        ContextError: What the query requires can't be loaded whole.
    """
    from pytest_workflow_exec.context import load_context, sections_within

    left = _left_behind(run, step)
    sections = sections_within(_known(run, step, left), query.max_tokens // _RUN_SHARE)
    taken = sum(section.tokens for section in sections)
    files = load_context(
        run.workflow.root, run.workflow.file.parent, replace(query, max_tokens=query.max_tokens - taken)
    )
    for used in left.values():
        run.note_use(used)
    context = replace(files, sections=sections, max_tokens=query.max_tokens)
    run.note_context({name: value for name, value in context.to_data().items() if name != "omitted"})
    return context


def _left_behind(run: Run, step: Step) -> Mapping[str, StepId]:
    """Return the steps whose outputs a step sees, by the names that they have there."""
    there, enclosure = run.values.outputs, step.enclosure
    if enclosure is None:
        return {each: each for each in there}
    own = (each.id for each in run.workflow.steps if each.fragment == step.fragment and each.id in there)
    return {each.removeprefix(enclosure.prefix): each for each in own if each.startswith(enclosure.prefix)}


def _inputs(run: Run, step: Step) -> Mapping[str, Json]:
    values, enclosure = run.values, step.enclosure
    if enclosure is None:
        return {name: value for name, value in values.inputs.items() if name not in values.secrets}
    return {name: values.argument_value(value) for name, value in enclosure.inputs.items()}


def _known(run: Run, step: Step, left: Mapping[str, StepId]) -> Mapping[str, str]:
    outputs: Mapping[str, Json] = {name: dict(run.values.outputs[each].values) for name, each in left.items()}
    texts = {
        "inputs of the run" if step.enclosure is None else "inputs of the fragment": _spelled(_inputs(run, step)),
        "state of the repository": _spelled(repository_facts(run.workflow.root)),
        "configuration of the run": _spelled(
            {"workflow": run.workflow.name, "run": run.id, "policy": run.policy.digest, "sandbox": run.policy.level}
        ),
        "outputs of earlier steps": _spelled(outputs),
    }
    return {name: run.redactor.text(text) for name, text in texts.items()}


def _spelled(values: Mapping[str, Json]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False, sort_keys=True)
