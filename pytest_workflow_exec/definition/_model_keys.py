"""Which keys each model has, where it stands in what another one reads, and what is said of keys that belong elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel

from pytest_workflow_exec.lean_dataclasses import dataclass

from . import (
    _names,
    _schema,
    _schema_ai,
    _schema_basics,
    _schema_blocks,
    _schema_calls,
    _schema_commands,
    _schema_defaults,
    _schema_inputs,
    _schema_people,
)
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
    ("expect",): _keys(_schema_commands.ExpectModel),
    ("expect", "*"): _keys(_schema_commands.MatchModel),
    ("check",): _keys(_schema_calls.CheckModel, _names.CHECK_LATER),
    ("check", "expect"): _keys(_schema_commands.ExpectModel),
    ("check", "expect", "*"): _keys(_schema_commands.MatchModel),
    ("check", "call"): _keys(_schema_calls.CallModel),
    ("check", "verify"): _keys(_schema_calls.VerifyModel, _names.VERIFY_LATER),
    ("outputs", "*"): _keys(_schema_commands.OutputModel),
    ("call",): _keys(_schema_calls.CallModel),
    ("verify",): _keys(_schema_calls.VerifyModel, _names.VERIFY_LATER),
    ("retry",): _keys(_schema_defaults.RetryModel),
    ("waive",): _keys(_schema_people.WaiveModel, _names.WAIVE_LATER),
    ("poll",): _keys(_schema_commands.PollModel),
    ("poll", "fail_on"): _keys(_schema_commands.ExpectModel),
    ("poll", "fail_on", "*"): _keys(_schema_commands.MatchModel),
    ("gate",): _keys(_schema_people.GateModel, frozenset()),
    ("manual",): _keys(_schema_people.ManualModel),
    ("pause",): _keys(_schema_people.PauseModel),
    ("ai",): _keys(_schema_ai.AiModel),
    ("ai", "context"): _keys(_schema_ai.AiContextModel),
    ("session",): _keys(_schema_ai.SessionModel),
    ("session", "context"): _keys(_schema_ai.AiContextModel),
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
    _schema_commands.JsonMatchModel: {(): _keys(_schema_commands.JsonMatchModel)},
    _schema_inputs.DefaultEnvModel: {(): _keys(_schema_inputs.DefaultEnvModel)},
    _schema.StepModel: _STEP,
    _schema.EvidenceModel: {(): _keys(_schema.EvidenceModel)},
    _schema_calls.CheckModel: {way[1:]: keys for way, keys in _STEP.items() if way[:1] == ("check",)},
    _schema_blocks.BlockModel: {(): _keys(_schema_blocks.BlockModel, _names.BLOCK_LATER)},
    _schema_blocks.IncludeModel: {(): _keys(_schema_blocks.IncludeModel)},
    _schema_blocks.FragmentDeclarationModel: {(): _keys(_schema_blocks.FragmentDeclarationModel)},
    _schema_blocks.FragmentModel: {(): _keys(_schema_blocks.FragmentModel)},
}


MISPLACED: Mapping[type[BaseModel], Mapping[str, str]] = {
    _schema.StepModel: {"finally": "'finally' belongs to a block, which has steps: [...], or to the workflow"},
    _schema_blocks.BlockModel: {
        kind: f"a block does nothing itself; put {quoted(kind)} into a step of it" for kind in _schema.KINDS
    },
    _schema_blocks.IncludeModel: {
        kind: f"an include does nothing itself; put {quoted(kind)} into a step" for kind in _schema.KINDS
    },
    _schema_blocks.FragmentModel: {
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
