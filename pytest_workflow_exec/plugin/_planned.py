"""Which step of which workflow an item is."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Step

from ._keys import PLANNED


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedItem:
    """Which step of which workflow an item is."""

    workflow: str
    step: Step
    position: int
    """Its place in the plan, from 0."""
    function: Callable[..., object] | None = None
    """The tracked function that must run to its end; None for steps without Python of their own."""
    annotation: object = None
    """What the function is annotated to return; None without one."""


def planned(item: pytest.Item) -> PlannedItem | None:
    """Return which step the item is; None for ordinary tests."""
    return item.stash.get(PLANNED, None)
