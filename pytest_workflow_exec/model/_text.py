"""Texts of the author, with references that stand for values of a run."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

CaseValue = str | int | float | bool
"""What one case of a step stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One `${scope.name.key}` in a text."""

    scope: Literal["inputs", "steps", "vars", "run", "each"]
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
class Template:
    """A text of the author with its references; never evaluated, never split."""

    text: str
    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """The references in it, in order."""
        return tuple(part for part in self.parts if isinstance(part, Reference))

    @property
    def every(self) -> EveryReference | None:
        """The reference to a list that it is, of which each value is an argument; None if it is one text."""
        [only] = self.parts if len(self.parts) == 1 else [None]
        return only if isinstance(only, EveryReference) else None

    @property
    def shown(self) -> str:
        """The text as its author wrote it, with the values of its case filled in."""
        if not any(isinstance(part, EachReference) for part in self.parts):
            return self.text
        return "".join(_shown(part) for part in self.parts)


def case_text(value: CaseValue) -> str:
    """Return a case's value as it stands in a text."""
    return value if isinstance(value, str) else json.dumps(value)


def _shown(part: str | Reference) -> str:
    if isinstance(part, EachReference):
        return case_text(part.value)
    return str(part) if isinstance(part, Reference) else part.replace("${", "$${")
