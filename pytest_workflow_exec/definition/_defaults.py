"""`defaults:` of a workflow: what its steps say unless they say it themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._problems import Problems, Where
from ._retries import read_retry
from ._schema_basics import DefaultsModel
from ._validation import validated

if TYPE_CHECKING:
    from ._schema import StepModel

NO_DEFAULTS = DefaultsModel()

_WAITING = ("gate", "manual", "pause")
_OF_COMMANDS = ("cwd", "env")
_KEYS = ("timeout", "idempotent", "max_age", "retry")


def read_defaults(data: object, problems: Problems) -> DefaultsModel:
    """Return what the steps of a workflow say unless they say it themselves, after adding what is wrong with it."""
    if data is None:
        return NO_DEFAULTS
    defaults = validated(DefaultsModel, data, ("defaults",), problems) or NO_DEFAULTS
    # What is wrong with it is said once, here, and not at each step.
    read_retry(defaults.retry, ("defaults", "retry"), problems)
    return defaults


def read_python_defaults(data: object, problems: Problems) -> DefaultsModel:
    """Return the same for the steps of a Python file, whose commands are no steps."""
    defaults = read_defaults(data, problems)
    for key in _OF_COMMANDS:
        if getattr(defaults, key) is not None:
            problems.at_key(("defaults", key), f"{key} belongs to run steps; in Python, give it to sandbox.run")
    return defaults


def with_defaults(model: StepModel, kind: str, defaults: DefaultsModel) -> StepModel:
    """Return a step with what it does not say itself; one that waits for a person or for a time takes nothing."""
    if kind in _WAITING:
        return model
    keys = _keys_for(model, kind)
    update: dict[str, object] = {
        key: value
        for key in keys
        if key not in model.model_fields_set and (value := getattr(defaults, key)) is not None
    }
    if kind == "run" and defaults.env is not None:
        update["env"] = {**defaults.env, **(model.env or {})}
    return model.model_copy(update=update) if update else model


def _keys_for(model: StepModel, kind: str) -> tuple[str, ...]:
    if kind == "execute":
        # Commands of a plan are neither tried again nor repeated unasked, whatever the author's own steps are.
        return ("timeout",)
    if model.ai is not None and model.ai.timeout is not None:
        return tuple(key for key in _KEYS if key != "timeout")
    return _KEYS if kind != "run" else (*_KEYS, "cwd")


def place_of(where: Where, problems: Problems) -> Where:
    """Return where a step's value stands: in the step, or in the defaults that it comes from."""
    if problems.knows(where):
        return where
    own = where
    while own and own[0] in ("steps", "finally"):
        # Its list and its number there; a step in a block has several of them.
        own = own[2:]
    default = ("defaults", *own)
    return default if problems.knows(default) else where
