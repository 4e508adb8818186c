"""`defaults:` of a workflow: what its steps say unless they say it themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._problems import Problems, Where

if TYPE_CHECKING:
    from ._schema import StepModel
    from ._schema_defaults import RetryModel


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What the steps of a workflow say unless they say it themselves; None for what is left to them."""

    timeout: float | None = None
    idempotent: bool | None = None
    max_age: float | None = None
    cwd: str | None = None
    env: Mapping[str, str] | None = None
    retry: RetryModel | None = None


NO_DEFAULTS = Defaults()

_WAITING = ("gate", "manual", "pause")
_OF_COMMANDS = ("cwd", "env")
_KEYS = ("timeout", "idempotent", "max_age", "retry")


def read_defaults(data: object, problems: Problems) -> Defaults:
    """Return what the steps of a workflow say unless they say it themselves, after adding what is wrong with it."""
    if data is None:
        return NO_DEFAULTS
    # Only here: most workflows say nothing of the kind.
    from ._retries import read_retry
    from ._schema_defaults import DefaultsModel
    from ._validation import validated

    said = validated(DefaultsModel, data, ("defaults",), problems)
    if said is None:
        return NO_DEFAULTS
    # What is wrong with it is said once, here, and not at each step.
    read_retry(said.retry, ("defaults", "retry"), problems)
    return Defaults(
        timeout=said.timeout,
        idempotent=said.idempotent,
        max_age=said.max_age,
        cwd=said.cwd,
        env=said.env,
        retry=said.retry,
    )


def read_python_defaults(data: object, problems: Problems) -> Defaults:
    """Return the same for the steps of a Python file, whose commands are no steps."""
    defaults = read_defaults(data, problems)
    for key in _OF_COMMANDS:
        if getattr(defaults, key) is not None:
            problems.at_key(("defaults", key), f"{key} belongs to run steps; in Python, give it to sandbox.run")
    return defaults


def with_defaults(model: StepModel, kind: str, defaults: Defaults) -> StepModel:
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
