"""Real logs for tests, and the format once more, written from its description and not from its code."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.events import Actor, Event
from pytest_workflow_exec.evidence import SEGMENT_BYTES, EvidenceLog, create_run_directory, new_run_id
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.redaction import Redactor

ALICE = Actor(kind="human", id="alice")
STEPS = ("build", "approve", "publish")
QUESTION: Mapping[str, Json] = {"step": "approve"}
_KINDS = {"build": "step", "approve": "gate", "publish": "step"}


def new_log(root: Path, *, secrets: Mapping[str, str] | None = None, segment_bytes: int = SEGMENT_BYTES) -> EvidenceLog:
    """Return the empty log of a new run of the project at `root`."""
    run = new_run_id()
    return EvidenceLog.create(
        create_run_directory(root, run), run, redactor=Redactor(secrets or {}), segment_bytes=segment_bytes
    )


def note(**data: Any) -> Event:
    """Return an event with any data."""
    return Event(type="note", data=data)


def started(steps: Sequence[str] = STEPS) -> Event:
    """Return the start of a run of those steps."""
    plan: dict[str, Json] = {
        "workflow": "release",
        "file": "release.workflow.yaml",
        "steps": [{"id": step, "kind": _KINDS.get(step, "step"), "name": step, "digest": "d" * 64} for step in steps],
        "sources": {},
    }
    facts: dict[str, Json] = {
        "workflow": "release",
        "file": "release.workflow.yaml",
        "plan": plan,
        "plan_digest": digest_of(plan),
        "inputs": {"version": "1.2.3"},
        "policy": {"digest": "e" * 64, "sandbox": "none", "pin": "unpinned"},
        "level": "none",
        "repository": {"commit": None, "dirty": None},
        "starter": {"user": "alice", "uid": 1000, "host": "workshop"},
        "versions": {"python": "3.11"},
        "root": "/project",
        "command_line": ["pytest", "release.workflow.yaml"],
    }
    return events.run_started(facts)


def replanned(start: Event) -> Event:
    """Return the start of a session whose plan was changed, with its digest as it then is."""
    return dataclasses.replace(start, data={**start.data, "plan_digest": digest_of(start.data["plan"])})


def resumed(**changes: Json) -> Event:
    """Return the start of a later session of the run."""
    said: dict[str, Json] = {"session": 2, "carried": list(STEPS), **changes}
    return replanned(Event(type="run.resumed", data={**started().data, **said}))


def ended(step: str, outcome: Outcome = Outcome.PASSED, **more: Any) -> Event:
    """Return the end of a step."""
    return events.step_finished(
        step, outcome=outcome, **{"attempt": 1, "duration_s": 0.25, "outputs": {}, "files": {}, **more}
    )


def requested(*, attempt: int = 1) -> Event:
    """Return the question of the gate."""
    return events.gate_requested("approve", attempt=attempt, request=QUESTION, digest=digest_of(QUESTION))


def used(*, attempt: int = 1) -> Event:
    """Return the use of the gate's approval."""
    return events.gate_used("approve", attempt=attempt, digest=digest_of(QUESTION), used_by="publish")


def decided(decision: events.Decided = "approved", *, attempt: int = 1, reason: str = "") -> Event:
    """Return Alice's decision at the gate."""
    return events.gate_decided(
        "approve",
        attempt=attempt,
        decision=decision,
        reason=reason,
        approver=ALICE,
        channel="terminal",
        terminal="/dev/pts/1",
        assurance=1,
        digest=digest_of(QUESTION),
    )


def finished(result: events.RunResult = "passed", **more: Any) -> Event:
    """Return the end of the run."""
    return Event(type="run.finished", data={"result": result, **more})


def begun(step: str, *, attempt: int = 1) -> Event:
    """Return the start of a step."""
    return events.step_started(step, attempt=attempt, kind=_KINDS.get(step, "step"), digest="d" * 64)


def passed_run() -> list[Event]:
    """Return a run of three steps that passed."""
    return [
        started(),
        begun("build"),
        events.command_started("build", attempt=1, facts={"argv": ["make"]}),
        events.command_finished("build", attempt=1, facts={"argv": ["make"], "exit": 0}),
        ended("build"),
        begun("approve"),
        requested(),
        decided(),
        ended("approve"),
        used(),
        begun("publish"),
        ended("publish"),
        finished(),
    ]


def written(root: Path, happened: Iterable[Event]) -> Path:
    """Return the log of a run in which that happened."""
    log = new_log(root)
    for event in happened:
        log.append(event)
    log.close()
    return log.path


def sealed_line(record: Mapping[str, Any]) -> bytes:
    """Return the line of a record whose hash is made to fit, whatever it says."""
    fields = {key: value for key, value in record.items() if key != "hash"}
    body = json.dumps(fields, ensure_ascii=False, separators=(",", ":")).encode()[:-1]
    digest = hashlib.sha256(b"workflow-exec-evidence/1\n" + body).hexdigest()
    return body + b',"hash":"' + digest.encode() + b'"}\n'


def rechained(records: Iterable[Mapping[str, Any]]) -> bytes:
    """Return a log of those records as a forger writes it: every seq, prev and hash made to fit."""
    lines, prev = [], "0" * 64
    for seq, record in enumerate(records):
        line = sealed_line({**record, "seq": seq, "prev": prev})
        prev = json.loads(line)["hash"]
        lines.append(line)
    return b"".join(lines)


def records_in(path: Path) -> list[dict[str, Any]]:
    """Return a log's records as plain JSON."""
    return [json.loads(line) for line in path.read_bytes().split(b"\n") if line]


def lines_in(path: Path) -> list[bytes]:
    """Return a log's lines with their newlines."""
    return path.read_bytes().splitlines(keepends=True)
