"""Why a step failed, in one word, and how often it is tried again."""

from __future__ import annotations

from typing import Literal, get_args

from pytest_workflow_exec.lean_dataclasses import dataclass

ErrorClass = Literal["transient", "permission", "business", "definition", "policy", "internal"]
"""`transient`: may be gone next time. `permission`: somebody has to grant it. `business`: what was to be so is not so.

`definition`: the workflow or its code is wrong. `policy`: the policy refuses it. `internal`: the engine could not.
"""
ERROR_CLASSES: tuple[ErrorClass, ...] = get_args(ErrorClass)

RetriedClass = Literal["transient", "permission", "business"]
RETRIED_CLASSES: tuple[RetriedClass, ...] = get_args(RetriedClass)
"""The classes after which another attempt can help; the others stay what they are however often a step runs."""

POLLED_CLASSES: tuple[ErrorClass, ...] = ("business", "transient")
"""The classes after which a step that is polled looks again: it is not as it should be, or could not be looked at."""


def looks_in(every_s: float, timeout_s: float) -> int:
    """Return how often a step that is polled is tried at most, the first time included: as its waits fit into the time."""
    return 1 + int(timeout_s / every_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """`retry:`: a step that failed is tried again."""

    attempts: int
    """How many there are in all, the first one included."""
    classes: tuple[RetriedClass, ...] = ("transient",)
    """The classes of errors after which it is tried again."""
    wait_s: float = 1.0
    """How long the first wait is, in seconds; each further one is twice as long, and a little at random."""
    max_wait_s: float = 60.0
    """No wait is longer."""
