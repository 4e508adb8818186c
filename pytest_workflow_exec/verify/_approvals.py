"""What was asked, decided and used at the gates: the same thing each time, and in this order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import Record
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import StepId

from ._again import Given, again_in, demand_difference
from ._answers import answers_in, asked_in
from ._contradiction import ContradictionError, text_in
from ._plan import Plan, PlannedStep
from ._signed_gates import SIGNATURE, Cast, SignedQuestion, Worth
from ._told import Told
from ._verdict import BrokenGlass, GateFacts

_APPROVED = "approved"
_TERMINAL = 1


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
        self._signed: dict[StepId, SignedQuestion] = {}
        """The questions that are answered by signatures."""
        self._agreed: dict[StepId, GateFacts] = {}
        """What their answers amount to, once a gate passed by them."""
        self.signed: dict[GateFacts, tuple[SignedQuestion, str]] = {}
        """The approvals by signature that let anything go on, each with what was asked and when its gate passed."""
        self.proven: dict[GateFacts, Worth] = {}
        """What they are worth to a verifier with a list of signers."""
        self._requests: dict[StepId, Mapping[str, Json]] = {}
        """What each gate last asked."""
        self.glass_granted = False
        """Whether the policy of the session lets a person go past signatures."""
        self._past_signatures: dict[StepId, Mapping[str, Json]] = {}
        """What was filled in by those who went past signatures."""
        self.broken: dict[StepId, BrokenGlass] = {}
        """The gates that somebody went past, in any session."""
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
        if again_in(record) is not None:
            raise ContradictionError(f"gate {gate.id!r} asks anew in its own turn, in which nothing was approved")
        self._asked[gate.id] = _question(record)
        self._forms[gate.id] = asked_in(self._keep(gate, record).get("form"))
        for kept in (self._open, self._signed, self._agreed):
            kept.pop(gate.id, None)
        question = signed_question(gate, record)
        if question is not None:
            self._signed[gate.id] = question

    def request_again(self, gate: PlannedStep, record: Told) -> None:
        """Take in the question of a gate that passed, as what was approved there is not what is there now.

        Raises:
            ContradictionError: Nothing was approved there that could still be used, or nothing of it changed.
        """
        _demand_gate(gate, record)
        again, earlier = again_in(record) or {}, self._decided.get(gate.id)
        user = self._plan.named(again.get("used_by"), record.type)
        if user.gate != gate.id:
            raise ContradictionError(f"gate {gate.id!r} does not cover step {user.id!r}, for which it is asked anew")
        if gate.signed is not None:
            raise ContradictionError(f"gate {gate.id!r} has to be signed by the plan, and is asked anew at a terminal")
        given = None
        if earlier is not None and self._approved(gate.id) and self._used.get(gate.id) != earlier:
            given = Given(
                request=self._requests.get(gate.id, {}),
                digest=earlier.digest,
                approver=self.decisions[gate.id].approver,
                answers=self.answers.get(gate.id, {}),
            )
        demand_difference(gate.id, record, given, used_by=user.id)
        self._asked[gate.id], self._forms[gate.id] = _question(record), frozenset()
        self._keep(gate, record)
        self._open.pop(gate.id, None)

    def asks_again(self, gate: StepId, record: Told) -> bool:
        """Return whether a record decides what a gate asked behind its own turn."""
        question = self._asked.get(gate)
        again = self._requests.get(gate, {}).get("again") is not None
        return again and question == _question(record) and question != self._decided.get(gate)

    def _keep(self, gate: PlannedStep, record: Told) -> Mapping[str, Json]:
        request = record.data.get("request")
        self._requests[gate.id] = request if isinstance(request, Mapping) else {}
        return self._requests[gate.id]

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
        if gate.id in self._signed:
            self._cast(gate, question, record)
            return
        if before is not None and self._decided.get(gate.id) == question:
            raise ContradictionError(f"gate {gate.id!r} is decided again after it was {before.decision}")
        facts = facts_of(gate.id, record)
        asked = self._forms[gate.id] if facts.decision == _APPROVED else frozenset[str]()
        answers = answers_in(record.data, asked=asked)
        if self._requests[gate.id].get("again") is None:
            # Asked anew, what was filled in before stays.
            self.answers[gate.id] = answers
        self.decisions[gate.id] = facts
        self._decided[gate.id] = question

    def _cast(self, gate: PlannedStep, question: _Question, record: Told) -> None:
        signed, facts = self._signed[gate.id], facts_of(gate.id, record)
        if signed.stopped or gate.id in self._agreed:
            raise ContradictionError(
                f"gate {gate.id!r} is decided again after it was {self.decisions[gate.id].decision}"
            )
        if facts.breaks_glass:
            signed.break_glass(facts, record.data, granted=self.glass_granted)
        elif facts.channel != SIGNATURE and facts.decision == "approved":
            raise ContradictionError(f"gate {gate.id!r} wants signatures, and is approved without one")
        asked = self._forms[gate.id] if facts.decision == _APPROVED else frozenset[str]()
        answers = answers_in(record.data, asked=asked)
        if facts.breaks_glass:
            self._past_signatures[gate.id] = answers
        elif facts.channel == SIGNATURE:
            cast = Cast(at=record.ts, data=record.data)
            if cast.until and not signed.rules().in_advance:
                raise ContradictionError(f"gate {gate.id!r} is decided in advance, and takes no such answer")
            signed.casts.append(cast)
        else:
            signed.stopped = True
        self.decisions[gate.id], self._decided[gate.id] = facts, question

    def waits_for_signatures(self, gate: StepId, record: Told) -> bool:
        """Return whether a record answers what a gate asked in an earlier session and that still stands."""
        return gate in self._signed and self._open.get(gate) == _question(record)

    def worth(self, decision: GateFacts) -> Worth:
        """Return what a decision is worth: beyond a code typed at a terminal, only what is proven counts."""
        if decision.breaks_glass:
            return Worth(0, f"the glass of gate {decision.step!r} was broken, which is no approval")
        if decision in self.proven:
            return self.proven[decision]
        if decision.assurance <= _TERMINAL:
            return Worth(decision.assurance)
        if decision.channel.startswith(SIGNATURE):
            return Worth(
                _TERMINAL,
                f"the signatures at gate {decision.step!r} were not checked: give --signers FILE with your own list",
            )
        return Worth(_TERMINAL, f"the decision at gate {decision.step!r} claims more than its channel is worth")

    def review(self, record: Told, review: Mapping[str, Json]) -> None:
        """Take in what somebody says who looked at a gate that another person went past.

        Raises:
            ContradictionError: Nobody went past it, or the same person did.
        """
        broken, who = self.broken.get(record.step or ""), text_in(record.data, "who")
        if broken is None or review.get("digest") != broken.digest:
            raise ContradictionError(
                f"it is reviewed that the glass of {record.step!r} was broken, but nobody broke it"
            )
        if who == broken.by:
            raise ContradictionError(f"{who} reviews that {who} broke the glass of gate {broken.step!r}")
        self.broken[broken.step] = replace(broken, reviewed_by=who, review=text_in(record.data, "text"))

    def suspend(self, step: PlannedStep, attempt: int | None) -> None:
        """Leave a gate open behind the end of its session; a pause asks nothing.

        Raises:
            ContradictionError: It asked nothing in this attempt, or that was decided.
        """
        if step.kind == "pause" or (step.poll is not None and step.poll.suspends):
            return
        question = self._asked.get(step.id)
        # What wants signatures goes on waiting, whoever signed, and is not asked anew each time.
        stands = step.id in self._signed and question == self._open.get(step.id) and not self._signed[step.id].stopped
        asked = question is not None and question.attempt == attempt
        open_now = stands or (asked and (step.id in self._signed or self._decided.get(step.id) != question))
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
        if not self._approved(gate.id) or not self._decided[gate.id] == question == self._asked.get(gate.id):
            raise ContradictionError(
                f"the approval of gate {gate.id!r} is used, but no record says that just this was approved"
            )
        if self._used.get(gate.id) == question:
            raise ContradictionError(f"the approval of gate {gate.id!r} is used a second time")
        self._used[gate.id] = question
        self.counted[self.decisions[gate.id]] = None
        self._used_now.add(gate.id)

    def demand_approval(self, gate: PlannedStep, attempt: int | None, at: str) -> None:
        """Return if the gate may have passed.

        Args:
            at: When it passed.

        Raises:
            ContradictionError: It was not approved in this attempt.
        """
        if gate.id in self._signed and gate.id in self._decided:
            agreed = self._signed[gate.id].agreed(at)
            self._agreed[gate.id] = self.decisions[gate.id] = agreed
            passed_by = self._past_signatures.get(gate.id) if agreed.breaks_glass else self._signed[gate.id].filled
            self.answers[gate.id] = passed_by or {}
            if agreed.breaks_glass:
                self.broken[gate.id] = BrokenGlass(
                    step=gate.id, by=agreed.approver, reason=agreed.reason, digest=self._signed[gate.id].digest
                )
            else:
                self.signed[agreed] = (self._signed[gate.id], at)
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
        for kept in (
            self._asked,
            self._decided,
            self._used,
            self._open,
            self.decisions,
            self._forms,
            self.answers,
            self._signed,
            self._agreed,
            self._requests,
        ):
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
        if gate in self._signed:
            return gate in self._agreed
        decision = self.decisions.get(gate)
        return decision is not None and decision.decision == _APPROVED


def _demand_gate(step: PlannedStep, record: Told) -> None:
    if not step.is_gate:
        raise ContradictionError(f"{record.type} names step {step.id!r}, which is no gate")


def signed_question(gate: PlannedStep, record: Told) -> SignedQuestion | None:
    """Return what a gate asks if it wants signatures; None if it is decided at a terminal.

    Raises:
        ContradictionError: It asks for something else than the plan says.
    """
    request = record.data.get("request")
    wants = isinstance(request, Mapping) and request.get("rules") is not None
    if not wants and gate.signed is None:
        return None
    if not wants or not isinstance(request, Mapping) or not isinstance(record, Record):
        raise ContradictionError(f"gate {gate.id!r} has to be signed by the plan, and asks for no signatures")
    question = SignedQuestion(
        step=gate.id,
        attempt=record.attempt,
        run=record.run,
        request=request,
        digest=text_in(record.data, "digest"),
        before=(record.seq - 1, record.prev),
    )
    question.demand_as_planned(gate.signed)
    return question


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
        reason=str(record.data.get("reason") or "") if record.data.get("channel") == "break-glass" else "",
    )
