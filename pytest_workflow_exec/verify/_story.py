"""What the records say together: a run that tells one story, or one that contradicts itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from pytest_workflow_exec.digests import Json, canonical_json, digest_of
from pytest_workflow_exec.evidence import Record
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.redaction import holds_mask

from ._again import again_in
from ._answers import answers_in, asked_in, demand_left
from ._approvals import Approvals
from ._clock import Clock
from ._commands import Commands
from ._consent import Consent
from ._contradiction import ContradictionError, text_in
from ._conversations import Conversations
from ._models import Models
from ._plan import Plan, PlannedStep, grants_glass, policy_in, read_plan
from ._probes import Probes
from ._retries import Retries
from ._shapes import Recognized
from ._signed_gates import Worth
from ._told import Told
from ._turns import Turns
from ._verdict import BrokenGlass, GateFacts
from ._waivers import Waivers

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Trust

AFTER_THE_END = frozenset({"run.sealed", "note", "verification", "redaction"})
"""The types of record that may follow the end of a run, or a head that somebody kept."""

NO_END = "unfinished"

_OF_THE_LOG = frozenset({"recovery", "segment.sealed"})
"""The types of record that tell of the log's files, and nothing of the run; what they say is checked with the chain."""

_KNOWN_TYPES = AFTER_THE_END | {
    "run.started", "run.resumed", "run.finished", "step.started", "step.finished", "step.invalidated",
    "command.started", "command.finished", "command.refused", "gate.requested", "gate.decided", "gate.used",
    "ai.request", "ai.response", "ai.turn", "ai.tool", "ai.reply", "retry.waiting", "recovery", "manual.attested",
    "segment.sealed",
}  # fmt: skip


