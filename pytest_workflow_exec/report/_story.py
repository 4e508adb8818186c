"""A whole run as its log tells of it: a fold over the records that can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import Head, Record
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._attempts import NO_END, NOT_STARTED, Attempt, Happening, Kind, StepStory
from ._words import text_of


@dataclass(slots=True, kw_only=True)
class Session:
    """One process that ran steps."""

    number: int
    began: str
    facts: Mapping[str, Json]
    last: str
    """When its last record was written."""


class RunStory:
    """What a log tells."""

    def __init__(self) -> None:
        """Begin before the first record."""
        self.run: str | None = None
        self.workflow: str | None = None
        self.sessions: list[Session] = []
        self.finished: str | None = None
        self.result: str | None = None
        self.outputs: Mapping[str, Json] = {}
        self.problem = ""
        """Why a run that declares outputs does not leave them."""
        self.head: Head | None = None
        self.records = 0
        self.steps: dict[str, StepStory] = {}
        self.general: list[Happening] = []
        """What is told of the run as a whole."""

    def take(self, records: Iterable[Record]) -> None:
        """Add what the records say, as far as they can be read.

        Raises:
            LogUnreadableError: A record can't be read; what came before it was added.
        """
        for record in records:
            self.tell(record)

    def tell(self, record: Record) -> None:
        """Add one record."""
        self.head, self.records = record.head, self.records + 1
        _TELLS.get(record.type, RunStory._other)(self, record)
        if self.sessions and record.type not in _LATER:
            self.sessions[-1].last = record.ts

    @property
    def started(self) -> str | None:
        """When the run began."""
        return self.sessions[0].began if self.sessions else None

    @property
    def facts(self) -> Mapping[str, Json]:
        """What the newest session was started with."""
        return self.sessions[-1].facts if self.sessions else {}

    def all_of(self, *kinds: Kind) -> list[Happening]:
        """Return everything of those kinds, in the log's order."""
        found = [each for step in self.steps.values() for each in (*step.happenings, *step.notes) if each.kind in kinds]
        found += [each for each in self.general if each.kind in kinds]
        return sorted(found, key=lambda each: each.seq)

    def _begin(self, record: Record) -> None:
        if self.run is None:
            self.run, self.workflow = record.run, text_of(record.data.get("workflow")) or None
        session = Session(number=len(self.sessions) + 1, began=record.ts, facts=record.data, last=record.ts)
        self.sessions.append(session)
        self.finished, self.result, self.outputs, self.problem = None, None, {}, ""
        planned = mapping(record.data.get("plan")).get("steps")
        earlier, self.steps = self.steps, {}
        for entry in map(mapping, planned if isinstance(planned, list) else []):
            name = text_of(entry.get("id"))
            step = earlier.pop(name, None) or StepStory(id=name)
            step.kind, step.name = text_of(entry.get("kind")), text_of(entry.get("name"))
            step.plan, step.outcome, step.reasons = entry, NOT_STARTED, ()
            self.steps[name] = step
        for step in earlier.values():
            step.planned = False
        self.steps.update(earlier)

    def _end(self, record: Record) -> None:
        self.finished, self.result = record.ts, text_of(record.data.get("result"))
        self.outputs = mapping(record.data.get("outputs"))
        self.problem = text_of(record.data.get("outputs_problem"))

    def _begin_step(self, record: Record) -> None:
        step = self._step(record)
        step.kind, step.outcome = step.kind or text_of(record.data.get("kind")), NO_END
        step.attempts.append(Attempt(number=record.attempt, session=len(self.sessions), started=record.ts))

    def _end_step(self, record: Record) -> None:
        step, data = self._step(record), record.data
        step.outcome = text_of(data.get("outcome")).replace("_", " ")
        if step.outcome == "carried":
            # The session that ran it tells what happened and how long it took.
            return
        last = step.last
        if last is None or last.ended is not None or last.session != len(self.sessions):
            last = Attempt(number=record.attempt, session=len(self.sessions), started=None)
            step.attempts.append(last)
        last.ended, last.outcome, last.data = record.ts, step.outcome, data
        last.duration_s, last.message = _number(data.get("duration_s")), text_of(data.get("message"))
        last.error_class, last.waits_for = text_of(data.get("class")) or None, text_of(data.get("waits_for")) or None

    def _invalidate(self, record: Record) -> None:
        step, reasons = self._step(record), record.data.get("reasons")
        step.reasons = tuple(map(text_of, reasons if isinstance(reasons, list) else []))
        self._put(record, "undone")

    def _put(self, record: Record, kind: Kind) -> Happening:
        told = Happening(
            kind=kind, step=record.step, attempt=record.attempt, seq=record.seq, at=record.ts, who=record.actor.id,
            begun=record.data,
        )  # fmt: skip
        if record.step is None:
            self.general.append(told)
            return told
        step = self._step(record)
        # What is written behind an attempt's end, or without one, is not part of it.
        inside = step.last is not None and kind != "note"
        (step.attempts[-1].happenings if inside else step.notes).append(told)
        return told

    def _settle(self, record: Record, kind: Kind, same: str) -> None:
        """Take in what came of the newest happening of that kind which has the same `same`."""
        for told in reversed(self._among(record)):
            if told.kind == kind and told.ended is None and told.begun.get(same) == record.data.get(same):
                told.ended, told.until, told.by = record.data, record.ts, record.actor.id
                return
        told = self._put(record, kind)
        told.begun, told.ended, told.until, told.by = {}, record.data, record.ts, record.actor.id

    def _use(self, record: Record) -> None:
        for told in reversed(self._among(record)):
            if told.kind == "question" and told.begun.get("digest") == record.data.get("digest"):
                told.used_by = text_of(record.data.get("used_by"))
                return
        self._other(record)

    def _among(self, record: Record) -> list[Happening]:
        if record.step is None:
            return self.general
        step = self._step(record)
        return [*step.notes, *step.happenings]

    def _other(self, record: Record) -> None:
        self._put(record, "other")

    def _step(self, record: Record) -> StepStory:
        name = record.step or ""
        if name not in self.steps:
            self.steps[name] = StepStory(id=name, planned=False)
        return self.steps[name]


