"""What a run leaves when it has passed: the outputs that its workflow declares."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Workflow
from pytest_workflow_exec.run._values import Values


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What a run leaves."""

    values: Mapping[str, Json] | None = None
    """By name; None if its workflow declares nothing, or not all of it can be had."""
    problem: str = ""
    """Why it can't be had: then the run has not done what it was to do."""


def results_of(workflow: Workflow, values: Values) -> Results:
    """Return what a run leaves whose steps are all satisfied."""
    if not workflow.outputs:
        return Results()
    found: dict[str, Json] = {}
    for name, template in workflow.outputs.items():
        try:
            found[name] = values.argument_value(template)
        except OutputError as error:
            return Results(problem=f"output {name!r} of the workflow: {error}")
    return Results(values=found)
