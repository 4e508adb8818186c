"""Runs that wait at a gate for a decision made elsewhere: it counts only for exactly what was asked."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.errors import ApprovalLapsedError, GateSuspendedError, StepOrderError
from pytest_workflow_exec.events import ENGINE, Actor
from pytest_workflow_exec.evidence import EvidenceLog
from pytest_workflow_exec.model import Gate, Outcome
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import History, Run
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import rechained, records_in

from .conftest import Project

FLOW = """
workflow: flow
steps:
  - {id: make, idempotent: true, run: [cp, seed, made], outputs: {file: {glob: made}}}
  - {id: other, run: [touch, other]}
  - {id: approve, gate: {question: Go on?, show: [make], wait: suspend, expires: 1h}}
  - {id: first, run: [cp, "${steps.make.file}", first]}
finally:
  - {id: tidy, run: [touch, tidied]}
"""


def never(request: GateRequest, timeout_s: float) -> Decision:
    """Be asked by nobody."""
    raise AssertionError


@pytest.fixture(autouse=True)
def configured(project: Project) -> None:
    """A file to work on, in a repository, and what may run."""
    (project.root / "seed").write_text("seed")
    (project.root / "workflow-exec.toml").write_text(
        '[policy]\nsandbox = "none"\ncommands = ["cp seed made", "cp made first", "touch *"]\n'
    )
    (project.root / ".gitignore").write_text("*\n!seed\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "-f", "seed"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], cwd=project.root, check=True)


def suspended(project: Project, flow: str = FLOW, *, after: Run | None = None) -> Run:
    """Return a run that came to its gate and waits there."""
    run = project.open(flow, approver=never, after=after)
    for step in run.workflow.steps:
        if step.id == "approve":
            break
        if run.carries(step):
            run.carry(step)
        else:
            project.perform(run, step.id)
    gate = run.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    run.start(gate)
    with pytest.raises(GateSuspendedError, match="waits for a decision"):
        run.decide(gate, gate.body, words="")
    run.finish("approve", Outcome.SUSPENDED)
    run.close(interrupted=False)
    return run


def decide(run: Run, decision: str = "approved", **changes: Any) -> None:
    """Append a decision about the open gate, as the command line tool does."""
    gate = History.of(run.log_path).open_gates["approve"]
    facts: dict[str, Any] = {"attempt": gate.attempt, "digest": gate.digest} | changes
    log = EvidenceLog.reopen(run.log_path.parent, run.id, redactor=Redactor({}))
    log.append(
        events.gate_decided(
            "approve",
            decision=decision,  # type: ignore[arg-type]  # parametrized
            reason="",
            approver=Actor(kind="human", id="alice"),
            channel="terminal",
            terminal="/dev/pts/1",
            assurance=1,
            **facts,
        )
    )
    log.close()


def verdict_of(run: Run) -> Verdict:
    """Return the verdict on a run's log, given its head."""
    return verify_log(run.log_path, expect_head=records_in(run.log_path)[-1]["hash"])


def test_a_suspended_run_ends_with_its_gate_open(project: Project) -> None:
    """Nothing behind the gate ran, nor anything of finally; the lock is free, and the log says what waits."""
    run = suspended(project)

    assert verdict_of(run).result == "suspended"
    assert verdict_of(run).exit_code == 4
    assert not (project.root / "first").exists()
    assert not (project.root / "tidied").exists()
    assert project.types(run).count("gate.requested") == 1
    assert "gate.decided" not in project.types(run)


def test_finally_waits_for_the_end(project: Project) -> None:
    """A step of finally may not start while its workflow is suspended."""
    run = project.open(FLOW, approver=never)
    for step in ("make", "other"):
        project.perform(run, step)
    run.start(run.workflow.step("approve"))
    run.finish("approve", Outcome.SUSPENDED)

    with pytest.raises(StepOrderError, match="suspended"):
        run.start(run.workflow.step("tidy"))


def test_an_approval_lets_the_run_go_on(project: Project) -> None:
    """The gate passes without asking again, its decision is used once, and the whole story is verified."""
    run = suspended(project)
    decide(run)

    later = project.open(FLOW, after=run, approver=never)
    outcomes = project.go_through(later)

    assert outcomes == {"make": "carried", "other": "carried", "approve": "passed", "first": "passed", "tidy": "passed"}
    assert project.types(later).count("gate.requested") == 1
    verdict = verdict_of(later)
    assert (verdict.exit_code, verdict.assurance) == (0, 1)
    assert [(gate.step, gate.approver) for gate in verdict.gates] == [("approve", "alice")]


def _change_output(root: Path) -> None:
    (root / "made").write_text("other")


def _change_tree(root: Path) -> None:
    (root / "seed").write_text("other")


def _change_policy(root: Path) -> None:
    with (root / "workflow-exec.toml").open("a") as file:
        file.write('carry = "any"\n')


@pytest.mark.parametrize("change", [_change_output, _change_tree, _change_policy])
def test_an_approval_of_something_else_asks_again(project: Project, change: Callable[[Path], None]) -> None:
    """Whatever it was bound to and is not as it was: the gate waits again, and nothing behind it runs."""
    run = suspended(project)
    decide(run)
    change(project.root)

    again = suspended(project, after=run)

    assert project.types(again).count("gate.requested") == 2
    assert "gate.used" not in project.types(again)
    assert not (project.root / "first").exists()
    assert verdict_of(again).word == "not passed"


