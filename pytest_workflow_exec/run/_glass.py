"""Going past a gate that wants signatures: only where the policy grants it, by a person who says why, and told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pytest_workflow_exec.approval import ReadAnswer
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import GateDeniedError
from pytest_workflow_exec.model import Gate, StepId
from pytest_workflow_exec.run._history import broken_glass_by
from pytest_workflow_exec.run._journal import Journal
from pytest_workflow_exec.run._questions import filled_in
from pytest_workflow_exec.run._signed_approver import GlassApprover
from pytest_workflow_exec.run._signed_question import Agreement, Question, filled_into, write_decision


class Glass:
    """The glass of one run's gates."""

    def __init__(
        self,
        *,
        granted: bool,
        gate: StepId | None,
        approver: GlassApprover,
        journal: Journal,
        say: Callable[[str], None],
        notice: Callable[[StepId, Mapping[str, Json]], None],
        read: ReadAnswer,
    ) -> None:
        """Begin a session.

        Args:
            granted: Whether the policy lets a person go past signatures.
            gate: Where a person is asked whether they do; None for nowhere.
            approver: Asks them.
            say: Tells them what came of it.
            notice: Tells others of a decision that an earlier session wrote down.
            read: Judges what is filled into the form of a question.
        """
        self._read = read
        self._notice = notice
        self._granted, self._gate, self._approver = granted, gate, approver
        self._journal, self._say = journal, say

    def past(self, step: StepId, gate: Gate, question: Question, missing: str) -> Agreement | None:
        """Return that a person goes past what is missing, now or in a session that was killed since; None if nobody does."""
        rules = question.request.rules
        granted = self._granted and rules is not None and rules.break_glass
        for vote in reversed(question.votes):
            if granted and vote.data.get("channel") == "break-glass" and vote.data.get("decision") == "approved":
                # That session was broken off, perhaps before anybody heard of it: twice is better than never.
                self._notice(step, vote.data)
                return Agreement(
                    principals=(),
                    assurance=1,
                    broken=broken_glass_by(vote.data),
                    broken_by=str(vote.data.get("approver")),
                    answers=filled_into(vote.data),
                )
        if self._gate != step:
            return None
        if not granted:
            raise GateDeniedError(
                step=step, decision="denied", reason="the policy does not let anybody break its glass"
            )
        return self._ask(step, gate, question, missing)

    def _ask(self, step: StepId, gate: Gate, question: Question, missing: str) -> Agreement | None:
        decision = filled_in(self._approver(question.request, gate.timeout_s, missing, self._read), question.request)
        by_person = decision.decision == "rejected" or decision.channel == "break-glass"
        if not by_person and gate.suspends:
            # Whoever only tried has decided nothing: the gate goes on waiting for those who sign.
            self._say(f"gate {step}: its glass was not broken: {decision.reason}")
            return None
        write_decision(
            self._journal, step, question, decision, missing=missing if decision.decision == "approved" else ""
        )
        if decision.decision != "approved" or decision.channel != "break-glass" or not decision.reason:
            raise GateDeniedError(step=step, decision=decision.decision, reason=decision.reason)
        who = decision.approver.id
        return Agreement(
            principals=(), assurance=1, answers=decision.answers, broken=f"{who}: {decision.reason}", broken_by=who
        )
