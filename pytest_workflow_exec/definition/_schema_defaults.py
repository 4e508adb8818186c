"""The models of what steps say of being tried again, and of what all steps of a workflow say."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from pytest_workflow_exec.model import RetriedClass

from ._schema_basics import Duration, Flag, Strict, Text, Whole, as_choice, as_items

Retried = Annotated[RetriedClass, BeforeValidator(as_choice)]


def as_attempts(value: object) -> object:
    """Return what a number of attempts stands for."""
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return {"attempts": value}
    return value


class RetryModel(Strict):
    """How a step is tried again."""

    attempts: Whole
    for_: Annotated[list[Retried], Field(alias="for", min_length=1), BeforeValidator(as_items)] = ["transient"]
    never: Annotated[list[Retried], BeforeValidator(as_items)] = []
    wait: Duration = 1.0
    max_wait: Duration = 60.0


class OwnRetry(Strict):
    """What a step says of being tried again."""

    retry: Annotated[RetryModel | None, BeforeValidator(as_attempts)] = None


class DefaultsModel(OwnRetry):
    """What the steps of a workflow say unless they say it themselves."""

    timeout: Duration | None = None
    idempotent: Flag | None = None
    max_age: Duration | None = None
    cwd: Text | None = None
    env: dict[str, Text] | None = None
