"""A run as `show` tells it: folded from the records that can be read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import TypedDict

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import Head, Record

NOT_STARTED = "not started"
NO_END = "started, no end: effect unknown"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StepView:
    """One step of the plan and what became of it."""

    id: str
    kind: str = ""
    outcome: str = NOT_STARTED
    attempt: int | None = None
    started: str | None = None
    duration_s: float | None = None
    message: str = ""
    waits_for: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class GateView:
    """One decision."""

    step: str
    decision: str
    approver: str
    channel: str
    assurance: str
    reason: str
    decided: str


class RefusalView(TypedDict):
    """A command that the policy refused."""

    step: str
    argv: list[str]
    reason: str


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
        self.head: Head | None = None
        self.steps: dict[str, StepView] = {}
        self.gates: list[GateView] = []
        self.commands_started = 0
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
        data = record.data
        self.run, self.started = record.run, record.ts
        self.workflow = _text(data.get("workflow"))
        self.starter = _text(_mapping(data.get("starter")).get("user"))
        steps = _mapping(data.get("plan")).get("steps")
        for step in map(_mapping, steps if isinstance(steps, list) else []):
            name = _text(step.get("id"))
            self.steps[name] = StepView(id=name, kind=_text(step.get("kind")))

    def finish(self, record: Record) -> None:
        """Take in the end of the run."""
        self.finished, self.result = record.ts, _text(record.data.get("result"))

    def start_step(self, record: Record) -> None:
        """Take in the start of a step, which has no end so far."""
        step = self._step(record)
        self.steps[step.id] = StepView(
            id=step.id,
            kind=step.kind or _text(record.data.get("kind")),
            outcome=NO_END,
            attempt=record.attempt,
            started=record.ts,
        )

    def finish_step(self, record: Record) -> None:
        """Take in the end of a step."""
        data, duration = record.data, record.data.get("duration_s")
        waits_for = data.get("waits_for")
        self.steps[self._step(record).id] = dataclasses.replace(
            self._step(record),
            outcome=_text(data.get("outcome")).replace("_", " "),
            attempt=record.attempt,
            duration_s=duration if isinstance(duration, (int, float)) else None,
            message=_text(data.get("message")),
            waits_for=waits_for if isinstance(waits_for, str) else None,
        )

    def decide(self, record: Record) -> None:
        """Take in a decision."""
        words = {key: _text(record.data.get(key)) for key in ("decision", "approver", "channel", "assurance", "reason")}
        self.gates.append(GateView(step=record.step or "", decided=record.ts, **words))

    def start_command(self, _record: Record) -> None:
        """Take in the start of a command."""
        self.commands_started += 1

    def refuse_command(self, record: Record) -> None:
        """Take in a refused command."""
        argv = record.data.get("argv")
        arguments = [_text(argument) for argument in argv] if isinstance(argv, list) else []
        reason = _text(record.data.get("reason"))
        self.refused.append({"step": record.step or "", "argv": arguments, "reason": reason})

    def _step(self, record: Record) -> StepView:
        name = record.step or ""
        return self.steps.get(name, StepView(id=name))


_TAKES = {
    "run.started": RunView.start,
    "run.finished": RunView.finish,
    "step.started": RunView.start_step,
    "step.finished": RunView.finish_step,
    "gate.decided": RunView.decide,
    "command.started": RunView.start_command,
    "command.refused": RunView.refuse_command,
}


def _mapping(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Json) -> str:
    return "" if value is None else str(value)
