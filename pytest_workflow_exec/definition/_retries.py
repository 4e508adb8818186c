"""`retry:` of a step: how often it is tried again, and after which errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.model import Retry

from ._problems import Problems, Where

if TYPE_CHECKING:
    from ._schema_defaults import RetryModel


_KINDS = ("run", "call", "verify", "ai")
_MAX_ATTEMPTS = 100


def retry_problem(kind: str) -> str | None:
    """Return why a step of this kind can't be tried again; None if it can."""
    if kind in _KINDS:
        return None
    article = "an" if kind == "execute" else "a"
    return f"{article} {kind} step is not tried again: retry belongs to {', '.join(_KINDS[:-1])} and {_KINDS[-1]} steps"


def read_retry(model: RetryModel | None, where: Where, problems: Problems) -> Retry | None:
    """Return how a step is tried again, after adding what is wrong with that; None if it is not."""
    if model is None:
        return None
    if not 1 <= model.attempts <= _MAX_ATTEMPTS:
        problems.at((*where, "attempts"), f"must be from 1 to {_MAX_ATTEMPTS} attempts, not {model.attempts}")
    both = sorted(set(model.for_) & set(model.never))
    if both:
        problems.at((*where, "never"), f"{', '.join(both)} can't be both for and never")
    if model.max_wait < model.wait:
        problems.at((*where, "max_wait"), f"must not be shorter than the first wait of {model.wait:g} s")
    if model.attempts == 1:
        # What a step says against the defaults.
        return None
    return Retry(
        attempts=model.attempts,
        classes=tuple(dict.fromkeys(model.for_)),
        wait_s=model.wait,
        max_wait_s=model.max_wait,
    )


def read_python_retry(data: object, problems: Problems) -> RetryModel | None:
    """Return what `@step(retry=...)` says, after adding what is wrong with it; None if it says nothing."""
    from ._schema_defaults import OwnRetry
    from ._validation import validated

    if data is None:
        return None
    said = validated(OwnRetry, {"retry": data}, (), problems)
    return None if said is None else said.retry
