"""A question that wants signatures, and what its answers amount to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run._history import PastVote
from pytest_workflow_exec.run._journal import Journal


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a gate asks, in this session or since an earlier one."""

    request: GateRequest
    attempt: int
    """The attempt in which it was asked."""
    votes: tuple[PastVote, ...] = ()
    """What the log says was answered; judged again before it counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Enough persons signed."""

    principals: tuple[str, ...]
    assurance: int
    """The lowest of theirs."""
    answers: Mapping[str, Json] = field(default_factory=dict)
    """What they filled into the form."""
    broken: str = ""
    """Who went past the signatures, and why; empty if enough persons signed."""
    broken_by: str = ""
    """Who did, alone."""


def write_decision(
    journal: Journal, step: StepId, question: Question, decision: Decision, *, missing: str = ""
) -> None:
    """Write what a person at the terminal decided; returns when that is durable.

    Raises:
        EvidenceError: It can't be written.
    """
    journal.record(decision.about(step, attempt=question.attempt, digest=question.request.digest, missing=missing))
    journal.barrier()


def filled_into(data: Mapping[str, Json]) -> Mapping[str, Json]:
    """Return what the record of a decision says was filled into the form of its question."""
    form = data.get("form")
    return form if isinstance(form, Mapping) else {}
