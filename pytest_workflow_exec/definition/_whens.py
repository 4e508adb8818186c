"""Conditions of steps: read, and checked where a step that does not apply would leave a hole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_workflow_exec.model import (
    CaseValue,
    Comparison,
    Condition,
    Gate,
    Junction,
    Negation,
    Operand,
    Reference,
    Step,
    Truth,
    When,
)

from ._conditions import ConditionError, parse_when
from ._names import quoted
from ._problems import Mark, Problems, Where
from ._templates import base_of, filled
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
    return filled_when(when, texts.scope.each or {})


def filled_when(when: When, each: Mapping[str, CaseValue]) -> When:
    """Return a condition with what its `each` references stand for in one case."""
    return When(text=when.text, condition=_filled(when.condition, each))


def _filled(condition: Condition, each: Mapping[str, CaseValue]) -> Condition:
    if isinstance(condition, Junction):
        return Junction(word=condition.word, parts=tuple(_filled(part, each) for part in condition.parts))
    if isinstance(condition, Negation):
        return Negation(part=_filled(condition.part, each))
    if isinstance(condition, Truth):
        return Truth(operand=_filled_operand(condition.operand, each))
    left, right = _filled_operand(condition.left, each), _filled_operand(condition.right, each)
    return Comparison(left=left, comparator=condition.comparator, right=right)


def _filled_operand(operand: Operand, each: Mapping[str, CaseValue]) -> Operand:
    return filled(operand, each) if isinstance(operand, Reference) else operand


def check_covered(steps: Iterable[Step], problems: Problems) -> None:
    """Add a problem for each step that a gate covers which may not apply while the step does."""
    gate: Step | None = None
    for step in steps:
        if isinstance(step.body, Gate):
            gate = step
        elif gate is not None and gate.when is not None and not step.always and not _same(gate, step):
            place = Mark(step.location.line, step.location.column)
            step_id = quoted(base_of(step.id))
            message = f"step {step_id} stands behind gate {quoted(gate.id)}, which may not apply: give it the same when"
            problems.standing_at(place).at((), message)


def _same(gate: Step, step: Step) -> bool:
    return step.when is not None and gate.when is not None and step.when.condition == gate.when.condition
