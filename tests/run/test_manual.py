"""Work done by hand: it counts only if a person said so in this very attempt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_workflow_exec.approval import Attestation, ManualTask
from pytest_workflow_exec.errors import EffectMissingError, ManualFailedError
from pytest_workflow_exec.events import ENGINE, Actor
from pytest_workflow_exec.model import Manual, Outcome
from pytest_workflow_exec.run import Run, StepOutputs, check_attested
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import rechained, records_in

from .conftest import Project, no_call

FLOW = """
workflow: flow
inputs: {who: {type: string, default: you}}
steps:
  - id: announce
    manual: {instruction: "Tell ${inputs.who}", checklist: [by mail, "on ${inputs.who}'s board"]}
  - {id: after, run: [echo, "${steps.announce.who}"]}
"""


def _attested(project: Project, run: Run) -> StepOutputs:
    step = run.workflow.step("announce")
    assert isinstance(step.body, Manual)
    run.start(step)
    return run.attest(step, step.body)


def _verdict(run: Run) -> Verdict:
    return verify_log(run.log_path, expect_head=records_in(run.log_path)[-1]["hash"])


def test_work_that_was_done_is_recorded_with_who_and_what(project: Project) -> None:
    """The record holds what the person was told, and later steps know who did it."""
    asked: list[ManualTask] = []

    def attest(task: ManualTask, timeout_s: float) -> Attestation:
        asked.append(task)
        who = Actor(kind="human", id="alice")
        return Attestation(result="done", reason="", notes=("late",), who=who, terminal="/dev/pts/1")

    run = project.open(FLOW, attester=attest)
    outputs = _attested(project, run)
    run.finish("announce", Outcome.PASSED, outputs=outputs)
    project.perform(run, "after")
    run.close(interrupted=False)

    [task] = asked
    assert (task.instruction, task.checklist) == ("Tell you", ("by mail", "on you's board"))
    [record] = [each for each in project.records(run) if each.type == "manual.attested"]
    assert (record.actor.id, record.data["result"], record.data["notes"]) == ("alice", "done", ["late"])
    assert record.data["checklist"] == ["by mail", "on you's board"]
    [command] = [each for each in project.records(run) if each.type == "command.started"]
    assert command.data["argv"] == ["echo", "alice"]
    assert _verdict(run).exit_code == 0


@pytest.mark.parametrize("result", ["failed", "unanswered"])
def test_anything_but_done_fails_the_step(project: Project, result: str) -> None:
    """Work that failed, or that nobody attested, is recorded and lets nothing run."""

    def attest(task: ManualTask, timeout_s: float) -> Attestation:
        return Attestation(result=result, reason="no mail", notes=(), who=ENGINE, terminal="")  # type: ignore[arg-type]

    run = project.open(FLOW, attester=attest)

    with pytest.raises(ManualFailedError, match="no mail"):
        _attested(project, run)

    run.finish("announce", Outcome.FAILED)
    run.close(interrupted=False)
    assert _verdict(run).word == "not passed"
    assert "command.started" not in project.types(run)


def _drop(records: list[dict[str, Any]]) -> None:
    records[:] = [record for record in records if record["type"] != "manual.attested"]


def _fail(records: list[dict[str, Any]]) -> None:
    for record in records:
        if record["type"] == "manual.attested":
            record["data"]["result"] = "unanswered"


def _late(records: list[dict[str, Any]]) -> None:
    [place] = [place for place, record in enumerate(records) if record["type"] == "manual.attested"]
    records.insert(place + 1, records.pop(place))


def _twice(records: list[dict[str, Any]]) -> None:
    [place] = [place for place, record in enumerate(records) if record["type"] == "manual.attested"]
    records.insert(place, records[place])


@pytest.mark.parametrize("change", [_drop, _fail, _late, _twice])
def test_a_step_that_nobody_attested_has_not_passed(
    project: Project, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    """A log in which such a step passes without somebody's word, in its own turn and once, tells no true story."""
    run = project.open(FLOW)
    run.finish("announce", Outcome.PASSED, outputs=_attested(project, run))
    project.perform(run, "after")
    run.close(interrupted=False)
    records = records_in(run.log_path)

    change(records)
    run.log_path.write_bytes(rechained(records))

    assert _verdict(run).word == "broken"


CHECKED = """
workflow: flow
steps:
  - {id: announce, manual: Write it, check: {run: [test, -e, written]}}
  - {id: after, run: [echo, done]}
"""
POLICY = '[policy]\nsandbox = "none"\ncommands = ["echo *", "test -e *"]\n'


def _checked(project: Project) -> Run:
    (project.root / "workflow-exec.toml").write_text(POLICY)
    run = project.open(CHECKED)
    outputs = _attested(project, run)
    check_attested(run, run.workflow.step("announce"), call=no_call)
    run.finish("announce", Outcome.PASSED, outputs=outputs)
    project.perform(run, "after")
    run.close(interrupted=False)
    return run


def test_work_that_the_check_finds_has_passed(project: Project) -> None:
    """The check's command stands behind the person's word, and `verify` wants both."""
    (project.root / "written").touch()

    run = _checked(project)

    said = [each.type for each in project.records(run) if each.step == "announce"]
    assert said == ["step.started", "manual.attested", "command.started", "command.finished", "step.finished"]
    assert _verdict(run).exit_code == 0


def test_work_that_the_check_does_not_find_has_not_passed(project: Project) -> None:
    """A person's word alone lets nothing run."""
    with pytest.raises(EffectMissingError, match="the effect is not there"):
        _checked(project)


def _unchecked(records: list[dict[str, Any]]) -> None:
    records[:] = [each for each in records if not (each["step"] == "announce" and each["type"].startswith("command."))]


def _not_found(records: list[dict[str, Any]]) -> None:
    for record in records:
        if record["type"] == "command.finished" and record["step"] == "announce":
            record["data"]["exit"] = 1


def _other_command(records: list[dict[str, Any]]) -> None:
    for record in records:
        if record["type"].startswith("command.") and record["step"] == "announce":
            record["data"]["argv"] = ["test", "-e", "other", "thing"]


def _no_mark(records: list[dict[str, Any]]) -> None:
    for record in records:
        if record["type"].startswith("command.") and record["step"] == "announce":
            del record["data"]["check"]


def _before_the_word(records: list[dict[str, Any]]) -> None:
    [place] = [place for place, record in enumerate(records) if record["type"] == "manual.attested"]
    records.insert(place + 2, records.pop(place))


@pytest.mark.parametrize("change", [_unchecked, _not_found, _other_command, _no_mark, _before_the_word])
def test_a_log_without_what_the_check_found_tells_no_true_story(
    project: Project, change: Callable[[list[dict[str, Any]]], None]
) -> None:
    """Such a step passes only with its own check's command behind the word, ended as it ends where the effect is."""
    (project.root / "written").touch()
    run = _checked(project)
    records = records_in(run.log_path)

    change(records)
    for number, record in enumerate(records):
        record["seq"] = number
    run.log_path.write_bytes(rechained(records))

    assert _verdict(run).kind == "inconsistent"
