"""Conditions of steps: read, and checked where a step that does not apply would leave a hole."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

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
    base_of,
)

from ._conditions import ConditionError, parse_when
from ._names import quoted
from ._problems import Problems, Where
from ._templates import filled, implies
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
    return When(text=when.text, condition=_placed(when.condition, texts.scope.placed))


def filled_when(when: When, each: Mapping[str, CaseValue]) -> When:
    """Return a condition with what its `each` references stand for in one case."""
    return When(text=when.text, condition=_placed(when.condition, lambda reference: filled(reference, each)))


def both(first: When | None, second: When | None) -> When | None:
    """Return the condition that holds where both do; None stands for one that always does."""
    if first is None or second is None:
        return first or second
    joined = Junction(word="and", parts=(first.condition, second.condition))
    return When(text=f"({first.text}) and ({second.text})", condition=joined)


def _placed(condition: Condition, place: Callable[[Reference], Reference]) -> Condition:
    if isinstance(condition, Junction):
        return Junction(word=condition.word, parts=tuple(_placed(part, place) for part in condition.parts))
    if isinstance(condition, Negation):
        return Negation(part=_placed(condition.part, place))
    if isinstance(condition, Truth):
        return Truth(operand=_placed_operand(condition.operand, place))
    left, right = _placed_operand(condition.left, place), _placed_operand(condition.right, place)
    return Comparison(left=left, comparator=condition.comparator, right=right)


def _placed_operand(operand: Operand, place: Callable[[Reference], Reference]) -> Operand:
    return place(operand) if isinstance(operand, Reference) else operand


def check_covered(steps: Iterable[Step], problems: Problems) -> None:
    """Add a problem for each step that a gate covers which may not apply while the step does."""
    gate: Step | None = None
    for step in steps:
        if isinstance(step.body, Gate):
            gate = step
        elif gate is not None and gate.when is not None and not step.always and not _same(gate, step):
            step_id = quoted(base_of(step.id))
            message = f"step {step_id} stands behind gate {quoted(gate.id)}, which may not apply: give it the same when"
            problems.at_location(step.location, message)


def _same(gate: Step, step: Step) -> bool:
    return step.when is not None and gate.when is not None and implies(step.when.condition, gate.when.condition)
