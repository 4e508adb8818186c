"""What was asked, decided and used at the gates: the same thing each time, and in this order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.model import StepId

from ._answers import answers_in, asked_in
from ._contradiction import ContradictionError, text_in
from ._plan import Plan, PlannedStep
from ._told import Told
from ._verdict import GateFacts

_APPROVED = "approved"


class _Question(NamedTuple):
    """What a decision is about."""

    attempt: int | None
    digest: str


class Approvals:
    """The questions, decisions and uses of a run's gates, checked one after the other."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self.decisions: dict[StepId, GateFacts] = {}
        """The last decision at each gate."""
        self.counted: dict[GateFacts, None] = {}
        """Every decision that let anything go on, in any session."""
        self._asked: dict[StepId, _Question] = {}
        self._decided: dict[StepId, _Question] = {}
        self._used: dict[StepId, _Question] = {}
        self._open: dict[StepId, _Question] = {}
        """What was asked at the gates where a session was suspended."""
        self._forms: dict[StepId, frozenset[str]] = {}
        """The fields that each gate last asked for."""
        self.answers: dict[StepId, Mapping[str, Json]] = {}
        """What was filled in at each gate that was approved."""
        self._used_now: set[StepId] = set()
        """The gates whose approval was used since the run was last resumed."""

    def request(self, gate: PlannedStep, record: Told) -> None:
        """Take in the question of a gate.

        Raises:
            ContradictionError: The step is no gate, the question has no digest, or the attempt asked before.
        """
        _demand_gate(gate, record)
        before = self._asked.get(gate.id)
        if before is not None and before.attempt == record.attempt:
            raise ContradictionError(f"gate {gate.id!r} asks a second time in one attempt")
        self._asked[gate.id] = _question(record)
        request = record.data.get("request")
        self._forms[gate.id] = asked_in(request.get("form") if isinstance(request, Mapping) else None)
        self._open.pop(gate.id, None)

    def decide(self, gate: PlannedStep, record: Told) -> None:
        """Take in a decision.

        Raises:
            ContradictionError: It is about something that was not asked, was refused before, or fills in something else
                than was asked for.
        """
        _demand_gate(gate, record)
        question, before = _question(record), self.decisions.get(gate.id)
        if self._asked.get(gate.id) != question:
            raise ContradictionError(f"gate {gate.id!r} is decided, but no record says that just this was asked")
        if before is not None and self._decided.get(gate.id) == question:
            raise ContradictionError(f"gate {gate.id!r} is decided again after it was {before.decision}")
        facts = facts_of(gate.id, record)
        asked = self._forms[gate.id] if facts.decision == _APPROVED else frozenset[str]()
        self.answers[gate.id] = answers_in(record.data, asked=asked)
        self.decisions[gate.id] = facts
        self._decided[gate.id] = question

    def suspend(self, step: PlannedStep, attempt: int | None) -> None:
        """Leave a gate open behind the end of its session; a pause asks nothing.

        Raises:
            ContradictionError: It asked nothing in this attempt, or that was decided.
        """
        if step.kind == "pause":
            return
        question = self._asked.get(step.id)
        open_now = question is not None and question.attempt == attempt and self._decided.get(step.id) != question
        if not step.is_gate or question is None or not open_now:
            raise ContradictionError(f"step {step.id!r} is suspended, but it is no gate that waits for a decision")
        self._open[step.id] = question

    def decide_open(self, gate: PlannedStep, record: Told) -> None:
        """Take in a decision about a gate at which the run was suspended.

        Raises:
            ContradictionError: It is not open, asked something else, or was decided before.
        """
        if self._open.get(gate.id) != _question(record):
            raise ContradictionError(f"gate {gate.id!r} is decided behind the end, but it does not wait for that")
        self.decide(gate, record)

    def use(self, gate: PlannedStep, record: Told) -> None:
        """Take in the use of an approval, for the step that its data names.

        Raises:
            ContradictionError: Nothing of that digest was approved, it was used before, or does not cover that step.
        """
        _demand_gate(gate, record)
        user = self._plan.named(record.data.get("used_by"), record.type)
        question = _question(record)
        if user.gate != gate.id:
            raise ContradictionError(f"gate {gate.id!r} does not cover step {user.id!r}, which uses its approval")
        if not self._approved(gate.id) or self._decided[gate.id] != question:
            raise ContradictionError(
                f"the approval of gate {gate.id!r} is used, but no record says that just this was approved"
            )
        if self._used.get(gate.id) == question:
            raise ContradictionError(f"the approval of gate {gate.id!r} is used a second time")
        self._used[gate.id] = question
        self.counted[self.decisions[gate.id]] = None
        self._used_now.add(gate.id)

    def demand_approval(self, gate: PlannedStep, attempt: int | None) -> None:
        """Return if the gate may have passed.

        Raises:
            ContradictionError: It was not approved in this attempt.
        """
        question = self._decided.get(gate.id)
        adopted = question is not None and question == self._open.get(gate.id) and question != self._used.get(gate.id)
        if not self._approved(gate.id) or question is None or not (question.attempt == attempt or adopted):
            raise ContradictionError(f"gate {gate.id!r} passed, but no record says that it was approved")
        self.counted[self.decisions[gate.id]] = None

    def demand_cover(self, step: PlannedStep) -> None:
        """Return if no gate covers the step, or if its approval is in use.

        Raises:
            ContradictionError: The step starts without it.
        """
        if step.gate is None:
            return
        # A gate that did not apply covers nothing: what stands behind it has the same condition.
        if not self._approved(step.gate) or step.gate not in self._used_now:
            raise ContradictionError(
                f"step {step.id!r} starts, but no record says that the approval of gate {step.gate!r} was used"
            )

    def invalidate(self, gate: PlannedStep) -> None:
        """Forget what was decided at a gate that has to be asked again."""
        for kept in (self._asked, self._decided, self._used, self._open, self.decisions, self._forms, self.answers):
            kept.pop(gate.id, None)
        self._used_now.discard(gate.id)

    def resume(self, plan: Plan) -> None:
        """Go on where an earlier process stopped: what was approved there lets nothing start here.

        Args:
            plan: What is planned now.
        """
        if plan.digest != self._plan.digest:
            self._open.clear()
        self._plan = plan
        self._used_now.clear()

    def _approved(self, gate: StepId) -> bool:
        decision = self.decisions.get(gate)
        return decision is not None and decision.decision == _APPROVED


def _demand_gate(step: PlannedStep, record: Told) -> None:
    if not step.is_gate:
        raise ContradictionError(f"{record.type} names step {step.id!r}, which is no gate")


def _question(record: Told) -> _Question:
    return _Question(record.attempt, text_in(record.data, "digest"))


def facts_of(step: str, record: Told) -> GateFacts:
    """Return a decision as the verdict tells it.

    Raises:
        ContradictionError: Something of it is missing.
    """
    assurance: Json = record.data.get("assurance")
    if type(assurance) is not int:
        raise ContradictionError("its assurance is no number")
    return GateFacts(
        step=step,
        attempt=record.attempt,
        decision=text_in(record.data, "decision"),
        approver=text_in(record.data, "approver"),
        channel=text_in(record.data, "channel"),
        assurance=assurance,
    )
