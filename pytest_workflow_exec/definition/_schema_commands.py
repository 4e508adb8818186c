"""The models of what commands must have done, and of the values that they leave."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ._schema_basics import (
    Duration,
    Strict,
    Text,
    Whole,
    as_choice,
    as_text,
    complaint,
)


class MatchModel(Strict):
    """The matchers of one expectation."""

    in_: Annotated[list[Text] | None, Field(alias="in", min_length=1)] = None
    not_: Annotated[Text | None, Field(alias="not")] = None
    matches: Text | None = None
    not_matches: Text | None = None
    contains: Text | None = None
    lt: Text | None = None
    le: Text | None = None
    gt: Text | None = None
    ge: Text | None = None


class JsonMatchModel(Strict):
    """The matchers of one value in JSON; what they compare with keeps its type."""

    in_: Annotated[list[object] | None, Field(alias="in", min_length=1)] = None
    not_: Annotated[object, Field(alias="not")] = None
    matches: object = None
    not_matches: object = None
    contains: object = None
    lt: object = None
    le: object = None
    gt: object = None
    ge: object = None


class EqualsModel(MatchModel):
    """The short form: a text instead of matchers. Never validated, so `equals:` can't be written in a file."""

    equals: str


def _match(value: object) -> object:
    if isinstance(value, str):
        return EqualsModel.model_construct(equals=str(as_text(value)))
    if isinstance(value, list):
        raise complaint("must be a text or matchers; for a choice write {in: [...]}")
    if isinstance(value, dict) and not value:
        raise complaint("holds no matcher")
    return value


Match = Annotated[MatchModel, BeforeValidator(_match)]


class ExpectModel(Strict):
    """What a command must have done."""

    exit: Match | None = None
    stdout: Match | None = None
    stderr: Match | None = None
    json_: Annotated[dict[str, object] | None, Field(alias="json")] = None


class OutputModel(Strict):
    """How an output becomes a value."""

    stdout: Text | None = None
    json_: Annotated[Text | None, Field(alias="json")] = None
    glob: Text | None = None
    count: Whole | None = None
    type: (
        Annotated[Literal["file", "list", "string", "integer", "number", "boolean"], BeforeValidator(as_choice)] | None
    ) = None
    default: Text | None = None


class PollModel(Strict):
    """How a step is repeated until it is as expected."""

    every: Duration
    timeout: Duration = 86400.0
    fail_on: ExpectModel | None = None
    wait: Annotated[Literal["suspend"], BeforeValidator(as_choice)] | None = None
