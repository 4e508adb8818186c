"""Checking data against the schema: every complaint in plain words, at its place, with the nearest known name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from pytest_workflow_exec.lean_dataclasses import dataclass

from . import _names, _schema
from ._names import quoted, suggestion
from ._problems import Problems, Where
from ._yaml_tree import QUOTES, Plain

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Keys:
    known: frozenset[str]
    later: frozenset[str]


def _keys(model: type[BaseModel], later: frozenset[str] = frozenset()) -> _Keys:
    fields = model.model_fields.items()
    return _Keys(known=frozenset(field.alias or name for name, field in fields), later=later)


_STEP: Mapping[tuple[str, ...], _Keys] = {
    (): _keys(_schema.StepModel, _names.STEP_LATER),
    ("expect",): _keys(_schema.ExpectModel),
    ("expect", "*"): _keys(_schema.MatchModel),
    ("check",): _keys(_schema.CheckModel, _names.CHECK_LATER),
    ("check", "expect"): _keys(_schema.ExpectModel),
    ("check", "expect", "*"): _keys(_schema.MatchModel),
    ("check", "call"): _keys(_schema.CallModel),
    ("check", "verify"): _keys(_schema.VerifyModel, _names.VERIFY_LATER),
    ("outputs", "*"): _keys(_schema.OutputModel),
    ("call",): _keys(_schema.CallModel),
    ("verify",): _keys(_schema.VerifyModel, _names.VERIFY_LATER),
    ("retry",): _keys(_schema.RetryModel),
    ("waive",): _keys(_schema.WaiveModel, _names.WAIVE_LATER),
    ("poll",): _keys(_schema.PollModel),
    ("poll", "fail_on"): _keys(_schema.ExpectModel),
    ("poll", "fail_on", "*"): _keys(_schema.MatchModel),
    ("gate",): _keys(_schema.GateModel, frozenset()),
    ("manual",): _keys(_schema.ManualModel),
    ("pause",): _keys(_schema.PauseModel),
    ("ai",): _keys(_schema.AiModel),
    ("ai", "context"): _keys(_schema.AiContextModel),
    ("session",): _keys(_schema.SessionModel),
    ("session", "context"): _keys(_schema.AiContextModel),
}
_TABLES: Mapping[type[BaseModel], Mapping[tuple[str, ...], _Keys]] = {
    _schema.DeclarationModel: {
        (): _keys(_schema.DeclarationModel, _names.WORKFLOW_LATER),
        ("policy",): _keys(_schema.NarrowingModel),
    },
    _schema.FileModel: {
        (): _keys(_schema.FileModel, _names.WORKFLOW_LATER),
        ("policy",): _keys(_schema.NarrowingModel),
    },
    _schema.DefaultsModel: {(): _keys(_schema.DefaultsModel), ("retry",): _keys(_schema.RetryModel)},
    _schema.OwnRetry: {(): _keys(_schema.OwnRetry), ("retry",): _keys(_schema.RetryModel)},
    _schema.InputModel: {(): _keys(_schema.InputModel, _names.INPUT_LATER)},
    _schema.DefaultModel: {(): _keys(_schema.DefaultModel)},
    _schema.JsonMatchModel: {(): _keys(_schema.JsonMatchModel)},
    _schema.DefaultEnvModel: {(): _keys(_schema.DefaultEnvModel)},
    _schema.StepModel: _STEP,
    _schema.CheckModel: {way[1:]: keys for way, keys in _STEP.items() if way[:1] == ("check",)},
    _schema.BlockModel: {(): _keys(_schema.BlockModel, _names.BLOCK_LATER)},
    _schema.IncludeModel: {(): _keys(_schema.IncludeModel)},
    _schema.FragmentDeclarationModel: {(): _keys(_schema.FragmentDeclarationModel)},
    _schema.FragmentModel: {(): _keys(_schema.FragmentModel)},
}


_MISPLACED: Mapping[type[BaseModel], Mapping[str, str]] = {
    _schema.BlockModel: {
        kind: f"a block does nothing itself; put {quoted(kind)} into a step of it" for kind in _schema.KINDS
    },
    _schema.IncludeModel: {
        **{kind: f"an include does nothing itself; put {quoted(kind)} into a step" for kind in _schema.KINDS},
        **{
            key: f"an include is read once; put it into a block, and {quoted(key)} there"
            for key in ("foreach", "allow_empty")
        },
    },
    _schema.FragmentModel: {
        key: f"{quoted(key)} belongs to a workflow, and this is a fragment"
        for key in ("workflow", "mode", "concurrency", "policy")
    },
}


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
    keys = _keys_at(model, key[:-1])
    return str(key[-1]) in keys.later or f"{str(missing[-1])!r}?" in suggestion(str(key[-1]), keys.known)


def _keys_at(model: type[BaseModel], way: Where) -> _Keys:
    for pattern, keys in _TABLES[model].items():
        if len(pattern) == len(way) and all(part in ("*", step) for part, step in zip(pattern, way, strict=True)):
            return keys
    return _Keys(known=frozenset(), later=frozenset())


def _unknown_key(model: type[BaseModel], way: Where, value: object) -> str:
    keys, key = _keys_at(model, way[:-1]), str(way[-1])
    if key in keys.later:
        return f"{key!r} can't be used yet"
    misplaced = _MISPLACED.get(model, {}).get(key)
    if misplaced is not None:
        return misplaced
    if model is _schema.StepModel and key == "finally" and len(way) == 1:
        return "'finally' belongs to a block, which has steps: [...], or to the workflow"
    message = f"unknown key {quoted(key)}{suggestion(key, keys.known)}"
    if isinstance(value, Plain) and not value:
        # In braces a comma ends a value: `{question: Publish, now}` has a key `now`.
        return f"{message}; if it is part of a text, {QUOTES}"
    return message


def _words(detail: ErrorDetails) -> str:
    kind, value = detail["type"], detail["input"]
    if kind == _schema.OWN_WORDS:
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
