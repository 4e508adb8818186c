"""Steps whose evidence is a pydantic model: finding it before the first step, and judging by it what a step left."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pytest_workflow_exec.errors import OutputError, Problem, WorkflowExecError
from pytest_workflow_exec.model import ModelType, Step
from pytest_workflow_exec.run import StepOutputs, keepable

from ._planned import PlannedItem


def with_evidence(planned: PlannedItem, outputs: StepOutputs) -> StepOutputs:
    """Return what a step left if evidence can hold it, and it is what the step has to leave to pass.

    Raises:
        OutputError: Something is missing, empty, or not what its model takes.
        ValueRefusedError: A value is none that evidence can hold.
    """
    step = planned.step
    outputs = keepable(outputs, evidence=step.evidence)
    if step.evidence_type is None and planned.evidence_type is None:
        return outputs
    from pytest_workflow_exec.run import demand_evidence, is_model

    from ._load import load_model

    model = planned.evidence_type if step.evidence_type is None else load_model(step.evidence_type)
    if model is None:
        return outputs
    if not is_model(model):
        raise OutputError(f"its evidence is to be {model!r}, which is no pydantic model")
    demand_evidence(step, outputs, model)
    return outputs


def evidence_type_problems(steps: Iterable[Step]) -> Iterator[Problem]:
    """Give the steps whose evidence is to be something that is no pydantic model."""
    for step in steps:
        if step.evidence_type is None or (problem := _problem(step.evidence_type)) is None:
            continue
        place = step.location
        yield Problem(
            path=place.path, line=place.line, column=place.column, message=f"the evidence of step {step.id!r} {problem}"
        )


def _problem(wanted: ModelType) -> str | None:
    from pytest_workflow_exec.run import is_model

    from ._load import load_model

    try:
        model = load_model(wanted)
    except WorkflowExecError as error:
        return f"can't be judged: {error}"
    except Exception as error:  # noqa: BLE001  # the author's module, which may raise anything
        return f"can't be judged: {wanted.path.name} can't be imported: {type(error).__name__}: {error}"
    return None if is_model(model) else f"is to be {wanted.name}, which is no pydantic model in {wanted.path.name}"