def mapping(value: Json) -> Mapping[str, Json]:
    """Return a mapping of a log; an empty one for anything else."""
    return value if isinstance(value, Mapping) else {}


def _number(value: Json) -> float | None:
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _put_as(kind: Kind) -> Callable[[RunStory, Record], object]:
    return lambda story, record: story._put(record, kind)  # noqa: SLF001 - the table below is part of the class


def _settle_as(kind: Kind, same: str) -> Callable[[RunStory, Record], None]:
    return lambda story, record: story._settle(record, kind, same)  # noqa: SLF001 - as above


_LATER = frozenset({"run.sealed", "note", "verification", "redaction"})
"""Types of records that people add when a session is over."""
_TELLS: Mapping[str, Callable[[RunStory, Record], object]] = {
    "run.started": RunStory._begin,  # noqa: SLF001
    "run.resumed": RunStory._begin,  # noqa: SLF001
    "run.finished": RunStory._end,  # noqa: SLF001
    "step.started": RunStory._begin_step,  # noqa: SLF001
    "step.finished": RunStory._end_step,  # noqa: SLF001
    "step.invalidated": RunStory._invalidate,  # noqa: SLF001
    "command.started": _put_as("command"),
    "command.finished": _settle_as("command", "argv"),
    "command.refused": _put_as("refusal"),
    "gate.requested": _put_as("question"),
    "gate.decided": _settle_as("question", "digest"),
    "gate.used": RunStory._use,  # noqa: SLF001
    "ai.request": _put_as("exchange"),
    "ai.response": _settle_as("exchange", "number"),
    "ai.tool": _put_as("tool"),
    "ai.turn": _put_as("turn"),
    "ai.reply": _put_as("turn"),
    "manual.attested": _put_as("attested"),
    "retry.waiting": _put_as("retry"),
    "note": _put_as("note"),
}
