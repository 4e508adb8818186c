"""What every definition has in common: scalars as they are written, and the model of what stands around steps."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict
from pydantic_core import PydanticCustomError

from pytest_workflow_exec.durations import parse_duration

from ._names import one_line_problem, quoted, step_id_problem
from ._yaml_text import QUOTES, Plain

OWN_WORDS = "workflow"
"""The type of the errors whose message is ours and needs no translation."""

_MAX_WHOLE_DIGITS = 9


def complaint(message: str) -> PydanticCustomError:
    """Return an error that pydantic hands on as it is, with its place."""
    return PydanticCustomError(OWN_WORDS, "{message}", {"message": message})


def as_text(value: object) -> object:
    """Return a scalar as its text."""
    if isinstance(value, Plain) and not value:
        raise complaint('has no value; write "" if an empty text is meant')
    if isinstance(value, dict):
        raise complaint(f"must be a text, not a mapping; if it is one text, {QUOTES}")
    if isinstance(value, (list, tuple)):
        raise complaint(f"must be a text, not a list; if it is one text, {QUOTES}")
    if not isinstance(value, str):
        raise complaint(f"must be a text, not {value!r}; {QUOTES}")
    return str(value)


def as_line(value: object) -> object:
    """Return a text of one line."""
    text = as_text(value)
    problem = one_line_problem(str(text))
    if problem is not None:
        raise complaint(problem)
    return text


def as_name(value: object) -> object:
    """Return a text that can name something."""
    text = as_text(value)
    problem = step_id_problem(str(text))
    if problem is not None:
        raise complaint(problem)
    return text


def as_duration(value: object) -> float:
    """Return a duration in seconds."""
    try:
        return parse_duration(str(as_text(value)))
    except ValueError as error:
        raise complaint(str(error)) from error


def as_whole(value: object) -> int:
    """Return a whole number."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = str(as_text(value))
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_WHOLE_DIGITS):
        raise complaint(f"must be a whole number, not {quoted(text)}")
    return int(text)


def as_flag(value: object) -> bool:
    """Return whether it is true."""
    if isinstance(value, bool):
        return value
    text = str(as_text(value))
    if text not in ("true", "false"):
        raise complaint(f"must be true or false, not {quoted(text)}")
    return text == "true"


def as_choice(value: object) -> object:
    """Return a text as plain text: one of some words."""
    return str(value) if isinstance(value, str) else value


def as_items(value: object) -> object:
    """Return a list, whichever kind of sequence it is; a text is none."""
    if isinstance(value, str) and value:
        raise complaint(f"takes a list: write [{value}]" if value.isprintable() else "takes a list")
    return list(value) if isinstance(value, tuple) else value


def as_lists(value: object) -> object:
    """Return lists by the names of their variables; of anything else, how those are written."""
    if not isinstance(value, dict) and value is not None:
        raise complaint("names a variable with its list: write {host: [web1, web2]}, used as ${each.host}")
    return value


Text = Annotated[str, BeforeValidator(as_text)]

Lists = Annotated[dict[str, object], BeforeValidator(as_lists)]

Line = Annotated[str, BeforeValidator(as_line)]

Name = Annotated[str, BeforeValidator(as_name)]

Duration = Annotated[float, BeforeValidator(as_duration)]

Flag = Annotated[bool, BeforeValidator(as_flag)]

Whole = Annotated[int, BeforeValidator(as_whole)]


class Strict(BaseModel):
    """A mapping with these keys and no others; every value is what it is, never converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class NarrowingModel(Strict):
    """What a workflow itself keeps its commands to, of those that the project's policy allows."""

    only: list[Line]


class DeclarationModel(Strict):
    """The keys of a workflow that both forms have; what is below them is read piece by piece."""

    workflow: Name | None = None
    description: Text = ""
    mode: Annotated[Literal["python", "ai_json", "interactive"], BeforeValidator(as_choice)] = "python"
    inputs: dict[str, object] = {}
    vars: dict[str, object] = {}
    concurrency: Line | None = None
    defaults: object = None
    outputs: dict[str, Text] = {}
    policy: NarrowingModel | None = None