class Story:
    """A run as its records tell it, record by record."""

    def __init__(self) -> None:
        """Begin before the first record."""
        self.run: str | None = None
        self.workflow: str | None = None
        self.plan_digest: str | None = None
        self.result: str | None = None
        self.unknown_types: set[str] = set()
        self.sessions = 0
        """How many processes ran steps, one after the other."""
        self.policies: dict[str, None] = {}
        """The digests of the policies that they ran under."""
        self._policy: str | None = None
        """That of the last of them: a later session may be under the first one's again."""
        self._clock, self._commands, self._consent, self._probes = Clock(), Commands(), Consent(), Probes()
        self._retries, self._models, self._waivers = Retries(), Models(), Waivers()
        self._talks = Conversations()
        self._answered: tuple[str, int | None] | None = None
        """The last step and attempt in which somebody was asked about work by hand."""
        self._attested: tuple[str, int | None] | None = None
        """The last one in which somebody said that it was done."""
        self._filled_in: Mapping[str, Json] = {}
        """What they filled into its form."""
        self._first: Mapping[str, Json] = {}
        """The data of the run's first record."""
        self._carried: Sequence[Json] = ()
        """The steps that the session says it carries."""
        self._follow(Plan())

    @property
    def outcomes(self) -> Mapping[str, int]:
        """How many steps ended in each outcome, and how many planned ones did not end."""
        counts = Counter(outcome.value for outcome in self._turns.outcomes.values())
        unfinished = sum(step.id not in self._turns.outcomes for step in self._plan.steps)
        return {**counts, NO_END: unfinished} if unfinished else dict(counts)

    @property
    def gates(self) -> tuple[GateFacts, ...]:
        """The last decision at each gate."""
        proven = self._approvals.proven
        return tuple(
            replace(facts, proven=proven[facts].assurance) if facts in proven else facts
            for facts in (
                *self._approvals.decisions.values(),
                *self._waivers.decisions.values(),
                *self._talks.decisions.values(),
            )
        )

    @property
    def waived(self) -> tuple[str, ...]:
        """The steps whose failure a person accepted, in this session or in one before it."""
        return tuple(self._waivers.waived)

    @property
    def broken_glass(self) -> tuple[BrokenGlass, ...]:
        """The gates that somebody went past without the signatures that they want, in any session."""
        return tuple(self._approvals.broken.values())

    @property
    def assurance(self) -> int | None:
        """What the decisions that let anything go on are worth at least; None if there was none."""
        return min((worth.assurance for worth in self._worths), default=None)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why a decision that let anything go on is worth less than its record claims."""
        return tuple(dict.fromkeys(worth.doubt for worth in self._worths if worth.doubt))

    @property
    def _worths(self) -> Sequence[Worth]:
        counted = (*self._approvals.counted, *self._consent.counted, *self._waivers.counted, *self._talks.counted)
        return [self._approvals.worth(decision) for decision in counted]

    @property
    def asked_of(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The groups that signed approvals were asked of."""
        signed = (*self._approvals.signed, *self._waivers.signed)
        return tuple(dict.fromkeys(group for decision in signed for group in decision.groups))

    def prove(self, trust: Callable[[], Trust]) -> None:
        """Look at the signatures of approvals by a verifier's own list of signers.

        Args:
            trust: Gives the list, if there is anything to look at.
        """
        for decision, (question, at) in (*self._approvals.signed.items(), *self._waivers.signed.items()):
            self._approvals.proven[decision] = question.proven(trust(), self._first, at)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the run and contradicts nothing."""
        return self._clock.warnings

    def take(self, record: Record) -> None:
        """Continue with the next record.

        Raises:
            ContradictionError: It can't be true after the ones before it.
        """
        self._demand_place(record)
        self._clock.take(record)
        self._go_on(record)

    def take_known(self, record: Recognized) -> None:
        """Continue with the next record, known by its shape.

        Raises:
            ContradictionError: It can't be true after the ones before it.
        """
        self._demand_place(record)
        self._clock.take_plain(record.start)
        self._go_on(record)

    def _demand_place(self, record: Told) -> None:
        kind = record.type
        # A writer that died in its very first record leaves a log that begins with a recovery.
        if (self.sessions == 0) != (kind == "run.started") and kind not in _OF_THE_LOG:
            raise ContradictionError("a log begins with run.started, and no other record is one")
        if self.result is not None and not self._may_follow_end(record):
            raise ContradictionError(f"{kind} stands after the end of the run")

    def _go_on(self, record: Told) -> None:
        kind = record.type
        take = _TAKES.get(kind)
        if take is not None:
            take(self, record)
        elif kind not in _KNOWN_TYPES:
            self.unknown_types.add(kind)

    def _follow(self, plan: Plan) -> None:
        self._plan, self._turns, self._approvals = plan, Turns(plan), Approvals(plan)

    def _may_follow_end(self, record: Told) -> bool:
        if record.type == "run.resumed":
            return self.result != "passed"
        if record.type == "gate.decided":
            return self.result == "suspended" and record.step is not None
        return record.type in AFTER_THE_END or record.type in _OF_THE_LOG

    def _start(self, record: Told) -> None:
        _demand_whole_run(record)
        self.run, self._first = record.run, record.data
        self.workflow = text_in(record.data, "workflow")
        self._follow(self._planned(record))
        self._approvals.glass_granted = grants_glass(record.data)

    def _planned(self, record: Told) -> Plan:
        plan = read_plan(record.data)
        # What was made of the record, not what it says: a masked secret, in a step's name for one, hides the plan.
        self.plan_digest = plan.digest
        if plan.digest != text_in(record.data, "plan_digest") and not holds_mask(canonical_json(record.data["plan"])):
            raise ContradictionError("its plan has another digest than it says")
        self.sessions += 1
        self._policy = policy_in(record.data)
        self.policies[self._policy] = None
        return plan

    def _resume(self, record: Told) -> None:
        _demand_whole_run(record)
        if text_in(record.data, "workflow") != self.workflow:
            raise ContradictionError("the run goes on as one of another workflow")
        carried = record.data.get("carried")
        if record.data.get("session") != self.sessions + 1 or not isinstance(carried, list):
            raise ContradictionError(f"it does not say that it is session {self.sessions + 1}, and what it carries")
        self.result = None
        self._plan = self._planned(record)
        self._turns.resume(self._plan)
        self._approvals.resume(self._plan)
        self._approvals.glass_granted = grants_glass(record.data)
        self._consent.resume()
        self._commands.resume()
        self._retries.resume()
        self._carried = carried

    def _invalidate(self, record: Told) -> None:
        step, by = self._plan.step_of(record), record.data.get("undone_by")
        if by is not None:
            self._demand_undoing(step, by)
            self._turns.undo(step)
            self._waivers.forget(step.id)
            return
        self._turns.invalidate(step)
        self._waivers.forget(step.id)
        self._approvals.invalidate(step)

    def _demand_undoing(self, step: PlannedStep, by: Json) -> None:
        if by != self._turns.running or step.id not in self._plan.named(by, "step.invalidated").undoes:
            raise ContradictionError(f"step {step.id!r} is undone by {by!r}, which does not undo it now")

    def _start_step(self, record: Told) -> None:
        step = self._plan.step_of(record)
        for key, planned in (("kind", step.kind), ("digest", step.digest)):
            if text_in(record.data, key) != planned:
                raise ContradictionError(f"step {step.id!r} starts with another {key} than the plan says")
        self._consent.demand()
        if self._retries.start(step, record.attempt):
            self._turns.try_again(step)
        self._probes.start(step, record, unknown=self._turns.is_unknown(step))
        self._turns.start(step, record.attempt)
        self._commands.begin()
        self._models.begin(step, record.attempt)
        self._talks.begin(step, record.attempt)
        self._waivers.start(step)
        self._approvals.demand_cover(step)

    def _end_step(self, record: Told) -> None:
        step, outcome = self._plan.step_of(record), _outcome(record)
        if outcome in (Outcome.PASSED, Outcome.WAIVED):
            self._commands.demand_ends(step.id)
            self._models.end(step, record)
            self._talks.end(step)
        if outcome is Outcome.PASSED and step.is_gate:
            self._approvals.demand_approval(step, record.attempt, record.ts)
            demand_left(step.id, self._approvals.answers.get(step.id, {}), record.data.get("outputs"))
        if outcome is Outcome.PASSED and step.kind == "manual" and self._attested != (step.id, record.attempt):
            raise ContradictionError(f"step {step.id!r} passed, but no record says that somebody did the work")
        if outcome is Outcome.PASSED and step.kind == "manual":
            demand_left(step.id, self._filled_in, record.data.get("outputs"))
        if outcome is Outcome.SUSPENDED:
            self._approvals.suspend(step, record.attempt)
        self._waivers.end(step, outcome)
        if outcome is Outcome.CARRIED and step.id not in self._carried:
            raise ContradictionError(f"step {step.id!r} is carried, but its session says that it is not")
        self._probes.end(step, outcome, record)
        if outcome is Outcome.PASSED and self._turns.running == step.id:
            self._commands.demand_body(step, record)
        self._retries.end(step, outcome, record, ran=self._turns.running == step.id)
        self._turns.end(step, outcome, record.attempt)

    def _wait(self, record: Told) -> None:
        self._retries.wait(self._plan.step_of(record), record)

    def _start_command(self, record: Told) -> None:
        step = self._plan.step_of(record)
        self._commands.start(record, running=self._turns.running, attempt=self._turns.attempt)
        self._models.start_command(step, record)
        self._probes.start_command(record)

    def _finish_command(self, record: Told) -> None:
        self._plan.step_of(record)
        self._commands.finish(record)
        self._probes.finish_command(record)

    def _refuse_command(self, record: Told) -> None:
        step = self._plan.step_of(record)
        if (step.id, record.attempt) != (self._turns.running, self._turns.attempt):
            raise ContradictionError(f"step {step.id!r} is refused a command, but that attempt is not under way")

    def _ask_model(self, record: Told) -> None:
        self._talks.ask_model(self._plan.step_of(record))
        self._models.request(self._plan.step_of(record), record)

    def _hear_model(self, record: Told) -> None:
        self._models.response(self._plan.step_of(record), record)
        self._talks.hear_model(record)

    def _say(self, record: Told) -> None:
        self._talks.say(self._plan.step_of(record), record)

    def _use_tool(self, record: Told) -> None:
        self._talks.use_tool(self._plan.step_of(record), record)

    def _reply(self, record: Told) -> None:
        self._talks.reply(self._plan.step_of(record), record)

    def _attest(self, record: Told) -> None:
        step = self._plan.step_of(record)
        under_way = (step.id, record.attempt) == (self._turns.running, self._turns.attempt)
        if step.kind != "manual" or not under_way or self._answered == (step.id, record.attempt):
            raise ContradictionError(f"work by hand is attested in step {step.id!r}, but not in its turn")
        self._answered = (step.id, record.attempt)
        done = text_in(record.data, "result") == "done"
        self._filled_in = answers_in(record.data, asked=asked_in(record.data.get("asked")) if done else frozenset())
        if done:
            self._attested = self._answered
            self._probes.confirm(step)

    def _request(self, record: Told) -> None:
        self._compare_with_question(record)
        if record.step is None:
            self._consent.request(record)
            return
        if self._is_asked_again(record):
            self._approvals.request_again(self._plan.step_of(record), record)
            return
        step = self._gate_under_way(record)
        if self._talks.is_asked(record):
            self._talks.request(step, record)
            return
        if step.waivable:
            self._waivers.request(step, record)
            return
        self._approvals.request(step, record)
        self._models.ask_at_gate(step, record)

    def _is_asked_again(self, record: Told) -> bool:
        """Return whether a gate asks behind its own turn: it passed, and what was approved changed before it was used."""
        step = self._plan.step_of(record)
        if again_in(record) is None or not step.is_gate or self._turns.running is not None:
            return False
        return self._turns.satisfied(step.id) and self._turns.last_attempt(step.id) == record.attempt

    def _decide(self, record: Told) -> None:
        if record.step is None:
            self._consent.decide(record)
            return
        step = self._plan.step_of(record)
        if self.result is None and self._turns.running is None and self._approvals.asks_again(step.id, record):
            self._approvals.decide(step, record)
            return
        stands = self._turns.running == step.id and self._approvals.waits_for_signatures(step.id, record)
        if self.result is not None or stands:
            self._approvals.decide_open(step, record)
            return
        step = self._gate_under_way(record)
        if self._talks.is_about(record):
            self._talks.decide(step, record)
            return
        if step.waivable:
            self._waivers.decide(step, record)
            return
        self._approvals.decide(step, record)

    def _use(self, record: Told) -> None:
        if record.step is None:
            self._consent.use(record)
            return
        gate = self._plan.step_of(record)
        if self._talks.is_about(record):
            self._talks.use(self._gate_under_way(record), record)
            return
        if gate.waivable:
            self._waivers.use(self._gate_under_way(record), record)
            return
        if not self._turns.satisfied(gate.id):
            raise ContradictionError(f"the approval of gate {gate.id!r} is used, but the gate has not passed")
        self._approvals.use(gate, record)

    def _note(self, record: Told) -> None:
        review = record.data.get("review")
        if isinstance(review, Mapping):
            self._approvals.review(record, review)

    def _finish(self, record: Told) -> None:
        _demand_whole_run(record)
        result = text_in(record.data, "result")
        if self._turns.running is not None:
            raise ContradictionError(f"the run ends, but step {self._turns.running!r} is still under way")
        if result == "passed":
            self._demand_satisfaction()
        if result == "partial":
            self._demand_no_failure()
        if "outputs" in record.data and result != "passed":
            raise ContradictionError(f"the run says what it leaves, but that it is {result}")
        if result == "suspended" and Outcome.SUSPENDED not in self._turns.outcomes.values():
            raise ContradictionError("the run says that it is suspended, but no gate of it waits")
        self._compare_with_end(record)
        self.result = result

    def _demand_satisfaction(self) -> None:
        for step in self._turns.unsatisfied():
            outcome = self._turns.outcomes.get(step)
            how = "has no end" if outcome is None else f"is {outcome.words}"
            raise ContradictionError(f"the run says that it passed, but step {step!r} {how}")

    def _demand_no_failure(self) -> None:
        for step, outcome in self._turns.outcomes.items():
            if not outcome.satisfies:
                raise ContradictionError(f"the run says that it stopped early, but step {step!r} is {outcome.words}")

    def _compare_with_end(self, record: Told) -> None:
        counts = dict(Counter(outcome.value for outcome in self._turns.outcomes.values()))
        for key, found in (("counts", counts), ("not_satisfied", self._turns.unsatisfied())):
            if key in record.data and record.data[key] != found:
                raise ContradictionError(f"its {key} are not what the records before it say: {found}")

    def _gate_under_way(self, record: Told) -> PlannedStep:
        step = self._plan.step_of(record)
        if self._turns.running != step.id:
            raise ContradictionError(f"{record.type} names step {step.id!r}, which is not under way")
        if self._turns.attempt != record.attempt:
            raise ContradictionError(f"{record.type} is of attempt {record.attempt}, which is not under way")
        return step

    def _compare_with_question(self, record: Told) -> None:
        request = record.data.get("request")
        if not isinstance(request, Mapping):
            raise ContradictionError("it does not hold what was asked")
        if digest_of(request) != text_in(record.data, "digest") and not holds_mask(canonical_json(request)):
            raise ContradictionError("what was asked has another digest than it says")
        so = {
            "run": record.run, "workflow": self.workflow, "plan_digest": self.plan_digest,
            "policy_digest": self._policy, "attempt": record.attempt,
        }  # fmt: skip
        for key, value in so.items():
            if request.get(key, value) != value:
                raise ContradictionError(f"what was asked is about another {key.replace('_', ' ')}")


_TAKES = {
    "run.started": Story._start,  # noqa: SLF001
    "run.resumed": Story._resume,  # noqa: SLF001
    "run.finished": Story._finish,  # noqa: SLF001
    "step.started": Story._start_step,  # noqa: SLF001
    "step.finished": Story._end_step,  # noqa: SLF001
    "step.invalidated": Story._invalidate,  # noqa: SLF001
    "command.started": Story._start_command,  # noqa: SLF001
    "command.finished": Story._finish_command,  # noqa: SLF001
    "command.refused": Story._refuse_command,  # noqa: SLF001
    "manual.attested": Story._attest,  # noqa: SLF001
    "gate.requested": Story._request,  # noqa: SLF001
    "gate.decided": Story._decide,  # noqa: SLF001
    "gate.used": Story._use,  # noqa: SLF001
    "retry.waiting": Story._wait,  # noqa: SLF001
    "note": Story._note,  # noqa: SLF001
    "ai.request": Story._ask_model,  # noqa: SLF001
    "ai.response": Story._hear_model,  # noqa: SLF001
    "ai.turn": Story._say,  # noqa: SLF001
    "ai.tool": Story._use_tool,  # noqa: SLF001
    "ai.reply": Story._reply,  # noqa: SLF001
}


def _demand_whole_run(record: Told) -> None:
    if (record.step, record.attempt) != (None, None):
        raise ContradictionError(f"{record.type} is about the whole run, and names a step or an attempt")


def _outcome(record: Told) -> Outcome:
    word = text_in(record.data, "outcome")
    if word not in _OUTCOMES:
        raise ContradictionError(f"{word!r} is no outcome of a step")
    return _OUTCOMES[word]


_OUTCOMES = {outcome.value: outcome for outcome in Outcome}
