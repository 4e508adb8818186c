"""The models of what people are asked, and of what a step waits for."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from ._schema_basics import (
    Duration,
    Flag,
    Line,
    Strict,
    Text,
    Whole,
    as_choice,
    as_items,
    as_text,
    as_whole,
    complaint,
)


def _required(value: object) -> object:
    if isinstance(value, dict):
        if not value:
            raise complaint("names no group; write {group: 2}, or a number")
        return {str(as_text(group)): as_whole(number) for group, number in value.items()}
    return None if value is None else as_whole(value)


class GateModel(Strict):
    """A question for a person."""

    question: Text
    show: Annotated[list[Line], BeforeValidator(as_items)] = []
    timeout: Duration | None = None
    meaning: Line = "approve"
    refs: Annotated[list[Line], BeforeValidator(as_items)] = []
    assurance: Whole = 1
    approvers: Annotated[list[Line], BeforeValidator(as_items)] = []
    required: Annotated[int | dict[str, int] | None, BeforeValidator(_required)] = None
    min_wait: Duration | None = None
    veto: Flag | None = None
    in_advance: Flag = False
    wait: Annotated[Literal["suspend"], BeforeValidator(as_choice)] | None = None
    on_timeout: Annotated[Literal["reject", "suspend"], BeforeValidator(as_choice)] = "reject"
    expires: Duration | None = None
    form: Annotated[dict[str, object] | None, Field(min_length=1)] = None


class ManualModel(Strict):
    """Work for a person."""

    instruction: Text
    checklist: Annotated[list[Text], BeforeValidator(as_items)] = []
    form: Annotated[dict[str, object] | None, Field(min_length=1)] = None


class PauseModel(Strict):
    """A time to wait for."""

    for_: Annotated[Duration | None, Field(alias="for")] = None
    until: Text | None = None
    wait: Annotated[Literal["suspend"], BeforeValidator(as_choice)] | None = None


class WaiveModel(Strict):
    """What a person is asked if the step fails."""

    question: Text
    timeout: Duration | None = None
    assurance: Whole = 1
    approvers: Annotated[list[Line], BeforeValidator(as_items)] = []
