"""Conversations with a model: each turn has its end, tools only in a turn, and what is concluded was confirmed by a person."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json, canonical_json, digest_of
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.redaction import holds_mask

from ._again import Given, again_in, demand_difference
from ._approvals import facts_of
from ._contradiction import ContradictionError, text_in
from ._plan import PlannedStep
from ._told import Told
from ._verdict import GateFacts

_KINDS = ("session", "step", "call")
"""The kinds of steps that can hold a conversation."""
_DECISIONS = ("allowed", "denied")


class Conversations:
    """What was said in the step under way, and what a person confirmed of it."""

    def __init__(self) -> None:
        self.decisions: dict[StepId, GateFacts] = {}
        """The last decision about each conversation's conclusion."""
        self.counted: list[GateFacts] = []
        """Every decision that confirmed one."""
        self._turn: tuple[StepId | None, int | None] = (None, None)
        self._open: Mapping[str, Json] | None = None
        """What was said last, as long as no record says what came of it."""
        self._concluded: Json = None
        """The digest of the accepted conclusion that nobody was asked about yet."""
        self._digest: str | None = None
        self._request: Mapping[str, Json] = {}
        self._decision: GateFacts | None = None
        self._confirmed = False
        self._spoken = False

    def begin(self, step: PlannedStep, attempt: int | None) -> None:
        """Take in that a step starts."""
        self._turn, self._open, self._concluded = (step.id, attempt), None, None
        self._digest, self._decision, self._confirmed, self._spoken = None, None, False, False

    def say(self, step: PlannedStep, record: Told) -> None:
        """Take in what a model is told.

        Raises:
            ContradictionError: The step is not under way, can't hold a conversation, or has not heard the last answer.
        """
        self._demand_turn(step, record)
        if self._open is not None:
            raise ContradictionError(f"step {step.id!r} goes on talking, but no record says what its last turn came to")
        self._open, self._spoken = record.data, True

    def reply(self, step: PlannedStep, record: Told) -> None:
        """Take in what came of a turn.

        Raises:
            ContradictionError: Nothing was said, or something else.
        """
        self._demand_turn(step, record)
        said, self._open = self._open, None
        if said is None or record.data.get("number") != said.get("number"):
            raise ContradictionError(
                f"a model replies in step {step.id!r}, but no record says that it was told just that"
            )
        if record.data.get("turn") != digest_of(said) and not holds_mask(canonical_json(said)):
            raise ContradictionError(f"a model replies in step {step.id!r}, but to something else than it was told")

    def use_tool(self, step: PlannedStep, record: Told) -> None:
        """Take in what a model wants to look at.

        Raises:
            ContradictionError: It is no turn of it, or nobody judged it.
        """
        self._demand_turn(step, record)
        if self._open is None or record.data.get("number") != self._open.get("number"):
            raise ContradictionError(f"a model uses a tool in step {step.id!r}, but not in a turn")
        if text_in(record.data, "decision") not in _DECISIONS:
            raise ContradictionError("it does not say whether the model may do that")

    def ask_model(self, step: PlannedStep) -> None:
        """Take in that a model is asked for data.

        Raises:
            ContradictionError: A turn is still open.
        """
        if self._open is not None:
            raise ContradictionError(f"step {step.id!r} asks a model for data in the middle of a turn")

    def hear_model(self, record: Told) -> None:
        """Take in the answer."""
        accepted = text_in(record.data, "outcome") == "accepted"
        self._concluded = record.data.get("outputs_sha256") if accepted else None

    def is_asked(self, record: Told) -> bool:
        """Return whether a question is about a conclusion."""
        request = record.data.get("request")
        return isinstance(request, Mapping) and bool(request.get("conclusion"))

    def is_about(self, record: Told) -> bool:
        """Return whether a decision, or its use, is about the conclusion that was asked about last."""
        return self._digest is not None and record.data.get("digest") == self._digest

    def request(self, step: PlannedStep, record: Told) -> None:
        """Take in the question.

        Raises:
            ContradictionError: Nothing was said, or what is shown is not what was concluded.
        """
        self._demand_turn(step, record)
        request = record.data.get("request")
        shown = request.get("conclusion") if isinstance(request, Mapping) else None
        if not self._spoken or self._open is not None:
            raise ContradictionError(f"step {step.id!r} asks what its conversation came to, but has held none")
        if self._concluded is None or shown != self._concluded:
            raise ContradictionError(f"step {step.id!r} shows a conclusion that is not the one that was accepted")
        if again_in(record) is not None:
            demand_difference(step.id, record, self._given(), used_by=step.id)
        self._digest, self._decision, self._confirmed = text_in(record.data, "digest"), None, False
        self._request = request if isinstance(request, Mapping) else {}

    def _given(self) -> Given | None:
        given, digest = self._decision, self._digest
        if self._confirmed or given is None or digest is None or given.decision != "approved":
            return None
        return Given(request=self._request, digest=digest, approver=given.approver, answers={})

    def decide(self, step: PlannedStep, record: Told) -> None:
        """Take in the decision.

        Raises:
            ContradictionError: It comes twice, or in another attempt.
        """
        self._demand_turn(step, record)
        if self._decision is not None:
            raise ContradictionError(f"it is decided twice what the conversation of step {step.id!r} came to")
        self._decision = self.decisions[step.id] = facts_of(step.id, record)

    def use(self, step: PlannedStep, record: Told) -> None:
        """Take in the use of the decision.

        Raises:
            ContradictionError: It was no approval, was used before, or is used by something else.
        """
        self._demand_turn(step, record)
        given = self._decision
        own = record.data.get("used_by") == step.id
        if self._confirmed or not own or given is None or given.decision != "approved":
            raise ContradictionError(
                f"a conclusion of step {step.id!r} is used, but no record says that it was confirmed"
            )
        self._confirmed = True
        self.counted.append(given)

    def end(self, step: PlannedStep) -> None:
        """Return if a step may have passed.

        Raises:
            ContradictionError: A turn is open, or a person did not confirm what it concluded.
        """
        if self._open is not None:
            raise ContradictionError(f"step {step.id!r} passed, but no record says what its last turn came to")
        if step.kind == "session" and not self._confirmed:
            raise ContradictionError(
                f"step {step.id!r} passed, but no record says that a person confirmed its conclusion"
            )

    def _demand_turn(self, step: PlannedStep, record: Told) -> None:
        if (step.id, record.attempt) != self._turn:
            raise ContradictionError(f"step {step.id!r} talks with a model, but that attempt is not under way")
        if step.kind not in _KINDS:
            raise ContradictionError(f"step {step.id!r} is a {step.kind} step, and talks with a model")
