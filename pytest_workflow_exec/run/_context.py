"""The context of a step's work: the project's CLAUDE.md files, and what the run knows by now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.run._repository import repository_facts
from pytest_workflow_exec.run._run import Run

if TYPE_CHECKING:
    from pytest_workflow_exec.context import Context, Query

_RUN_SHARE = 2
"""What the run knows takes at most one part of so many of the budget."""


def context_of(run: Run, query: Query) -> Context:
    """Return the context of the step under way, and take note of it for its evidence.

    What the run knows takes at most half of the budget, and the files the rest. As it holds what every step before has
    left, the step counts as one that used them.

    Raises:
        ContextError: What the query requires can't be loaded whole.
    """
    from pytest_workflow_exec.context import load_context, sections_within

    sections = sections_within(_known(run), query.max_tokens // _RUN_SHARE)
    taken = sum(section.tokens for section in sections)
    files = load_context(
        run.workflow.root, run.workflow.file.parent, replace(query, max_tokens=query.max_tokens - taken)
    )
    for step in run.values.outputs:
        run.note_use(step)
    context = replace(files, sections=sections, max_tokens=query.max_tokens)
    run.note_context({name: value for name, value in context.to_data().items() if name != "omitted"})
    return context


def _known(run: Run) -> Mapping[str, str]:
    values = run.values
    inputs = {name: value for name, value in values.inputs.items() if name not in values.secrets}
    outputs: Mapping[str, Json] = {step: dict(left.values) for step, left in values.outputs.items()}
    texts = {
        "inputs of the run": _spelled(inputs),
        "state of the repository": _spelled(repository_facts(run.workflow.root)),
        "configuration of the run": _spelled(
            {"workflow": run.workflow.name, "run": run.id, "policy": run.policy.digest, "sandbox": run.policy.level}
        ),
        "outputs of earlier steps": _spelled(outputs),
    }
    return {name: run.redactor.text(text) for name, text in texts.items()}


def _spelled(values: Mapping[str, Json]) -> str:
    return json.dumps(values, indent=2, ensure_ascii=False, sort_keys=True)
