"""How a gate was decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from types import MappingProxyType
from typing import Literal

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.events import Actor, Decided, Event, gate_decided
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import StepId

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

    def about(
        self,
        step: StepId | None,
        *,
        attempt: int,
        digest: str,
        in_advance: Mapping[str, Json] = MappingProxyType({}),
        missing: str = "",
    ) -> Event:
        """Return the record of this decision on the request with that digest.

        Args:
            step: The gate; None for the engine's own question before a run goes on.
            attempt: The attempt in which the request was asked.
            in_advance: Until when it holds and from which file, if it was given before the question for its plan.
            missing: What it went past, if glass was broken.
        """
        return gate_decided(
            step,
            attempt=attempt,
            decision=self.decision,
            reason=self.reason,
            approver=self.approver,
            channel=self.channel,
            terminal=self.terminal,
            assurance=self.assurance,
            digest=digest,
            answers=self.answers,
            proof=None if self.proof is None else self.proof.to_data(),
            in_advance=in_advance,
            missing=missing,
        )
