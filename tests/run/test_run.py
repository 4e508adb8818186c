"""A run from its first record to its last, and what it refuses in between."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import CommandRefusedError, EvidenceError, LockHeldError, StepOrderError
from pytest_workflow_exec.evidence import list_runs, read_ledgers
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.verify import verify_log

from .conftest import Project

THREE = """
workflow: flow
inputs: {who: {type: string, default: you}}
steps:
  - {id: greet, run: [echo, hello]}
  - {id: answer, run: [echo, "${steps.greet.stdout}", "${inputs.who}"]}
  - {id: mark, run: [touch, marked]}
"""


def test_run_starts_with_everything_it_was_started_with(project: Project) -> None:
    """The first record names workflow, plan, inputs, policy, versions, starter and commit."""
    run = project.open(THREE, inputs={"who": "me"})

    [first] = project.records(run)

    assert first.type == "run.started"
    assert first.data["workflow"] == "flow"
    assert first.data["plan_digest"] == run.workflow.digest
    assert first.data["inputs"] == {"who": "me"}
    assert first.data["level"] == "none"
    assert {"policy", "versions", "starter", "repository", "plan", "command_line"} <= set(first.data)


def test_ledger_notes_start_and_end_of_a_run(project: Project) -> None:
    """Both copies know the run before its first step, and its head at the end; the run says where the second one is."""
    run = project.open(THREE)
    [begun] = read_ledgers(project.root).user.entries
    assert (begun.run, begun.workflow, begun.event, begun.head) == (run.id, "flow", "started", run.head)

    for step in ("greet", "answer", "mark"):
        project.perform(run, step)
    run.close(interrupted=False)

    ledgers = read_ledgers(project.root)
    assert ledgers.project.entries == ledgers.user.entries
    assert [(entry.event, entry.head) for entry in ledgers.user.entries] == [
        ("started", begun.head),
        ("finished", run.head),
    ]
    assert project.records(run)[0].data["ledger_copy"] == str(ledgers.user.path)
    assert run.ledger_problem is None
    assert list_runs(project.root)[0].problems == ()


def test_run_begins_only_if_its_own_ledger_can_be_written(project: Project) -> None:
    """Without the project's ledger there is no run: nothing is left locked, and no step can start."""
    (project.root / ".workflow-exec").mkdir()
    (project.root / ".workflow-exec" / "ledger.jsonl").symlink_to(project.root / "elsewhere")

    with pytest.raises(EvidenceError, match=r"ledger\.jsonl"):
        project.open(THREE)

    assert not (project.root / "elsewhere").exists()
    (project.root / ".workflow-exec" / "ledger.jsonl").unlink()
    project.open(THREE).close(interrupted=False)


def test_step_is_announced_before_it_has_an_effect(project: Project) -> None:
    """A step's start, and its command's, are in the log before the command exists."""
    run = project.open(THREE)

    project.perform(run, "greet")

    assert project.types(run) == [
        "run.started",
        "step.started",
        "command.started",
        "command.finished",
        "step.finished",
    ]


def test_later_step_sees_earlier_outputs_and_inputs(project: Project) -> None:
    """References stand for what the inputs and earlier steps really were."""
    run = project.open(THREE, inputs={"who": "world"})

    project.perform(run, "greet")
    project.perform(run, "answer")

    assert run.values.outputs["answer"].values["stdout"] == "hello world"


def test_step_out_of_turn_leaves_no_trace_but_its_refusal(project: Project) -> None:
    """A step whose turn it is not is not announced, and its command can't be run either."""
    run = project.open(THREE)

    with pytest.raises(StepOrderError):
        run.start(run.workflow.step("mark"))
    with pytest.raises(StepOrderError):
        run.run_command("mark", ["touch", "marked"])

    assert project.types(run) == ["run.started"]
    assert not (project.root / "marked").exists()


def test_command_right_ends_with_the_step(project: Project) -> None:
    """Code that kept a step's access to commands can't use it after the step ended."""
    run = project.open(THREE)
    project.perform(run, "greet")

    with pytest.raises(StepOrderError):
        run.run_command("greet", ["touch", "marked"])

    assert not (project.root / "marked").exists()


