"""Whether a step's condition holds, judged on the values of this run."""

from __future__ import annotations

from collections.abc import Callable

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import OutputError
from pytest_workflow_exec.model import Comparison, Condition, Junction, Negation, Operand, Reference, Truth, When
from pytest_workflow_exec.run._values import Values


def holds(when: When, values: Values) -> bool:
    """Return whether the condition holds.

    Raises:
        OutputError: A value is missing, or can't be compared as asked: a guess could leave out a step.
    """
    try:
        return _holds(when.condition, values)
    except OutputError as error:
        message = f"when {when.text!r} can't be judged: {error}"
        raise OutputError(message) from error


def _holds(condition: Condition, values: Values) -> bool:
    if isinstance(condition, Junction):
        together = all if condition.word == "and" else any
        return together(_holds(part, values) for part in condition.parts)
    if isinstance(condition, Negation):
        return not _holds(condition.part, values)
    if isinstance(condition, Truth):
        return _truth(_value(condition.operand, values))
    return _compare(condition, values)


def _compare(condition: Comparison, values: Values) -> bool:
    left, right = _value(condition.left, values), _value(condition.right, values)
    if condition.comparator in ("in", "not in"):
        if not isinstance(right, (list, tuple)):
            message = f"{_shown(right)} is no list to look into"
            raise OutputError(message)
        found = any(_same_kind(left, item) and left == item for item in right)
        return found is (condition.comparator == "in")
    if not _same_kind(left, right):
        message = f"{_shown(left)} and {_shown(right)} are of different kinds"
        raise OutputError(message)
    if condition.comparator in _EQUALITY:
        return (left == right) is (condition.comparator == "==")
    if isinstance(left, bool) or not isinstance(left, (int, float)) or not isinstance(right, (int, float)):
        message = f"{_shown(left)} and {_shown(right)} are no numbers; only numbers have an order here"
        raise OutputError(message)
    return _ORDER[condition.comparator](left, right)


_EQUALITY = ("==", "!=")
_ORDER: dict[str, Callable[[float, float], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def _truth(value: Json) -> bool:
    if isinstance(value, bool):
        return value
    message = f"{_shown(value)} is neither true nor false; compare it with something"
    raise OutputError(message)


def _value(operand: Operand, values: Values) -> Json:
    return values.value(operand) if isinstance(operand, Reference) else operand


def _same_kind(left: Json, right: Json) -> bool:
    kinds = (bool, (int, float), str, (list, tuple))
    return any(isinstance(left, kind) and isinstance(right, kind) for kind in kinds) and (
        isinstance(left, bool) == isinstance(right, bool)
    )


def _shown(value: Json) -> str:
    return repr(value)[:80]