def test_an_approval_of_another_plan_asks_again(project: Project) -> None:
    """A step behind the gate that does something else is not what was approved."""
    run = suspended(project)
    decide(run)
    changed = FLOW.replace('[cp, "${steps.make.file}", first]', '[touch, "first"]')

    again = suspended(project, changed, after=run)

    assert project.types(again).count("gate.requested") == 2
    assert verdict_of(again).word == "not passed"


def test_an_approval_that_is_too_old_asks_again(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind the time at which the question expires no decision counts, whenever it was made."""
    flow = FLOW.replace("expires: 1h", "expires: 0.001s")
    run = suspended(project, flow)
    decide(run)

    again = suspended(project, flow, after=run)

    assert project.types(again).count("gate.requested") == 2
    assert not (project.root / "first").exists()


@pytest.mark.parametrize("changes", [{"attempt": 7}, {"digest": "0" * 64}])
def test_a_decision_about_something_else_opens_nothing(project: Project, changes: dict[str, Any]) -> None:
    """A record of a decision that nobody asked for breaks the log, and a run that goes on asks again."""
    run = suspended(project)
    decide(run, **changes)

    assert verdict_of(run).word == "broken"
    again = suspended(project, after=run)
    assert not (project.root / "first").exists()
    assert "gate.used" not in project.types(again)


def test_a_second_decision_breaks_the_story(project: Project) -> None:
    """A gate is decided once: what comes after a rejection does not undo it."""
    run = suspended(project)
    decide(run, "rejected")
    assert verdict_of(run).word == "not passed"
    assert History.of(run.log_path).denied == "approve"
    decide(run)

    assert verdict_of(run).word == "broken"


def test_a_redo_of_the_gate_asks_again(project: Project) -> None:
    """Whoever wants a gate to be asked again is not answered by what was decided before."""
    run = suspended(project)
    decide(run)

    later = project.open(FLOW, after=run, redo="approve", approver=never)

    for step in ("make", "other"):
        later.carry(later.workflow.step(step))
    gate = later.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    later.start(gate)
    with pytest.raises(GateSuspendedError):
        later.decide(gate, gate.body, words="")


@pytest.mark.parametrize("covered", [False, True])
def test_an_approval_that_nothing_anchors_does_not_count(project: Project, *, covered: bool) -> None:
    """Under `carry = "anchored"`, what was decided behind the last seal is asked again; what a seal covers is not."""
    with (project.root / "workflow-exec.toml").open("a") as file:
        file.write('carry = "anchored"\n')
    run = suspended(project)
    end = records_in(run.log_path)[-1]["seq"]
    decide(run)

    later = project.open(FLOW, after=run, approver=never, anchored_through=end + covered)

    for step in ("make", "other"):
        later.carry(later.workflow.step(step))
    gate = later.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    later.start(gate)
    if covered:
        assert later.decide(gate, gate.body, words="").values == {"approver": "alice"}
    else:
        with pytest.raises(GateSuspendedError):
            later.decide(gate, gate.body, words="")


def test_a_terminal_that_stays_silent_may_suspend(project: Project) -> None:
    """With `on_timeout: suspend`, a timeout is no decision: the gate stays open; without it, the run is over."""
    flow = FLOW.replace("wait: suspend", "timeout: 1s, on_timeout: suspend")

    def silent(request: GateRequest, timeout_s: float) -> Decision:
        return Decision(
            decision="expired", reason="no answer", approver=ENGINE, channel="terminal", terminal="x", assurance=0
        )

    run = project.open(flow, approver=silent)
    for step in ("make", "other"):
        project.perform(run, step)
    gate = run.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    run.start(gate)

    with pytest.raises(GateSuspendedError):
        run.decide(gate, gate.body, words="")

    run.finish("approve", Outcome.SUSPENDED)
    run.close(interrupted=False)
    assert verdict_of(run).result == "suspended"


def _forge(run: Run, change: Callable[[list[dict[str, Any]]], object]) -> Verdict:
    records = records_in(run.log_path)
    change(records)
    run.log_path.write_bytes(rechained(records))
    return verdict_of(run)


def test_a_gate_passes_only_by_its_own_open_question(project: Project) -> None:
    """Without the decision, or with one that was already used, a later session's gate has not been approved."""
    run = suspended(project)
    decide(run)
    project.go_through(project.open(FLOW, after=run, approver=never))

    def drop(records: list[dict[str, Any]]) -> None:
        records[:] = [record for record in records if record["type"] != "gate.decided"]

    def claim_suspended(records: list[dict[str, Any]]) -> None:
        end = next(each for each in records if each["type"] == "step.finished" and each["step"] == "other")
        end["data"]["outcome"] = "suspended"

    whole = run.log_path.read_bytes()
    assert _forge(run, drop).word == "broken"
    run.log_path.write_bytes(whole)
    assert _forge(run, claim_suspended).word == "broken"


def test_what_changes_behind_an_answered_gate_is_asked_by_the_next_session(project: Project) -> None:
    """Nobody sits at this gate: a change between the taking in and the use fails the step, and nothing is asked."""
    first = suspended(project)
    decide(first)
    run = project.open(FLOW, approver=never, after=first)
    for step in run.workflow.steps[:2]:
        run.carry(step) if run.carries(step) else project.perform(run, step.id)
    project.perform(run, "approve")
    (project.root / "seed").write_text("changed")

    with pytest.raises(ApprovalLapsedError, match="a file of the working tree"):
        run.start(run.workflow.step("first"))

    run.close(interrupted=True)
    assert project.types(run).count("gate.requested") == 1
    assert "gate.used" not in project.types(run)
    assert not (project.root / "first").exists()