def test_refused_command_is_evidence(project: Project) -> None:
    """A command outside the policy is written down as refused, and nothing is started."""
    run = project.open(THREE)
    run.start(run.workflow.step("greet"))

    with pytest.raises(CommandRefusedError):
        run.run_command("greet", ["rm", "-rf", "x"])

    assert project.types(run)[-1] == "command.refused"
    assert "command.started" not in project.types(run)


def test_end_writes_steps_that_never_ran_as_blocked(project: Project) -> None:
    """Every planned step has exactly one end in the log, also where the run broke off."""
    run = project.open(THREE)
    run.start(run.workflow.step("greet"))
    run.finish("greet", Outcome.FAILED, message="broken")

    run.close(interrupted=False)

    ends = {record.step: record.data for record in project.records(run) if record.type == "step.finished"}
    assert {step: data["outcome"] for step, data in ends.items()} == {
        "greet": "failed",
        "answer": "blocked",
        "mark": "blocked",
    }
    assert ends["mark"]["waits_for"] == "greet"
    last = project.records(run)[-1]
    assert (last.type, last.data["result"]) == ("run.finished", "failed")
    assert last.data["not_satisfied"] == ["greet", "answer", "mark"]
    assert verify_log(run.log_path, expect_head=run.head.hash).exit_code == 4


def test_interrupted_step_is_neither_passed_nor_lost(project: Project) -> None:
    """A step under way when the session ends is written as interrupted."""
    run = project.open(THREE)
    run.start(run.workflow.step("greet"))

    run.close(interrupted=True)

    ends = [record.data["outcome"] for record in project.records(run) if record.type == "step.finished"]
    assert ends == ["interrupted", "blocked", "blocked"]
    assert project.records(run)[-1].data["result"] == "interrupted"


def test_whole_run_verifies_against_its_head(project: Project) -> None:
    """A run in which every step is satisfied is verified by its head, and bounded without."""
    run = project.open(THREE)
    for step in ("greet", "answer", "mark"):
        project.perform(run, step)

    run.close(interrupted=False)

    assert verify_log(run.log_path, expect_head=run.head.hash).exit_code == 0
    assert verify_log(run.log_path).exit_code == 3


def test_second_run_of_a_workflow_is_refused_while_the_first_goes_on(project: Project) -> None:
    """One run of a workflow at a time per project; the refusal names the holder and makes no run."""
    run = project.open(THREE)

    with pytest.raises(LockHeldError, match=str(os.getpid())):
        project.open(THREE)

    assert len(list((project.root / ".workflow-exec" / "runs").iterdir())) == 1
    run.close(interrupted=False)
    project.open(THREE).close(interrupted=False)


def test_lock_dies_with_its_process(project: Project) -> None:
    """A lock whose holder was killed locks nobody out, whatever its text says."""
    code = (
        "import os, sys; from pathlib import Path; from pytest_workflow_exec.run._lock import RunLock; "
        "RunLock.take(Path(sys.argv[1]), 'flow', run='x'); os.kill(os.getpid(), 9)"
    )
    killed = subprocess.run([sys.executable, "-c", code, str(project.root)], check=False)
    assert killed.returncode == -9

    project.open(THREE).close(interrupted=False)


def test_no_step_runs_when_evidence_is_gone(project: Project) -> None:
    """A log that was deleted under a run ends it: the next step does not start."""
    run = project.open(THREE)
    project.perform(run, "greet")
    run.log_path.unlink()

    with pytest.raises(EvidenceError):
        run.start(run.workflow.step("answer"))

    assert run.state.complete is False


def test_no_step_runs_when_the_lock_is_gone(project: Project) -> None:
    """A run whose lock was removed stops before its next step: another one may be under way beside it."""
    run = project.open(THREE)
    project.perform(run, "greet")
    (project.root / ".workflow-exec" / "flow.lock").unlink()

    with pytest.raises(EvidenceError, match="another run may have begun"):
        run.start(run.workflow.step("answer"))

    assert project.types(run)[-2:] == ["step.finished", "step.started"]


def test_run_does_not_open_where_its_folder_is_a_link(
    project: Project, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Evidence is not written through a link to somewhere else."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (project.root / ".workflow-exec").symlink_to(elsewhere)

    with pytest.raises(EvidenceError):
        project.open(THREE)

    assert list(Path(elsewhere).iterdir()) == []
