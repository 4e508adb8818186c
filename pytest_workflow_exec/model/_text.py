"""Texts of the author, with references that stand for values of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One `${scope.name.key}` in a text."""

    scope: Literal["inputs", "steps", "vars", "run"]
    path: tuple[str, ...]

    def __str__(self) -> str:
        """Return the reference as its author wrote it."""
        return "${" + ".".join((self.scope, *self.path)) + "}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A text of the author with its references; never evaluated, never split."""

    text: str
    parts: tuple[str | Reference, ...]

    @property
    def references(self) -> tuple[Reference, ...]:
        """The references in it, in order."""
        return tuple(part for part in self.parts if isinstance(part, Reference))
