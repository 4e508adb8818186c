"""One vocabulary of what happens in a run: written to evidence, folded into state, shown as progress.

Every event is one record of the log. The functions below are the only places where an event's data gets its shape.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Literal, Protocol

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import ErrorClass, Outcome, StepId

ActorKind = Literal["engine", "human", "agent", "worker"]
Decided = Literal["approved", "rejected", "denied", "expired"]
Checked = Literal["there", "in doubt"]
"""What a step's check said that kept its body from running."""
WaitsFor = Literal["retry", "poll"]
RunResult = Literal["passed", "failed", "denied", "suspended", "interrupted", "partial"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it, as far as the engine can tell."""

    kind: ActorKind = "engine"
    id: str = "pytest-workflow-exec"


ENGINE = Actor()


class Happening(Protocol):
    """What a fold needs of an event, whether it was just made or read back from a log."""

    @property
    def type(self) -> str:
        """What kind of event it is, such as `step.started`."""

    @property
    def step(self) -> StepId | None:
        """The step it is about; None for the run as a whole."""

    @property
    def attempt(self) -> int | None:
        """Which attempt at the step, from 1."""

    @property
    def data(self) -> Mapping[str, Json]:
        """What else is to be known about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened, before it has a place in a log."""

    type: str
    step: StepId | None = None
    attempt: int | None = None
    actor: Actor = ENGINE
    data: Mapping[str, Json]


def run_started(facts: Mapping[str, Json]) -> Event:
    """Return the first event of a run: everything it was started with."""
    return Event(type="run.started", data=facts)


def run_resumed(
    facts: Mapping[str, Json],
    *,
    session: int,
    carried: Sequence[StepId],
    again: Mapping[StepId, Sequence[str]],
    unknown: Sequence[StepId],
    probe: Sequence[StepId],
    redo: Mapping[str, Json] | None,
    only_finally: str = "",
) -> Event:
    """Return the first event of a later session of a run.

    Args:
        facts: What it was started with, as for `run_started`.
        session: Its number; the first session of a run was 1.
        carried: The steps that count as they are.
        again: The steps that had passed and run again, each with the reasons.
        unknown: The steps that were started before and have no end.
        probe: Those of them whose check is asked first whether their effect is there.
        redo: The step that a person wants to run again, with `step`, `reason` and `who`; None if nobody does.
        only_finally: Why no step starts but those of `finally`; empty if others do.
    """
    return Event(
        type="run.resumed",
        data={
            **facts,
            "session": session,
            "carried": list(carried),
            "again": {step: list(reasons) for step, reasons in again.items()},
            "unknown": list(unknown),
            "probe": list(probe),
            "redo": redo,
            **({"only_finally": only_finally} if only_finally else {}),
        },
    )


def step_invalidated(step: StepId, *, reasons: Sequence[str]) -> Event:
    """Return the note that a step which had passed counts no more, and has to run again."""
    return Event(type="step.invalidated", step=step, data={"reasons": list(reasons)})


def step_undone(step: StepId, *, by: StepId, outcome: Outcome) -> Event:
    """Return the note that a step counts no more because another reverted what it did.

    Args:
        by: The step that did so; it is about to pass.
        outcome: How the step had ended in this session.
    """
    data: dict[str, Json] = {"reasons": [f"undone by {by}"], "undone_by": by, "outcome": outcome.value}
    return Event(type="step.invalidated", step=step, data=data)


def run_finished(
    *,
    result: RunResult,
    counts: Mapping[str, int],
    not_satisfied: Sequence[StepId],
    outputs: Mapping[str, Json] | None = None,
    problem: str = "",
) -> Event:
    """Return the last event of a run: how it ended and which planned steps are not satisfied.

    Args:
        result: How it ended.
        counts: How many steps ended in each outcome.
        not_satisfied: The planned steps that are not satisfied.
        outputs: What it leaves, if its workflow declares anything and all steps are satisfied.
        problem: Why it does not leave that.
    """
    more: dict[str, Json] = {} if outputs is None else {"outputs": dict(outputs)}
    more |= {"outputs_problem": problem} if problem else {}
    return Event(
        type="run.finished",
        data={"result": result, "counts": dict(counts), "not_satisfied": list(not_satisfied), **more},
    )


def step_started(step: StepId, *, attempt: int, kind: str, digest: str, probe: bool = False) -> Event:
    """Return the announcement of a step, written before anything of it can have an effect.

    Args:
        probe: Whether its check is asked first: its effect is unknown.
    """
    marks: Mapping[str, Json] = {"probe": True} if probe else {}
    return Event(type="step.started", step=step, attempt=attempt, data={"kind": kind, "digest": digest, **marks})


def step_finished(
    step: StepId,
    *,
    attempt: int,
    outcome: Outcome,
    duration_s: float,
    outputs: Mapping[str, Json],
    files: Mapping[str, Json],
    message: str = "",
    waits_for: StepId | None = None,
    used: Sequence[StepId] = (),
    checked: Checked | None = None,
    contexts: Sequence[Json] = (),
    error_class: ErrorClass | None = None,
) -> Event:
    """Return how a step ended.

    Args:
        outputs: Its values by name, as later steps see them.
        files: For each output that is a file: `path`, `sha256` and `size_bytes`.
        message: Why it is not satisfied; empty otherwise.
        waits_for: The step that blocks it, for blocked steps.
        used: The steps whose outputs its code looked at.
        checked: What its check said in place of its body; None if the body ran, or nothing of it.
        contexts: What of the project's CLAUDE.md files its code was given: paths, digests and sizes.
        error_class: Why it failed, in one word; None if it did not.
    """
    data: dict[str, Json] = {
        "outcome": outcome.value,
        "duration_s": round(duration_s, 6),
        "outputs": dict(outputs),
        "files": dict(files),
        "message": message,
        "waits_for": waits_for,
        "used": list(used),
    }
    said: Mapping[str, Json] = (
        {} if checked is None else {"checked": checked == "there", "doubt": checked == "in doubt"}
    )
    given: Mapping[str, Json] = {"contexts": list(contexts)} if contexts else {}
    if error_class is not None:
        data["class"] = error_class
    return Event(type="step.finished", step=step, attempt=attempt, data={**data, **said, **given})


def retry_waiting(
    step: StepId, *, attempt: int, error_class: ErrorClass, wait_s: float, of: int, why: WaitsFor
) -> Event:
    """Return that a step which failed is to start again after a while; if it does not, it stays failed.

    Args:
        attempt: The one that failed.
        error_class: Why it failed.
        wait_s: How long the wait is to be, in seconds.
        of: How many attempts there are in this session at most.
        why: The key of the step that says so.
    """
    data: dict[str, Json] = {
        "class": error_class,
        "wait_s": round(wait_s, 6),
        "next": attempt + 1,
        "of": of,
        "why": why,
    }
    return Event(type="retry.waiting", step=step, attempt=attempt, data=data)


def command_started(step: StepId, *, attempt: int, facts: Mapping[str, Json]) -> Event:
    """Return the announcement of one command: argv, program, digest, directory, environment names, level."""
    return Event(type="command.started", step=step, attempt=attempt, data=facts)


def command_finished(step: StepId, *, attempt: int, facts: Mapping[str, Json]) -> Event:
    """Return how one command ended: exit, signal, durations, CPU, output and its digests."""
    return Event(type="command.finished", step=step, attempt=attempt, data=facts)


def command_refused(step: StepId, *, attempt: int, argv: Sequence[str], reason: str) -> Event:
    """Return the refusal of one command; no process was started."""
    return Event(type="command.refused", step=step, attempt=attempt, data={"argv": list(argv), "reason": reason})


def notice_given(on: str, facts: Mapping[str, Json], *, said: str) -> Event:
    """Return the note that a command of the project's configuration is to tell people something, or did.

    Args:
        on: What it tells of.
        facts: What is started, or what became of it.
        said: It in words, for people.
    """
    return Event(type="note", data={"text": f"{on}: {said}", "who": "the engine", "notify": {"on": on, **facts}})


def process_noted(step: StepId, *, attempt: int, argv: Sequence[str], what: str, place: str) -> Event:
    """Return the engine's remark that Python code of a step starts a process past the sandbox.

    Args:
        argv: Its command line, as far as it is known; empty for a fork.
        what: What was called and where, in words.
        place: The line that did it.
    """
    text = f"{what}: {json.dumps(list(argv))}" if argv else what
    data: dict[str, Json] = {"text": text, "who": ENGINE.id, "argv": list(argv), "place": place}
    return Event(type="note", step=step, attempt=attempt, data=data)


def recovery(*, offset: int, size_bytes: int, sha256: str, cause: str) -> Event:
    """Return that the bytes there are no record: a writer died in the middle of one, and another goes on behind it.

    Args:
        offset: Where the bytes begin: the end of the last whole record.
        size_bytes: How many there are, without the newline that ends them.
        sha256: Their digest, in hex.
        cause: Why they are there.
    """
    data: dict[str, Json] = {"offset": offset, "bytes": size_bytes, "sha256": sha256, "cause": cause}
    return Event(type="recovery", data=data)


def segment_sealed(number: int, *, records: int, following: str) -> Event:
    """Return the last event of one of a log's files.

    Args:
        number: The file's, from 0.
        records: How many records it holds, this one included.
        following: The name of the file in which the log goes on.
    """
    return Event(type="segment.sealed", data={"segment": number, "records": records, "next": following})


def gate_requested(step: StepId | None, *, attempt: int, request: Mapping[str, Json], digest: str) -> Event:
    """Return the question of a gate, with every fact it was asked on and their digest.

    Args:
        step: The gate; None for the engine's own question before a run goes on.
    """
    return Event(type="gate.requested", step=step, attempt=attempt, data={"request": request, "digest": digest})


def gate_decided(
    step: StepId | None,
    *,
    attempt: int,
    decision: Decided,
    reason: str,
    approver: Actor,
    channel: str,
    terminal: str,
    assurance: int,
    digest: str,
    answers: Mapping[str, Json] = MappingProxyType({}),
    proof: Mapping[str, Json] | None = None,
    in_advance: Mapping[str, Json] = MappingProxyType({}),
    missing: str = "",
) -> Event:
    """Return a decision on the request with that digest.

    Args:
        channel: How it was given: `terminal`, `command`, `signature`, `break-glass`, or `none` if nobody could answer.
        terminal: The terminal's device path; empty if there was none.
        assurance: What it is worth: 0 none, 1 terminal, 2 signature, 3 presence.
        answers: What the approver filled into the request's form.
        proof: The signature, whose it is and what it is over; None if it was not signed.
        in_advance: Until when it holds and from which file, if it was given before the question for its plan.
        missing: What it went past, if glass was broken.
    """
    return Event(
        type="gate.decided",
        step=step,
        attempt=attempt,
        actor=approver,
        data={
            "decision": decision,
            "reason": reason,
            "approver": approver.id,
            "channel": channel,
            "terminal": terminal,
            "assurance": assurance,
            "digest": digest,
            **({"form": dict(answers)} if answers else {}),
            **({} if proof is None else {"proof": proof}),
            **({"in_advance": dict(in_advance)} if in_advance else {}),
            **({"missing": missing} if missing else {}),
        },
    )


def gate_used(gate: StepId | None, *, attempt: int, digest: str, used_by: StepId | None) -> Event:
    """Return the first use of an approval: what was approved was recomputed and is unchanged."""
    return Event(type="gate.used", step=gate, attempt=attempt, data={"digest": digest, "used_by": used_by})


def manual_attested(
    step: StepId,
    *,
    attempt: int,
    result: str,
    reason: str,
    notes: Sequence[str],
    instruction: str,
    checklist: Sequence[str],
    who: Actor,
    terminal: str,
    form: Sequence[Mapping[str, Json]] = (),
    answers: Mapping[str, Json] = MappingProxyType({}),
) -> Event:
    """Return what a person said of work done by hand.

    Args:
        result: `done`, `failed`, or `unanswered` if nobody said anything.
        instruction: What they were told to do, and `checklist` with what belongs to it.
        terminal: The terminal's device path; empty if there was none.
        form: The fields that they were to fill in, and `answers` what they filled in.
    """
    asked: Mapping[str, Json] = {"asked": [dict(field) for field in form], "form": dict(answers)} if form else {}
    return Event(
        type="manual.attested",
        step=step,
        attempt=attempt,
        actor=who,
        data={
            "result": result,
            "reason": reason,
            "notes": list(notes),
            "instruction": instruction,
            "checklist": list(checklist),
            "who": who.id,
            "terminal": terminal,
            **asked,
        },
    )


def ai_request(step: StepId, *, attempt: int, facts: Mapping[str, Json]) -> Event:
    """Return what a model is about to be asked: model, texts, type of the answer, bounds, and digests of all that."""
    return Event(type="ai.request", step=step, attempt=attempt, data=facts)


def ai_response(step: StepId, *, attempt: int, facts: Mapping[str, Json]) -> Event:
    """Return what came of a request: the accepted value or why there is none, all proposals, source, tokens and cost."""
    return Event(type="ai.response", step=step, attempt=attempt, data=facts)


def ai_turn(step: StepId, *, attempt: int, facts: Mapping[str, Json]) -> Event:
    """Return what a model is about to be told in a conversation: who says it, in which words, and the bounds."""
    return Event(type="ai.turn", step=step, attempt=attempt, data=facts)


def ai_tool(step: StepId, *, attempt: int, facts: Mapping[str, Json]) -> Event:
    """Return what a model wants to do in its turn, and whether it may: written before it is done."""
    return Event(type="ai.tool", step=step, attempt=attempt, data=facts)


def ai_reply(step: StepId, *, attempt: int, facts: Mapping[str, Json]) -> Event:
    """Return what came of a turn: the model's words or why there are none, what it looked at, tokens and cost."""
    return Event(type="ai.reply", step=step, attempt=attempt, data=facts)
