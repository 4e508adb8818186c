"""Short forms: a text instead of a mapping, and what is said of one that was to be a list."""

from __future__ import annotations

import shlex

from pydantic import BeforeValidator

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._schema_basics import (
    complaint,
)

_MAX_SHOWN = 200


def as_argv(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value:
        raise complaint("has no value; write a list of arguments: [git, status]")
    raise complaint(f"takes a list of arguments, as there is no shell that would split a text: {_as_list(value)}")


def _as_list(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    showable = command.isprintable() and len(command) < _MAX_SHOWN
    return f"write [{', '.join(words)}]" if showable else "write [git, status]"


@dataclass(frozen=True, slots=True)
class Short:
    """The short form of a mapping: a text instead of it, for one of its keys."""

    key: str

    def __call__(self, value: object) -> object:
        """Return the mapping that is meant."""
        return {self.key: value} if isinstance(value, str) else value


def short(key: str) -> BeforeValidator:
    return BeforeValidator(Short(key))
