"""Failures that a person accepted: asked about in the attempt that failed, decided, used once, and only then waived."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.model import Outcome, StepId

from ._again import Given, again_in, demand_difference
from ._approvals import facts_of, signed_question
from ._contradiction import ContradictionError, text_in
from ._plan import PlannedStep
from ._signed_gates import Cast, SignedQuestion
from ._told import Told
from ._verdict import GateFacts


class Waivers:
    """What a person was asked about the failure of the step under way."""

    def __init__(self) -> None:
        self.waived: dict[StepId, GateFacts] = {}
        """The steps that are waived, each with the decision, as long as they were not started again."""
        self.decisions: dict[StepId, GateFacts] = {}
        """The last decision about each step's failure."""
        self.counted: list[GateFacts] = []
        """Every decision that let a run go on."""
        self._step: StepId | None = None
        self._digest: str | None = None
        self._request: Mapping[str, Json] = {}
        self._decision: GateFacts | None = None
        self._used = False
        self._signed: SignedQuestion | None = None
        """What is asked, if it is answered by signatures."""
        self.signed: dict[GateFacts, tuple[SignedQuestion, str]] = {}
        """The acceptances by signature, each with what was asked and when it was used."""

    def start(self, step: PlannedStep) -> None:
        """Take in the start of a step: nothing was asked about it."""
        self._step, self._digest, self._decision, self._used = step.id, None, None, False
        self._signed = None
        self.forget(step.id)

    def forget(self, step: StepId) -> None:
        """Take note that a step has to be run again."""
        self.waived.pop(step, None)

    def request(self, step: PlannedStep, record: Told) -> None:
        """Take in the question.

        Raises:
            ContradictionError: It was asked before in this attempt, or says of no failure.
        """
        request = record.data.get("request")
        if not isinstance(request, Mapping) or not request.get("failure"):
            raise ContradictionError(f"step {step.id!r} is no gate, and asks about no failure of it")
        again = again_in(record) is not None
        if self._step != step.id or (self._digest is not None) is not again:
            raise ContradictionError(f"it is asked twice whether the failure of step {step.id!r} is accepted")
        if again:
            demand_difference(step.id, record, self._given(), used_by=step.id)
            self._decision = None
        self._digest, self._request = text_in(record.data, "digest"), request
        self._signed = signed_question(step, record)
        if again and self._signed is not None:
            raise ContradictionError(
                f"it is asked anew for signatures whether the failure of step {step.id!r} is accepted"
            )

    def _given(self) -> Given | None:
        given, digest = self._decision, self._digest
        if self._used or given is None or digest is None or given.decision != "approved":
            return None
        return Given(request=self._request, digest=digest, approver=given.approver, answers={})

    def decide(self, step: PlannedStep, record: Told) -> None:
        """Take in the decision.

        Raises:
            ContradictionError: It is about something else, or comes twice.
        """
        several = self._signed is not None and self._decision is not None and not self._signed.stopped
        if (
            self._step != step.id
            or self._digest != text_in(record.data, "digest")
            or not (several or self._decision is None)
        ):
            raise ContradictionError(
                f"it is decided whether the failure of step {step.id!r} is accepted, but no record says that just this "
                f"was asked"
            )
        self._decision = self.decisions[step.id] = facts_of(step.id, record)
        if self._signed is None:
            return
        if self._decision.channel == "signature":
            self._signed.casts.append(Cast(at=record.ts, data=record.data))
        elif self._decision.decision == "approved":
            raise ContradictionError(f"the failure of step {step.id!r} is accepted without the signature that it wants")
        else:
            self._signed.stopped = True

    def use(self, step: PlannedStep, record: Told) -> None:
        """Take in the use of the decision.

        Raises:
            ContradictionError: It was no approval of this question, or was used before, or is used by something else.
        """
        given = self._decision
        asked = self._step == step.id and self._digest == text_in(record.data, "digest")
        own = record.data.get("used_by") == step.id
        if self._used or not asked or not own or given is None or given.decision != "approved":
            raise ContradictionError(
                f"it is used that the failure of step {step.id!r} was accepted, but no record says that it was"
            )
        self._used = True
        if self._signed is not None:
            given = self._decision = self.decisions[step.id] = self._signed.agreed(record.ts)
            self.signed[given] = (self._signed, record.ts)
        self.counted.append(given)

    def end(self, step: PlannedStep, outcome: Outcome) -> None:
        """Take in the end of a step.

        Raises:
            ContradictionError: It is waived without an approval, or passed though it was asked about as failed.
        """
        asked = self._step == step.id and self._digest is not None
        if outcome is Outcome.WAIVED:
            if not asked or not self._used or self._decision is None:
                raise ContradictionError(
                    f"step {step.id!r} is waived, but no record says that a person accepted its failure"
                )
            self.waived[step.id] = self._decision
        elif outcome is Outcome.PASSED and asked:
            raise ContradictionError(f"step {step.id!r} passed, but it was asked whether its failure is accepted")
        elif outcome is not Outcome.CARRIED:
            self.waived.pop(step.id, None)
        if self._step == step.id:
            self._step = None
