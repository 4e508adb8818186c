"""Comparisons in conditions that can only go one way: a wrong word or type there would leave out a step unseen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import (
    Comparison,
    Condition,
    EachReference,
    GivenReference,
    InputSpec,
    Junction,
    Negation,
    Operand,
    Outcome,
    Reference,
    Step,
    Truth,
)

from ._names import quoted, suggestion
from ._problems import Problems

_OUTCOMES = tuple(each.value for each in Outcome)
_OF_TYPE = {
    "string": "a text",
    "enum": "a text",
    "path": "a text",
    "integer": "a number",
    "number": "a number",
    "boolean": "true or false",
    "list": "a list",
}
_OF_KEY = {"stdout": "a text", "stderr": "a text", "outcome": "a text", "exit": "a number"}


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of an operand before the run."""

    shown: str
    kind: str | None
    """None: anything."""
    choices: tuple[str, ...] = ()
    """The only values that it can have; empty for any."""


def check_comparisons(steps: Iterable[Step], inputs: Iterable[InputSpec], problems: Problems) -> None:
    """Add a problem for each comparison that can't be judged, or whose answer hangs on no value."""
    specs = {spec.name: spec for spec in inputs}
    told: set[tuple[object, str]] = set()
    for step in steps:
        if step.when is None:
            continue
        for message in _objections(step.when.condition, specs):
            # The cases of a step share its condition, and the steps of a block that of the block.
            if (step.location, message) not in told:
                told.add((step.location, message))
                problems.at_location(step.location, f"when {quoted(step.when.text)} can't be meant: {message}")


def _objections(condition: Condition, specs: Mapping[str, InputSpec]) -> Iterator[str]:
    if isinstance(condition, Junction):
        for part in condition.parts:
            yield from _objections(part, specs)
    elif isinstance(condition, Negation):
        yield from _objections(condition.part, specs)
    elif isinstance(condition, Truth):
        known = _known(condition.operand, specs)
        if known.kind not in (None, "true or false"):
            yield f"{known.shown} is {known.kind}, neither true nor false; compare it with something"
    else:
        yield from _compared(condition, specs)


def _compared(condition: Comparison, specs: Mapping[str, InputSpec]) -> Iterator[str]:
    left, right = _known(condition.left, specs), _known(condition.right, specs)
    if condition.comparator in ("in", "not in"):
        if right.kind not in (None, "a list"):
            yield f"{right.shown} is {right.kind}, and no list to look into"
        elif isinstance(condition.right, tuple):
            for item in condition.right:
                yield from _together(left, _known(item, specs))
        elif right.kind == "a list" and left.kind not in (None, "a text"):
            yield f"{left.shown} is {left.kind}, and {right.shown} a list of texts"
    elif condition.comparator in ("==", "!="):
        yield from _together(left, right)
    else:
        for each in [each for each in (left, right) if each.kind not in (None, "a number")][:1]:
            yield f"{each.shown} is {each.kind}; only numbers have an order here"


def _together(left: _Known, right: _Known) -> Iterator[str]:
    if left.kind is not None and right.kind is not None and left.kind != right.kind:
        yield f"{left.shown} is {left.kind}, and {right.shown} {right.kind}"
    elif left.choices and right.choices and not set(left.choices) & set(right.choices):
        # A constant is its own only choice.
        one, other = (left, right) if len(right.choices) == 1 else (right, left)
        near = suggestion(other.choices[0], one.choices) if len(other.choices) == 1 else ""
        yield f"{one.shown} is never {other.shown}{near}"


def _known(operand: Operand, specs: Mapping[str, InputSpec]) -> _Known:
    if isinstance(operand, EachReference):
        # The values of one list may be of several types.
        return _Known(_name(operand), None)
    if isinstance(operand, GivenReference):
        return _of_input(operand, operand.spec, operand.path[1:])
    if not isinstance(operand, Reference):
        choices = (operand,) if isinstance(operand, str) else ()
        return _Known(repr(operand), _kind(operand), choices)
    if operand.scope == "inputs":
        return _of_input(operand, specs.get(operand.path[0]), operand.path)
    if operand.scope == "steps" and len(operand.path) > 1:
        key = operand.path[-1]
        return _Known(_name(operand), _OF_KEY.get(key), _OUTCOMES if key == "outcome" else ())
    return _Known(_name(operand), None)


def _of_input(reference: Reference, spec: InputSpec | None, path: tuple[str, ...]) -> _Known:
    if spec is None:
        return _Known(_name(reference), None)
    if len(path) > 1:
        # A named group of its pattern.
        return _Known(_name(reference), "a text")
    return _Known(_name(reference), _OF_TYPE.get(spec.type), spec.values)


def _kind(value: object) -> str | None:
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, (int, float)):
        return "a number"
    return "a list" if isinstance(value, tuple) else None


def _name(reference: Reference) -> str:
    return str(reference)[2:-1]
