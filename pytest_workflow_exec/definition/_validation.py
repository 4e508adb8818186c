"""Checking data against the schema: every complaint in plain words, at its place, with the nearest known name."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from . import _schema_basics
from ._names import quoted, suggestion
from ._problems import Problems, Where
from ._yaml_text import QUOTES, Plain

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)


def validated(model: type[M], data: object, where: Where, problems: Problems) -> M | None:
    """Return the data as that model, or None after adding what is wrong with it."""
    try:
        return model.model_validate(data)
    except ValidationError as error:
        _report(model, error.errors(include_url=False), where, problems)
    except RecursionError:
        problems.at(where, "is nested too deeply")
    return None


def _report(model: type[BaseModel], details: list[ErrorDetails], where: Where, problems: Problems) -> None:
    unknown = {detail["loc"] for detail in details if detail["type"] == "extra_forbidden"}
    for detail in details:
        way: Where = tuple(detail["loc"])
        if detail["type"] == "extra_forbidden":
            problems.at_key((*where, *way), _unknown_key(model, way, detail["input"]))
        elif detail["type"] != "missing":
            problems.at((*where, *way), _words(detail))
        elif not any(_replaces(model, key, way) for key in unknown):
            problems.at((*where, *way[:-1]), f"the key {str(way[-1])!r} is missing")


def _replaces(model: type[BaseModel], key: Where, missing: Where) -> bool:
    # `ide: build` is one mistake, not an unknown key and a missing one; a step of a kind that this
    # version doesn't know may well have other needs.
    if key[:-1] != missing[:-1]:
        return False
    from ._model_keys import keys_at

    keys = keys_at(model, key[:-1])
    return str(key[-1]) in keys.later or f"{str(missing[-1])!r}?" in suggestion(str(key[-1]), keys.known)


def _unknown_key(model: type[BaseModel], way: Where, value: object) -> str:
    # All models, for the first mistake; a file without one needs those of its own keys.
    from ._model_keys import MISPLACED, keys_at

    keys, key = keys_at(model, way[:-1]), str(way[-1])
    if key in keys.later:
        return f"{key!r} can't be used yet"
    misplaced = MISPLACED.get(model, {}).get(key) if len(way) == 1 else None
    if misplaced is not None:
        return misplaced
    message = f"unknown key {quoted(key)}{suggestion(key, keys.known)}"
    if isinstance(value, Plain) and not value:
        # In braces a comma ends a value: `{question: Publish, now}` has a key `now`.
        return f"{message}; if it is part of a text, {QUOTES}"
    return message


def _words(detail: ErrorDetails) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == _schema_basics.OWN_WORDS:
        return detail["msg"]
    if kind == "literal_error":
        return _not_a_choice(value, detail)
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        return f"must be a mapping, not {_kind_of(value)}"
    if kind == "list_type":
        return f"must be a list, not {_kind_of(value)}"
    if kind == "too_short":
        return "must not be empty"
    return detail["msg"][:1].lower() + detail["msg"][1:]


def _not_a_choice(value: object, detail: ErrorDetails) -> str:
    shown = quoted(value) if isinstance(value, str) else _kind_of(value)
    return f"must be {detail['ctx']['expected']}, not {shown}"


def _kind_of(value: object) -> str:
    if isinstance(value, str):
        return f"the text {quoted(value)}" if value else "nothing"
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, (list, tuple)) else quoted(repr(value))
