"""What a workflow is given from outside."""

from __future__ import annotations

from typing import Literal

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._identity import Location

InputType = Literal["string", "integer", "number", "boolean", "enum", "list", "path", "file", "secret"]
InputValue = str | int | float | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DefaultFrom:
    """A default that is read from a key of a TOML, JSON or YAML file of the project."""

    path: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """One declared input of a workflow."""

    name: str
    type: InputType = "string"
    description: str = ""
    pattern: str | None = None
    """A full match; its named groups are values: `${inputs.version.series}`."""
    values: tuple[str, ...] = ()
    """The choices of an `enum`."""
    default: InputValue | DefaultFrom | None = None
    variable: str | None = None
    """The environment variable that holds a `secret`; None for every other type."""
    location: Location
