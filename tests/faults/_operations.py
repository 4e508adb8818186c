"""What is done while the file system fails: each operation is prepared in peace, and then acts."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, Head, segments_of
from pytest_workflow_exec.model import Gate, Outcome
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import Run, StepOutputs
from tests.run.conftest import CONFIGURATION, Project

STEPS = """
workflow: flow
steps:
  - {id: build, call: "doing:build"}
  - {id: approve, gate: {question: Go on?}}
  - {id: publish, call: "doing:publish"}
"""
# Steps of functions, which nobody calls here: a command would have records of its own.
_DOING = "def build(): ...\n\n\ndef publish(): ...\n"

_SHORT_BYTES = 1_024
"""A log's file of that size is full with its first record."""

Acknowledge = Callable[[Head], None]
"""Is told of the log's head whenever a call has returned: what it names may never be lost."""

Act = Callable[[Acknowledge], None]


def project_at(root: Path) -> Project:
    """Return the project at `root`, with its policy."""
    (root / "workflow-exec.toml").write_text(CONFIGURATION)
    (root / "doing.py").write_text(_DOING)
    return Project(root)


def log_in(root: Path) -> Path | None:
    """Return the only log of the project, if it was made."""
    return next((root / ".workflow-exec" / "runs").glob("*/evidence.jsonl"), None)


def _start(root: Path) -> Act:
    project = project_at(root)
    return lambda acknowledge: acknowledge(project.open(STEPS).head)


def _step(root: Path) -> Act:
    run = project_at(root).open(STEPS)

    def act(acknowledge: Acknowledge) -> None:
        run.start(run.workflow.step("build"))
        acknowledge(run.head)
        # Longer than a record may be: it goes to a file beside the log.
        run.finish("build", Outcome.PASSED, outputs=StepOutputs(values={"stdout": "x" * 10_000}, files={}))
        acknowledge(run.head)

    return act


def _gate(root: Path) -> Act:
    run = project_at(root).open(STEPS)
    _pass(run, "build")
    step = run.workflow.step("approve")

    def act(acknowledge: Acknowledge) -> None:
        run.start(step)
        acknowledge(run.head)
        assert isinstance(step.body, Gate)
        outputs = run.decide(step, step.body, words="")
        acknowledge(run.head)
        run.finish("approve", Outcome.PASSED, outputs=outputs)
        run.start(run.workflow.step("publish"))
        acknowledge(run.head)

    return act


def _finish(root: Path) -> Act:
    run = project_at(root).open(STEPS)
    for step in run.workflow.steps:
        _pass(run, step.id)

    def act(acknowledge: Acknowledge) -> None:
        run.close(interrupted=False)
        acknowledge(run.head)

    return act


def _recovery(root: Path) -> Act:
    run = project_at(root).open(STEPS)
    _pass(run, "build")
    run.close(interrupted=True)
    path = run.log_path
    os.truncate(path, path.stat().st_size - 90)

    def act(acknowledge: Acknowledge) -> None:
        with closing(EvidenceLog.reopen(path.parent, run.id, redactor=Redactor({}))) as log:
            acknowledge(log.head)
            log.append(Event(type="note", data={"text": "later"}))
            log.barrier()
            acknowledge(log.head)

    return act


def _rotation(root: Path) -> Act:
    run = project_at(root).open(STEPS, segment_bytes=_SHORT_BYTES)
    step = run.workflow.step("build")
    assert run.log_path.stat().st_size > _SHORT_BYTES

    def act(acknowledge: Acknowledge) -> None:
        run.start(step)
        acknowledge(run.head)
        assert run.head.seq == 2, "the end of the first file comes between"

    return act


def _after_an_end(root: Path) -> Act:
    run = project_at(root).open(STEPS, segment_bytes=_SHORT_BYTES)
    run.start(run.workflow.step("build"))
    path = run.log_path
    run._journal.close()
    # What a writer leaves that is killed once it ended a file.
    for later in segments_of(path)[1:]:
        later.unlink()

    def act(acknowledge: Acknowledge) -> None:
        with closing(EvidenceLog.reopen(path.parent, run.id, redactor=Redactor({}))) as log:
            acknowledge(log.head)
            log.append(Event(type="note", data={"text": "later"}))
            log.barrier()
            acknowledge(log.head)

    return act


def _pass(run: Run, name: str) -> None:
    step = run.workflow.step(name)
    run.start(step)
    outputs = run.decide(step, step.body, words="") if isinstance(step.body, Gate) else StepOutputs(values={}, files={})
    run.finish(name, Outcome.PASSED, outputs=outputs)


@dataclass(frozen=True, kw_only=True)
class Operation:
    """Something that must not lose evidence, whatever fails in the middle of it."""

    prepare: Callable[[Path], Act]
    """Makes a project in an empty folder, and returns what is to be done there."""
    verdicts: frozenset[str]
    """What `verify` may say of the log afterwards."""


OPERATIONS: Mapping[str, Operation] = {
    "start": Operation(prepare=_start, verdicts=frozenset({"bounded"})),
    "step": Operation(prepare=_step, verdicts=frozenset({"bounded"})),
    "gate": Operation(prepare=_gate, verdicts=frozenset({"bounded"})),
    "finish": Operation(prepare=_finish, verdicts=frozenset({"bounded"})),
    "recovery": Operation(prepare=_recovery, verdicts=frozenset({"bounded", "torn tail"})),
    "rotation": Operation(prepare=_rotation, verdicts=frozenset({"bounded"})),
    "after an end": Operation(prepare=_after_an_end, verdicts=frozenset({"bounded"})),
}


def acknowledged(text: str) -> Iterator[Head]:
    """Give the heads that were acknowledged."""
    for line in text.splitlines():
        seq, _, digest = line.partition(" ")
        yield Head(seq=int(seq), hash=digest)
