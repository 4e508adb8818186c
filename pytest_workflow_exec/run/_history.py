"""What a log says about the steps of earlier sessions: a fold, record by record, and nothing that a record does not say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Protocol, cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import Head, read_log
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import Outcome, StepId
from pytest_workflow_exec.run._values import FileOutput, StepOutputs

_CARRIABLE = frozenset({Outcome.PASSED, Outcome.WAIVED})


class Told(Protocol):
    """What the history needs of a record, whoever read it."""

    @property
    def seq(self) -> int:
        """Its place in the log."""

    @property
    def type(self) -> str:
        """What happened."""

    @property
    def ts(self) -> str:
        """When it was written."""

    @property
    def step(self) -> StepId | None:
        """The step that it is about."""

    @property
    def attempt(self) -> int | None:
        """Which attempt at the step."""

    @property
    def data(self) -> Mapping[str, Json]:
        """What else it says, with stored texts put back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastCommand:
    """A command that a step ran."""

    argv: tuple[str, ...]
    rule: str
    """The digest of the rule that allowed it; empty for the engine's own."""
    level: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What the plan said of a step when it was started; what it says now is no word about what was done then."""

    digest: str
    always: bool
    repeatable: bool
    undoes: tuple[StepId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PastUnknown:
    """A step that was started and has no end, or was interrupted."""

    declared: Declared
    facts: Mapping[str, Json]
    """What its session was started with."""
    doubtful: bool = False
    """Whether its check was asked since, and could not tell."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastStep:
    """A step that was satisfied in an earlier session."""

    digest: str
    declared: Declared
    outcome: Outcome
    ended: str
    """When, UTC in ISO 8601."""
    seq: int
    """The record of its end."""
    outputs: StepOutputs
    used: frozenset[StepId]
    """The steps whose outputs its code looked at."""
    commands: tuple[PastCommand, ...]
    facts: Mapping[str, Json]
    """What its session was started with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastAbsence:
    """A step that did not apply in an earlier session."""

    seq: int
    """The record of its end."""
    declared: Declared
    facts: Mapping[str, Json]
    """What its session was started with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PastVote:
    """A signed answer of one person, as the log holds it: nothing of it is believed before it was judged again."""

    at: str
    """When it was taken in, UTC in ISO 8601."""
    data: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenGate:
    """A gate at which a session ended, with what was decided since."""

    attempt: int
    request: Mapping[str, Json]
    digest: str
    suspended: bool = False
    decision: str | None = None
    approver: str = ""
    decided: str = ""
    """When, UTC in ISO 8601; empty if nothing was."""
    seq: int = -1
    """The record of the decision; -1 if there is none."""
    answers: Mapping[str, Json] = field(default_factory=dict)
    """What was filled into its form."""
    votes: tuple[PastVote, ...] = ()
    """The signed answers that were taken in, if it wants signatures."""

    @property
    def is_signed(self) -> bool:
        """Whether it wants signatures."""
        return self.request.get("rules") is not None


