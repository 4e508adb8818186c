"""When a step applies: a small language without functions and arithmetic, read into frozen values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._text import Reference, with_nested

Constant = str | int | float | bool
Operand: TypeAlias = "Constant | Reference | tuple[Constant, ...]"
Comparator = Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """An operand that must itself be true or false."""

    operand: Operand


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two operands compared."""

    left: Operand
    comparator: Comparator
    right: Operand


@dataclass(frozen=True, slots=True, kw_only=True)
class Negation:
    """The opposite of a condition."""

    part: Condition


@dataclass(frozen=True, slots=True, kw_only=True)
class Junction:
    """Several conditions: all of them, or any of them."""

    word: Literal["and", "or"]
    parts: tuple[Condition, ...]


Condition: TypeAlias = "Truth | Comparison | Negation | Junction"


@dataclass(frozen=True, slots=True, kw_only=True)
class When:
    """The condition of a step, as its author wrote it and as it is meant."""

    text: str
    condition: Condition

    @property
    def references(self) -> tuple[Reference, ...]:
        """Every value that it asks for."""
        return tuple(each for reference in _references(self.condition) for each in with_nested(reference))


def _references(condition: Condition) -> Iterator[Reference]:
    if isinstance(condition, Junction):
        for part in condition.parts:
            yield from _references(part)
    elif isinstance(condition, Negation):
        yield from _references(condition.part)
    else:
        operands = (condition.operand,) if isinstance(condition, Truth) else (condition.left, condition.right)
        yield from (operand for operand in operands if isinstance(operand, Reference))
