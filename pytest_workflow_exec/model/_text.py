"""Texts of the author, with references that stand for values of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._input import InputSpec, InputValue

_WHOLE = 2
"""The length of the path of a whole input or variable; a longer one names a group of a pattern."""

CaseValue = str | int | float | bool
"""What one case of a step stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One `${scope.name.key}` in a text."""

    scope: Literal["inputs", "steps", "vars", "run", "each", "given"]
    path: tuple[str, ...]

    def __str__(self) -> str:
        """Return the reference as its author wrote it."""
        return "${" + ".".join((self.scope, *self.path)) + "}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EachReference(Reference):
    """`${each.name}` in one case of a step, with what it stands for there: known when the workflow is read."""

    value: CaseValue


@dataclass(frozen=True, slots=True, kw_only=True)
class EveryReference(Reference):
    """`${steps.build.wheels[*]}`: every value of a list, each an argument of its own."""

    def __str__(self) -> str:
        """Return the reference as its author wrote it."""
        return "${" + ".".join((self.scope, *self.path)) + "[*]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenReference(Reference):
    """`${inputs.name}` or `${vars.name}` in an included step, with what it stands for where the fragment is included."""

    given: Template | InputValue
    """A text in terms of the including file, or a value that is known when the workflow is read."""
    spec: InputSpec | None = None
    """What the fragment allows as the input's value; None for a variable."""
    fragment: str = ""
    """The fragment's file, from the project root."""
    weight: int = 1
    """How many references it stands for, all together."""

    def __str__(self) -> str:
        """Return the reference as its author wrote it."""
        return "${" + ".".join(self.path) + "}"

    @property
    def nested(self) -> tuple[Reference, ...]:
        """The references of the including file that it stands for."""
        return self.given.references if isinstance(self.given, Template) else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenEveryReference(EveryReference):
    """`${inputs.hosts[*]}` in an included step."""

    listed: GivenReference

    def __str__(self) -> str:
        """Return the reference as its author wrote it."""
        return "${" + ".".join(self.path) + "[*]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text of the author with its references; never evaluated, never split."""

    text: str
    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """The references in it, in order; behind one of a fragment those that it stands for."""
        return tuple(each for part in self.parts if isinstance(part, Reference) for each in with_nested(part))

    @property
    def every(self) -> EveryReference | None:
        """The reference to a list that it is, of which each value is an argument; None if it is one text."""
        [only] = self.parts if len(self.parts) == 1 else [None]
        return only if isinstance(only, EveryReference) else None

    @property
    def shown(self) -> str:
        """The text as its author wrote it, with the values of its case, and what a fragment was given, filled in."""
        if not any(isinstance(part, (EachReference, GivenReference, GivenEveryReference)) for part in self.parts):
            return self.text
        return "".join(_shown(part) for part in self.parts)


def with_nested(reference: Reference) -> Iterator[Reference]:
    """Give a reference and, behind one of a fragment, those of the including file that it stands for."""
    yield reference
    given = reference.listed if isinstance(reference, GivenEveryReference) else reference
    if isinstance(given, GivenReference):
        yield from given.nested


def case_text(value: CaseValue) -> str:
    """Return a case's value as it stands in a text."""
    return value if isinstance(value, str) else json.dumps(value)


def _shown(part: str | Reference) -> str:
    if isinstance(part, EachReference):
        return case_text(part.value)
    if isinstance(part, GivenReference) and len(part.path) == _WHOLE:
        if isinstance(part.given, Template):
            return part.given.shown
        return part.given if isinstance(part.given, str) else json.dumps(part.given)
    if isinstance(part, GivenEveryReference):
        given = part.listed.given
        return f"{given.shown.removesuffix('}')}[*]}}" if isinstance(given, Template) else json.dumps(given)
    return str(part) if isinstance(part, Reference) else part.replace("${", "$${")