@dataclass
class History:
    """The earlier sessions of a run, as its log tells them."""

    facts: Mapping[str, Json] = field(default_factory=dict)
    """What the last session was started with."""
    satisfied: dict[StepId, PastStep] = field(default_factory=dict)
    """The steps that passed and were not started again since."""
    left_out: dict[StepId, PastAbsence] = field(default_factory=dict)
    """The steps that last did not apply."""
    invalid: set[StepId] = field(default_factory=set)
    """Those of the satisfied ones that an earlier session already decided to run again."""
    unknown: dict[StepId, PastUnknown] = field(default_factory=dict)
    """The steps that were started and have no end, or were interrupted: nobody knows what they did."""
    undone: dict[StepId, StepId] = field(default_factory=dict)
    """The steps that another one reverted, and which; they have not been started since."""
    shaken: dict[StepId, StepId] = field(default_factory=dict)
    """Those of the satisfied ones that another one, which was started and did not pass, was to revert."""
    attempts: dict[StepId, int] = field(default_factory=dict)
    """The number of each step's last attempt."""
    paused_since: dict[StepId, tuple[str, str]] = field(default_factory=dict)
    """The steps that were suspended before they ended, each with its digest and when it was first started."""
    waits_until: dict[StepId, str] = field(default_factory=dict)
    """The pauses at which the last session was suspended, with when they are over."""
    open_gates: dict[StepId, OpenGate] = field(default_factory=dict)
    """The gates that asked and were not left since."""
    broken_glass: dict[StepId, str] = field(default_factory=dict)
    """The gates that somebody went past without the signatures that they want, and who, and why."""
    denied: StepId | None = None
    """The gate at which the run was refused; None if it was not, or if a person said since why it goes on."""
    rejected: str | None = None
    """The digest of the plan that a person rejected; None if nobody did, or one said since why it is asked again."""
    begun: bool = False
    """Whether any step was ever started."""
    first_facts: Mapping[str, Json] = field(default_factory=dict)
    """What the first session was started with."""
    sessions: int = 0
    head: Head | None = None
    """The last record, once all were taken in."""

    def __post_init__(self) -> None:
        """Begin before the first record."""
        self._running: tuple[StepId, str] | None = None
        self._plan: Mapping[StepId, Declared] = {}
        self._commands: list[PastCommand] = []
        self._waiving: StepId | None = None
        """The step that asked last whether its failure is accepted."""

    @classmethod
    def of(cls, log: Path) -> History:
        """Return the history in a log.

        Raises:
            LogUnreadableError: The log is missing or broken.
        """
        history, last = cls(), None
        for record in read_log(log, unended=True):
            history.take(record)
            last = record
        history.end(None if last is None else last.head)
        return history

    def take(self, record: Told) -> None:
        """Continue with the next record."""
        take = _TAKES.get(record.type)
        if take is not None:
            take(self, record)

    def end(self, head: Head | None) -> None:
        """Take note that there are no more records: a step that is still under way has no end.

        Args:
            head: The last one's place and hash; None if there was none.
        """
        self._stop()
        self.head = head

    def _stop(self) -> None:
        if self._running is not None:
            step = self._running[0]
            self.unknown[step] = PastUnknown(declared=self._plan[step], facts=self.facts)
            self._running = None

    @property
    def _plan_digest(self) -> str:
        return str(self.facts.get("plan_digest"))

    def _begin_session(self, record: Told) -> None:
        self._stop()
        self.facts = record.data
        self.waits_until.clear()
        if record.data.get("redo") is not None:
            # Nothing else takes a refusal back: a session that only cleans up comes to no gate.
            self.denied = self.rejected = None
        if not self.sessions:
            self.first_facts = record.data
        self._plan = _declared(record.data)
        self.sessions += 1

    def _start(self, record: Told) -> None:
        step = cast("StepId", record.step)
        self.begun = True
        self.attempts[step] = record.attempt or 1
        digest = str(record.data.get("digest"))
        self._running, self._commands = (step, digest), []
        if self.paused_since.get(step, (digest, ""))[0] != digest:
            del self.paused_since[step]
        self.paused_since.setdefault(step, (digest, record.ts))
        self.invalid.discard(step)
        for kept in (self.left_out, self.satisfied, self.unknown, self.undone, self.shaken):
            kept.pop(step, None)
        self.shaken |= dict.fromkeys(self._plan[step].undoes, step)

    def _command(self, record: Told) -> None:
        data = record.data
        self._commands.append(
            PastCommand(
                argv=tuple(map(str, cast("Sequence[Json]", data.get("argv") or ()))),
                rule=str(data.get("rule_digest") or ""),
                level=str(data.get("level")),
            )
        )

    def _note_denial(self, step: StepId, outcome: Outcome) -> None:
        if outcome is Outcome.DENIED and step in self.open_gates and self.open_gates[step].is_signed:
            self.denied = step
            if any(vote.data.get("decision") == "rejected" for vote in self.open_gates[step].votes):
                self.rejected = self._plan_digest
        elif outcome is Outcome.PASSED and step == self.denied:
            self.denied = None

    def _end(self, record: Told) -> None:
        step, outcome = cast("StepId", record.step), Outcome(str(record.data["outcome"]))
        self._note_denial(step, outcome)
        if outcome is not Outcome.SUSPENDED and self._running is not None and self._running[0] == step:
            self.paused_since.pop(step, None)
        outputs = record.data.get("outputs")
        if outcome is Outcome.SUSPENDED and isinstance(outputs, Mapping) and isinstance(outputs.get("until"), str):
            self.waits_until[step] = str(outputs["until"])
        if outcome is Outcome.SUSPENDED and step in self.open_gates:
            self.open_gates[step] = replace(self.open_gates[step], suspended=True)
        else:
            self.open_gates.pop(step, None)
        if self._running is None or self._running[0] != step:
            # It did not run now: what an earlier session did stays as true as it was.
            if outcome is Outcome.NOT_APPLICABLE:
                self.left_out[step] = PastAbsence(seq=record.seq, declared=self._plan[step], facts=self.facts)
            return
        _, digest = self._running
        self._running = None
        if outcome in _CARRIABLE:
            self.satisfied[step] = PastStep(
                digest=digest,
                declared=self._plan[step],
                outcome=outcome,
                ended=record.ts,
                seq=record.seq,
                outputs=outputs_in(record.data),
                used=frozenset(map(str, cast("Sequence[Json]", record.data.get("used") or ()))),
                commands=tuple(self._commands),
                facts=self.facts,
            )
        elif outcome is Outcome.INTERRUPTED:
            doubtful = record.data.get("doubt") is True
            self.unknown[step] = PastUnknown(declared=self._plan[step], facts=self.facts, doubtful=doubtful)

    def _invalidate(self, record: Told) -> None:
        step, by = cast("StepId", record.step), record.data.get("undone_by")
        if by is None:
            self.invalid.add(step)
            self.broken_glass.pop(step, None)
            return
        # Whatever it did is reverted: it begins as if it had never been started.
        self.undone[step] = str(by)
        self.invalid.discard(step)
        for kept in (self.satisfied, self.unknown, self.shaken):
            kept.pop(step, None)

    def _ask(self, record: Told) -> None:
        request = record.data.get("request")
        self._waiving = record.step if isinstance(request, Mapping) and request.get("failure") else None
        if isinstance(request, Mapping) and request.get("again") is not None:
            # Asked anew behind its turn: the gate itself was left, and is asked in its turn again in a later session.
            return
        if self._waiving is None and record.step is not None and isinstance(request, Mapping):
            self.broken_glass.pop(record.step, None)
            self.open_gates[record.step] = OpenGate(
                attempt=record.attempt or 1, request=request, digest=str(record.data.get("digest"))
            )

    def _decide(self, record: Told) -> None:
        # A failure that nobody accepts is a failure: it denies no run, and rejects no plan.
        if record.step is None or record.step == self._waiving:
            return
        decision = str(record.data.get("decision"))
        if record.data.get("channel") == "break-glass" and decision == "approved":
            self.broken_glass[record.step] = broken_glass_by(record.data)
        gate = self.open_gates.get(record.step)
        asked = gate is not None and (gate.attempt, gate.digest) == (record.attempt, record.data.get("digest"))
        if (
            gate is not None
            and gate.is_signed
            and (record.data.get("channel") == "signature" or decision == "approved")
        ):
            # One of several votes, perhaps: what they amount to is judged where they are counted.
            if asked:
                vote = PastVote(at=record.ts, data=record.data)
                self.open_gates[record.step] = replace(gate, votes=(*gate.votes, vote))
            return
        self.denied = None if decision == "approved" else record.step
        if decision == "rejected":
            self.rejected = self._plan_digest
        if gate is not None and asked:
            form = record.data.get("form")
            self.open_gates[record.step] = replace(
                gate,
                decision=decision,
                approver=str(record.data.get("approver")),
                decided=record.ts,
                seq=record.seq,
                answers=form if isinstance(form, Mapping) else {},
            )


