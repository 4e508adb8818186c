"""A run as `show` tells it: folded from the records that can be read."""

from __future__ import annotations

import dataclasses
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping
from typing import TypeAlias, TypedDict

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import Head, Record
from pytest_workflow_exec.lean_dataclasses import dataclass

NOT_STARTED = "not started"
NO_END = "started, no end: effect unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step of the plan and what became of it."""

    id: str
    kind: str = ""
    outcome: str = NOT_STARTED
    attempt: int | None = None
    digest: str | None = None
    """SHA-256 of its definition, in hex."""
    started: str | None = None
    ended: str | None = None
    duration_s: float | None = None
    message: str = ""
    waits_for: str | None = None
    error_class: str | None = None
    """Why it failed, in one word."""
    files: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """SHA-256 of each file that it left, in hex, by its path from the project."""
    reasons: tuple[str, ...] = ()
    """Why it ran again, though it had passed before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """One decision."""

    step: str
    decision: str
    approver: str
    channel: str
    assurance: str
    reason: str
    decided: str

    @property
    def breaks_glass(self) -> bool:
        """Whether somebody went past the signatures that the gate wants."""
        return (self.channel, self.decision) == ("break-glass", "approved")

    @property
    def word(self) -> str:
        """How it was decided, as a person should hear it."""
        return "GLASS BROKEN" if self.breaks_glass else self.decision


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandView:
    """One command that ran."""

    step: str
    attempt: int | None
    argv: tuple[str, ...]
    exit: int | None = None
    """None if it has no end, or was ended by a signal."""
    started: str
    ended: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteView:
    """One remark that a person added."""

    step: str | None
    who: str
    text: str
    written: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryView:
    """One attempt that failed and was followed by another."""

    step: str
    attempt: int | None
    error_class: str
    waited_s: float
    why: str


class RefusalView(TypedDict):
    """A command that the policy refused."""

    step: str
    argv: list[str]
    reason: str


_Ran: TypeAlias = "tuple[str | None, int | None, tuple[str, ...]]"
"""What tells a command that ran: its step, the attempt and the command line."""


class RunView:
    """Everything `show` says about a run."""

    def __init__(self) -> None:
        """Begin before the first record."""
        self.run: str | None = None
        self.workflow: str | None = None
        self.started: str | None = None
        self.starter: str | None = None
        self.finished: str | None = None
        self.result: str | None = None
        self.outputs: Mapping[str, Json] = {}
        """What the run leaves, as its workflow declares."""
        self.head: Head | None = None
        self.sessions: list[str] = []
        """When each of them began."""
        self.commit: str | None = None
        self.plan_digest: str | None = None
        self.redo: Mapping[str, Json] = {}
        """The step that a person wanted to run again in the last session, with the reason."""
        self.recoveries = 0
        self.notes: list[NoteView] = []
        self.commands: list[CommandView] = []
        self._running: dict[_Ran, deque[int]] = defaultdict(deque)
        """Where in `commands` those without an end stand."""
        self.retries: list[RetryView] = []
        self.steps: dict[str, StepView] = {}
        self._earlier: dict[str, StepView] = {}
        self.gates: list[GateView] = []
        self.refused: list[RefusalView] = []

    def take(self, records: Iterable[Record]) -> None:
        """Add what the records say, as far as they can be read.

        Raises:
            LogUnreadableError: A record can't be read; what came before it was added.
        """
        for record in records:
            self.head = record.head
            take = _TAKES.get(record.type)
            if take is not None:
                take(self, record)

    def start(self, record: Record) -> None:
        """Take in the start of the run."""
        self.run, self.started = record.run, record.ts
        self.workflow = _text(record.data.get("workflow"))
        self.starter = _text(_mapping(record.data.get("starter")).get("user"))
        self.resume(record)

    def resume(self, record: Record) -> None:
        """Take in the start of a session: what is planned now, and nothing of it has an end yet."""
        data = record.data
        self.sessions.append(record.ts)
        self.finished, self.result, self._earlier = None, None, {**self._earlier, **self.steps}
        self.outputs = {}
        self.commit = _some_text(_mapping(data.get("repository")).get("commit"))
        self.plan_digest, self.redo = _some_text(data.get("plan_digest")), _mapping(data.get("redo"))
        self.steps = {}
        steps = _mapping(data.get("plan")).get("steps")
        for step in map(_mapping, steps if isinstance(steps, list) else []):
            name = _text(step.get("id"))
            self.steps[name] = StepView(id=name, kind=_text(step.get("kind")), digest=_some_text(step.get("digest")))

    def invalidate(self, record: Record) -> None:
        """Take in why a step that had passed runs again."""
        reasons = record.data.get("reasons")
        told = tuple(map(_text, reasons if isinstance(reasons, list) else []))
        step = self._step(record)
        self.steps[step.id] = dataclasses.replace(step, reasons=told)

    def recover(self, _record: Record) -> None:
        """Take in that a writer went on behind a record that was not written whole."""
        self.recoveries += 1

    def note(self, record: Record) -> None:
        """Take in a remark."""
        text = _text(record.data.get("text"))
        self.notes.append(NoteView(step=record.step, who=record.actor.id, text=text, written=record.ts))

    def finish(self, record: Record) -> None:
        """Take in the end of the run."""
        self.finished, self.result = record.ts, _text(record.data.get("result"))
        self.outputs = _mapping(record.data.get("outputs"))

    def start_step(self, record: Record) -> None:
        """Take in the start of a step, which has no end so far."""
        step = self._step(record)
        self.steps[step.id] = dataclasses.replace(
            step,
            kind=step.kind or _text(record.data.get("kind")),
            outcome=NO_END,
            attempt=record.attempt,
            started=record.ts,
        )

    def finish_step(self, record: Record) -> None:
        """Take in the end of a step."""
        data, duration = record.data, record.data.get("duration_s")
        step, outcome = self._step(record), _text(data.get("outcome")).replace("_", " ")
        if outcome == "carried" and step.id in self._earlier:
            # When and for how long it ran is told by the session that ran it.
            earlier = self._earlier[step.id]
            self.steps[step.id] = dataclasses.replace(
                earlier, kind=step.kind, digest=step.digest, outcome=outcome, message="", reasons=()
            )
            return
        self.steps[step.id] = dataclasses.replace(
            step,
            outcome=outcome,
            attempt=record.attempt,
            ended=record.ts,
            duration_s=duration if isinstance(duration, (int, float)) else None,
            message=_text(data.get("message")),
            waits_for=_some_text(data.get("waits_for")),
            error_class=_some_text(data.get("class")),
            files=_files(data),
        )

    def wait(self, record: Record) -> None:
        """Take in that an attempt failed and another one follows."""
        waited, data = record.data.get("wait_s"), record.data
        self.retries.append(
            RetryView(
                step=record.step or "",
                attempt=record.attempt,
                error_class=_text(data.get("class")),
                waited_s=waited if isinstance(waited, (int, float)) else 0.0,
                why=_text(data.get("why")),
            )
        )

    def decide(self, record: Record) -> None:
        """Take in a decision."""
        words = {key: _text(record.data.get(key)) for key in ("decision", "approver", "channel", "assurance", "reason")}
        if record.data.get("in_advance"):
            words["channel"] += " in advance"
        self.gates.append(GateView(step=record.step or "", decided=record.ts, **words))

    def start_command(self, record: Record) -> None:
        """Take in the start of a command."""
        self._running[record.step, record.attempt, _argv(record)].append(len(self.commands))
        self.commands.append(
            CommandView(step=record.step or "", attempt=record.attempt, argv=_argv(record), started=record.ts)
        )

    def finish_command(self, record: Record) -> None:
        """Take in the end of a command: of those of that step with that command line, the first without one."""
        ran, status = (record.step, record.attempt, _argv(record)), record.data.get("exit")
        if not self._running.get(ran):
            return
        place = self._running[ran].popleft()
        if not self._running[ran]:
            del self._running[ran]
        exit_status = status if isinstance(status, int) else None
        self.commands[place] = dataclasses.replace(self.commands[place], exit=exit_status, ended=record.ts)

    def refuse_command(self, record: Record) -> None:
        """Take in a refused command."""
        reason = _text(record.data.get("reason"))
        self.refused.append({"step": record.step or "", "argv": list(_argv(record)), "reason": reason})

    def _step(self, record: Record) -> StepView:
        name = record.step or ""
        return self.steps.get(name, StepView(id=name))


_TAKES = {
    "run.started": RunView.start,
    "run.resumed": RunView.resume,
    "run.finished": RunView.finish,
    "step.invalidated": RunView.invalidate,
    "recovery": RunView.recover,
    "note": RunView.note,
    "step.started": RunView.start_step,
    "step.finished": RunView.finish_step,
    "gate.decided": RunView.decide,
    "retry.waiting": RunView.wait,
    "command.started": RunView.start_command,
    "command.finished": RunView.finish_command,
    "command.refused": RunView.refuse_command,
}


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Json) -> str:
    return "" if value is None else str(value)


def _some_text(value: Json) -> str | None:
    return value if isinstance(value, str) else None


def _argv(record: Record) -> tuple[str, ...]:
    argv = record.data.get("argv")
    return tuple(map(_text, argv)) if isinstance(argv, list) else ()


def _files(data: Mapping[str, Json]) -> Mapping[str, str]:
    files = map(_mapping, _mapping(data.get("files")).values())
    return {_text(file.get("path")): _text(file.get("sha256")) for file in files}
