"""Conditions of steps: read, and checked where a step that does not apply would leave a hole."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_workflow_exec.model import Gate, Step, When

from ._conditions import ConditionError, parse_when
from ._names import quoted
from ._problems import Mark, Problems, Where
from ._texts import Texts


def read_when(text: str | None, where: Where, texts: Texts) -> When | None:
    """Return the condition of a step, after adding what is wrong with it; None if it has none."""
    if text is None:
        return None
    try:
        when = parse_when(text, steps=texts.scope.all_steps)
    except ConditionError as error:
        texts.problems.at(where, str(error))
        return None
    for reference in when.references:
        problem = texts.scope.problem(reference)
        if problem is not None:
            texts.problems.at(where, problem)
    return when


def check_covered(steps: Iterable[Step], problems: Problems) -> None:
    """Add a problem for each step that a gate covers which may not apply while the step does."""
    gate: Step | None = None
    for step in steps:
        if isinstance(step.body, Gate):
            gate = step
        elif gate is not None and gate.when is not None and not step.always and not _same(gate, step):
            place = Mark(step.location.line, step.location.column)
            message = f"step {quoted(step.id)} stands behind gate {quoted(gate.id)}, which may not apply: give it the same when"
            problems.standing_at(place).at((), message)


def _same(gate: Step, step: Step) -> bool:
    return step.when is not None and gate.when is not None and step.when.condition == gate.when.condition
