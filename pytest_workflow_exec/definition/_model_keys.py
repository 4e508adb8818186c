"""Which keys each model has, where it stands in what another one reads, and what is said of keys that belong elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from pytest_workflow_exec.lean_dataclasses import dataclass

from . import _names, _schema, _schema_basics, _schema_defaults, _schema_inputs
from ._names import quoted
from ._problems import Where


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys that a mapping may have."""

    known: frozenset[str]
    later: frozenset[str]
    """Those that can't be used yet."""


def _keys(model: type[BaseModel], later: frozenset[str] = frozenset()) -> Keys:
    fields = model.model_fields.items()
    return Keys(known=frozenset(field.alias or name for name, field in fields), later=later)


_STEP: Mapping[tuple[str, ...], Keys] = {
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
    ("retry",): _keys(_schema_defaults.RetryModel),
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
_TABLES: Mapping[type[BaseModel], Mapping[tuple[str, ...], Keys]] = {
    _schema_basics.DeclarationModel: {
        (): _keys(_schema_basics.DeclarationModel, _names.WORKFLOW_LATER),
        ("policy",): _keys(_schema_basics.NarrowingModel),
    },
    _schema.FileModel: {
        (): _keys(_schema.FileModel, _names.WORKFLOW_LATER),
        ("policy",): _keys(_schema_basics.NarrowingModel),
    },
    _schema_defaults.DefaultsModel: {
        (): _keys(_schema_defaults.DefaultsModel),
        ("retry",): _keys(_schema_defaults.RetryModel),
    },
    _schema_defaults.OwnRetry: {(): _keys(_schema_defaults.OwnRetry), ("retry",): _keys(_schema_defaults.RetryModel)},
    _schema_inputs.InputModel: {(): _keys(_schema_inputs.InputModel, _names.INPUT_LATER)},
    _schema_inputs.DefaultModel: {(): _keys(_schema_inputs.DefaultModel)},
    _schema.JsonMatchModel: {(): _keys(_schema.JsonMatchModel)},
    _schema_inputs.DefaultEnvModel: {(): _keys(_schema_inputs.DefaultEnvModel)},
    _schema.StepModel: _STEP,
    _schema.EvidenceModel: {(): _keys(_schema.EvidenceModel)},
    _schema.CheckModel: {way[1:]: keys for way, keys in _STEP.items() if way[:1] == ("check",)},
    _schema.BlockModel: {(): _keys(_schema.BlockModel, _names.BLOCK_LATER)},
    _schema.IncludeModel: {(): _keys(_schema.IncludeModel)},
    _schema.FragmentDeclarationModel: {(): _keys(_schema.FragmentDeclarationModel)},
    _schema.FragmentModel: {(): _keys(_schema.FragmentModel)},
}


MISPLACED: Mapping[type[BaseModel], Mapping[str, str]] = {
    _schema.StepModel: {"finally": "'finally' belongs to a block, which has steps: [...], or to the workflow"},
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


def keys_at(model: type[BaseModel], way: Where) -> Keys:
    """Return the keys of the mapping that stands there in what a model reads."""
    for pattern, keys in _TABLES[model].items():
        if len(pattern) == len(way) and all(part in ("*", step) for part, step in zip(pattern, way, strict=True)):
            return keys
    return Keys(known=frozenset(), later=frozenset())
