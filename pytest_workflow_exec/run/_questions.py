"""Questions at the terminal: written down before they are asked, and their answers before anything follows from them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from pytest_workflow_exec import events
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run._form import answers_problem
from pytest_workflow_exec.run._journal import Journal

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Decision, GateRequest

Approver: TypeAlias = "Callable[[GateRequest, float], Decision]"
"""Asks a person; returns what was decided within so many seconds."""


class Questions:
    """Puts questions to the person at the terminal."""

    def __init__(self, journal: Journal, approver: Approver) -> None:
        self._journal, self._approver = journal, approver

    def write(self, step: StepId, request: GateRequest) -> None:
        """Write a question down; returns when that is durable.

        Raises:
            EvidenceError: It can't be written.
        """
        self._journal.record(
            events.gate_requested(step, attempt=request.attempt, request=request.to_data(), digest=request.digest)
        )
        self._journal.barrier()

    def ask(self, request: GateRequest, timeout_s: float) -> Decision:
        """Return what a person decides of a question that is written down."""
        return filled_in(self._approver(request, timeout_s), request)

    def put(self, step: StepId, request: GateRequest, timeout_s: float) -> Decision:
        """Return what a person decides of a question, once both are durable.

        Raises:
            EvidenceError: The question or the answer can't be written.
        """
        self.write(step, request)
        decision = self.ask(request, timeout_s)
        self.decide(step, request, decision)
        return decision

    def decide(self, step: StepId, request: GateRequest, decision: Decision) -> None:
        """Write an answer down; returns when that is durable.

        Raises:
            EvidenceError: It can't be written.
        """
        self._journal.record(decision.about(step, attempt=request.attempt, digest=request.digest))
        self._journal.barrier()


def filled_in(decision: Decision, request: GateRequest) -> Decision:
    """Return a decision, or a refusal if an approval does not fill in what was asked for."""
    problem = answers_problem(request.fields_to_fill if decision.decision == "approved" else (), decision.answers)
    if problem is None:
        return decision
    return replace(decision, decision="denied", reason=f"no answer to its form: {problem}", assurance=0, answers={})
