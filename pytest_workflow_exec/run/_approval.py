"""An approval as a session remembers it, and why it holds no more or is asked for anew."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run._history import OpenGate
from pytest_workflow_exec.sandbox import Gated

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import GateRequest

_MARGIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Approval:
    """An approved request, which lets the steps up to the next gate run."""

    request: GateRequest
    """What it was given for, as it is now."""
    attempt: int
    """The attempt in which it was asked."""
    digest: str
    """SHA-256 of what was asked, in hex."""
    assurance: int = 1
    """What the decision is worth: 1 terminal, 2 signature, 3 presence."""
    approvers: tuple[str, ...] = ()
    """The principals who signed it; empty if nobody did."""
    broken: str = ""
    """Who went past the signatures that the gate wants, and why; empty if nobody did."""
    approver: str = ""
    """Who gave it, in one text."""
    answers: Mapping[str, Json] = field(default_factory=dict)
    """What was filled into its form."""
    words: str = ""
    """What the `@gate` function returned."""
    used: bool = False

    @property
    def groups(self) -> frozenset[str]:
        """The groups of the policy that had a person among those who signed it."""
        rules = self.request.rules
        named = {} if rules is None else rules.approvers
        return frozenset(name for name, group in named.items() if set(group) & set(self.approvers))

    def suffices(self, gated: Gated) -> bool:
        """Return whether it is worth enough for a command that wants a decision."""
        # Where the policy lets a person go past signatures, it lets them do what these are for.
        if self.broken:
            return True
        return self.assurance >= gated.assurance and not (gated.approvers and not self.groups & set(gated.approvers))


def asked_again(given: Approval, now: GateRequest, *, used_by: StepId) -> GateRequest | None:
    """Return the question that is asked anew; None if what was approved is there now after all."""
    from pytest_workflow_exec.approval import Again, differences

    changes = differences(given.request.facts(), now.facts())
    if not changes:
        return None
    again = Again(
        of=given.digest, approver=given.approver, used_by=used_by, changes=changes, answers=dict(given.answers)
    )
    return replace(now, again=again)


def too_late(standing: OpenGate) -> list[str]:
    """Return what changed of a question that wants signatures: its time, if that is over."""
    from pytest_workflow_exec.approval import moment_of

    try:
        past = datetime.now(timezone.utc) + _MARGIN >= moment_of(str(standing.request.get("expires")))
    except ValueError:
        past = True
    return ["the time in which it holds"] if past else []


def expired(answered: OpenGate) -> list[str]:
    """Return what changed of a question that was answered while its run was suspended: its time, if that is over."""
    # Both: a decision that came too late is none, and one that was made in time does not stand for ever.
    expires = str(answered.request.get("expires"))
    try:
        moment = datetime.fromisoformat(expires.replace("Z", "+00:00"))
        past = (
            max(datetime.now(timezone.utc), datetime.fromisoformat(answered.decided.replace("Z", "+00:00"))) >= moment
        )
    except (TypeError, ValueError):
        past = True
    return ["the time in which it holds"] if past else []
