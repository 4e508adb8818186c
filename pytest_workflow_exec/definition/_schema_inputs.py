"""The models of what a workflow declares as inputs."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ._schema_basics import Line, Strict, Text, as_choice, as_items


class InputModel(Strict):
    """One input."""

    type: Annotated[
        Literal["string", "integer", "number", "boolean", "enum", "list", "path", "file", "secret"],
        BeforeValidator(as_choice),
    ] = "string"
    description: Text = ""
    pattern: Text | None = None
    values: Annotated[list[Text], Field(min_length=1), BeforeValidator(as_items)] | None = None
    default: object = None


class DefaultModel(Strict):
    """A default that stands in a file of the project."""

    from_: Annotated[Line, Field(alias="from")]
    key: Line


class DefaultEnvModel(Strict):
    """Where a secret comes from: a variable of the environment."""

    env: Line
