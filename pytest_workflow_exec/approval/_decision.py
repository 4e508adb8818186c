"""How a gate was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.events import Actor, Decided
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._proof import Proof

Channel = Literal["terminal", "command", "signature", "break-glass", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How a gate was decided, by whom and where."""

    decision: Decided
    reason: str
    """The person's own words after a rejection; else why it was not approved; empty after an approval."""
    approver: Actor
    """The person who approved or rejected; the engine where nobody did."""
    channel: Channel
    terminal: str
    """The terminal's device; empty if nobody could be asked."""
    assurance: int
    """0 if no person decided, 1 for a person at a terminal, 2 for a signature, 3 for one of a token that was touched."""
    answers: Mapping[str, Json] = field(default_factory=dict)
    """What an approver filled into the request's form."""
    proof: Proof | None = None
    """What shows that it was signed; None if it was not."""