_TAKES = {
    "run.started": History._begin_session,  # noqa: SLF001
    "run.resumed": History._begin_session,  # noqa: SLF001
    "step.started": History._start,  # noqa: SLF001
    "step.finished": History._end,  # noqa: SLF001
    "step.invalidated": History._invalidate,  # noqa: SLF001
    "command.started": History._command,  # noqa: SLF001
    "gate.requested": History._ask,  # noqa: SLF001
    "gate.decided": History._decide,  # noqa: SLF001
}


def _declared(facts: Mapping[str, Json]) -> Mapping[StepId, Declared]:
    plan = cast("Mapping[str, Json]", facts["plan"])
    steps = cast("Sequence[Mapping[str, Json]]", plan["steps"])
    return {
        str(step["id"]): Declared(
            digest=str(step["digest"]),
            always=step.get("always") is True,
            repeatable=step.get("repeatable") is True,
            undoes=tuple(map(str, cast("Sequence[Json]", step.get("undoes") or ()))),
        )
        for step in steps
    }


def broken_glass_by(data: Mapping[str, Json]) -> str:
    """Return who broke the glass of a gate, and why, as the record of their decision says it."""
    return f"{data.get('approver')}: {data.get('reason')}"


def outputs_in(data: Mapping[str, Json]) -> StepOutputs:
    """Return the outputs that the end of a step holds."""
    files = cast("Mapping[str, Mapping[str, Json]]", data.get("files") or {})
    return StepOutputs(
        values=cast("Mapping[str, Json]", data.get("outputs") or {}),
        files={
            name: FileOutput(
                path=str(file["path"]), sha256=str(file["sha256"]), size_bytes=int(cast("int", file["size_bytes"]))
            )
            for name, file in files.items()
        },
    )
