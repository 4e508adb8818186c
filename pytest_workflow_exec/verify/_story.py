"""What the records say together: a run that tells one story, or one that contradicts itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import Record
from pytest_workflow_exec.model import Outcome

from ._verdict import GateFacts

AFTER_THE_END = frozenset({"run.sealed", "note", "verification", "redaction"})
"""The types of record that may follow the end of a run, or a head that somebody kept."""

NO_END = "unfinished"

_KNOWN_TYPES = AFTER_THE_END | {
    "run.started", "run.resumed", "run.finished", "step.started", "step.finished", "step.invalidated",
    "command.started", "command.finished", "command.refused", "gate.requested", "gate.decided", "gate.used",
    "ai.request", "ai.response", "ai.tool", "retry.waiting", "recovery", "segment.sealed", "manual.attested",
}  # fmt: skip


class ContradictionError(Exception):
    """A record can't be true after the ones before it."""


class Story:
    """A run as its records tell it, record by record."""

    def __init__(self) -> None:
        """Begin before the first record."""
        self.run: str | None = None
        self.workflow: str | None = None
        self.plan_digest: str | None = None
        self.result: str | None = None
        self.unknown_types: set[str] = set()
        self._kinds: dict[str, str] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._decisions: dict[str, GateFacts] = {}

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many steps ended in each outcome, and how many planned ones did not end."""
        counts = Counter(outcome.value for outcome in self._outcomes.values())
        unfinished = sum(step not in self._outcomes for step in self._kinds)
        return {**counts, NO_END: unfinished} if unfinished else dict(counts)

    @property
    def gates(self) -> tuple[GateFacts, ...]:
        """The last decision at each gate."""
        return tuple(self._decisions.values())

    def take(self, record: Record) -> None:
        """Continue with the next record.

        Raises:
            ContradictionError: It can't be true after the ones before it.
        """
        if (record.type == "run.started") != (record.seq == 0):
            raise ContradictionError("a log begins with run.started, and no other record is one")
        if self.result is not None and record.type not in AFTER_THE_END:
            raise ContradictionError(f"{record.type} stands after the end of the run")
        if record.type not in _KNOWN_TYPES:
            self.unknown_types.add(record.type)
        take = _TAKES.get(record.type)
        if take is not None:
            take(self, record)

    def _start(self, record: Record) -> None:
        self.run = record.run
        self.workflow = _text(record.data, "workflow")
        self.plan_digest = _text(record.data, "plan_digest")
        plan = record.data.get("plan")
        steps = plan.get("steps") if isinstance(plan, Mapping) else None
        for step in steps if isinstance(steps, list) else []:
            if not isinstance(step, Mapping) or _text(step, "id") in self._kinds:
                raise ContradictionError("its plan is not a list of steps, each with an id of its own")
            self._kinds[_text(step, "id")] = _text(step, "kind")
        if not self._kinds:
            raise ContradictionError("its plan has no steps")

    def _decide(self, record: Record) -> None:
        step, assurance = self._planned(record), record.data.get("assurance")
        if type(assurance) is not int:
            raise ContradictionError("its assurance is no number")
        self._decisions[step] = GateFacts(
            step=step,
            attempt=record.attempt,
            decision=_text(record.data, "decision"),
            approver=_text(record.data, "approver"),
            channel=_text(record.data, "channel"),
            assurance=assurance,
        )

    def _end_step(self, record: Record) -> None:
        step, word = self._planned(record), _text(record.data, "outcome")
        if word not in {outcome.value for outcome in Outcome}:
            raise ContradictionError(f"{word!r} is no outcome of a step")
        outcome = Outcome(word)
        if outcome is Outcome.PASSED and self._kinds[step] == "gate":
            self._demand_approval(step, record.attempt)
        self._outcomes[step] = outcome

    def _demand_approval(self, step: str, attempt: int | None) -> None:
        decided = self._decisions.get(step)
        if decided is None or decided.decision != "approved" or decided.attempt != attempt:
            raise ContradictionError(f"gate {step!r} passed, but no record says that it was approved")

    def _finish(self, record: Record) -> None:
        result = _text(record.data, "result")
        if result == "passed":
            self._demand_satisfaction()
        self.result = result

    def _demand_satisfaction(self) -> None:
        for step in self._kinds:
            outcome = self._outcomes.get(step)
            if outcome is None:
                raise ContradictionError(f"the run says that it passed, but step {step!r} has no end")
            if not outcome.satisfies:
                raise ContradictionError(f"the run says that it passed, but step {step!r} is {outcome.words}")

    def _planned(self, record: Record) -> str:
        if record.step is None or record.step not in self._kinds:
            raise ContradictionError(f"{record.type} names step {record.step!r}, which is not in the plan")
        return record.step


_TAKES = {
    "run.started": Story._start,  # noqa: SLF001
    "gate.decided": Story._decide,  # noqa: SLF001
    "step.finished": Story._end_step,  # noqa: SLF001
    "run.finished": Story._finish,  # noqa: SLF001
}


def _text(data: Mapping[str, Json], key: str) -> str:
    value = data.get(key)
    if isinstance(value, str):
        return value
    raise ContradictionError(f"its data has no text {key!r}")
