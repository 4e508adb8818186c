"""Gates inside a run: what is asked, what is remembered, and what makes an approval lapse."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.errors import CommandRefusedError, GateDeniedError, OutputError
from pytest_workflow_exec.events import ENGINE
from pytest_workflow_exec.model import Gate, Outcome
from pytest_workflow_exec.run import Run

from .conftest import Project, approved

GATED = """
workflow: flow
inputs: {who: {type: string, default: you}}
steps:
  - id: make
    run: [cp, seed, made]
    outputs: {file: {glob: made}}
  - id: approve
    gate: {question: "Go on, ${inputs.who}?", show: [make]}
  - {id: first, run: [touch, first]}
  - {id: second, run: [touch, second]}
"""


@pytest.fixture(autouse=True)
def seed(project: Project) -> None:
    """A file that the workflow works on."""
    (project.root / "seed").write_text("seed")


def answering(decision: str) -> Callable[[GateRequest, float], Decision]:
    """Return an approver that gives one answer."""

    def answer(request: GateRequest, timeout_s: float) -> Decision:
        return Decision(
            decision=decision,  # type: ignore[arg-type]  # parametrized
            reason="because",
            approver=ENGINE,
            channel="none",
            terminal="",
            assurance=0,
        )

    return answer


def test_request_holds_the_facts(project: Project) -> None:
    """The question is asked on outputs with digests, on every command behind the gate, and on the head so far."""
    asked: list[GateRequest] = []

    def ask(request: GateRequest, timeout_s: float) -> Decision:
        asked.append(request)
        return approved(request, timeout_s)

    run = project.open(GATED, approver=ask)
    project.perform(run, "make")
    head = run.head
    project.perform(run, "approve")

    [request] = asked
    assert [each.does for each in request.covers] == ["['touch', 'first']", "['touch', 'second']"]
    [shown] = request.shown
    assert (shown.step, shown.key, shown.value) == ("make", "file", "made")
    assert shown.file is not None
    assert len(shown.file.sha256) == 64
    assert (request.plan_digest, request.policy_digest) == (run.workflow.digest, run._settings.policy.digest)
    # One record, the gate's own start, came after the head that was read before.
    assert request.evidence_seq == head.seq + 1
    assert [words.text for words in request.author_words] == ["Go on, you?"]


def test_three_records_of_an_approval(project: Project) -> None:
    """Question, decision and use are three records, and the use comes before the step that it lets run."""
    run = project.open(GATED)
    for step in ("make", "approve", "first", "second"):
        project.perform(run, step)

    gate = [(record.type, record.step) for record in project.records(run) if record.type.startswith("gate.")]
    types = project.types(run)

    assert gate == [("gate.requested", "approve"), ("gate.decided", "approve"), ("gate.used", "approve")]
    assert types[types.index("gate.used") + 1] == "step.started"
    digests = {record.data["digest"] for record in project.records(run) if record.type.startswith("gate.")}
    assert len(digests) == 1


@pytest.mark.parametrize("decision", ["rejected", "denied", "expired"])
def test_anything_but_an_approval_stops_the_run(project: Project, decision: str) -> None:
    """A decision that is no approval is recorded with its reason, and no later step starts."""
    run = project.open(GATED, approver=answering(decision))
    project.perform(run, "make")
    gate = run.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    run.start(gate)

    with pytest.raises(GateDeniedError, match="because"):
        run.decide(gate, gate.body, words="")
    run.finish("approve", Outcome.DENIED)
    run.close(interrupted=False)

    [decided] = [record for record in project.records(run) if record.type == "gate.decided"]
    assert (decided.data["decision"], decided.data["reason"]) == (decision, "because")
    assert not (project.root / "first").exists()
    assert project.records(run)[-1].data["result"] == "denied"


def test_approval_lapses_when_what_was_shown_changes(project: Project) -> None:
    """A file that was shown and changed before the approval was used is not what was approved."""
    run = project.open(GATED)
    project.perform(run, "make")
    project.perform(run, "approve")
    (project.root / "made").write_text("something else")

    with pytest.raises(OutputError, match="changed since"):
        run.start(run.workflow.step("first"))

    assert "gate.used" not in project.types(run)
    assert not (project.root / "first").exists()


def test_approval_lapses_for_each_covered_step(project: Project) -> None:
    """A file that was approved and changed after the first use stops the next covered step, too."""
    run = project.open(GATED)
    for step in ("make", "approve", "first"):
        project.perform(run, step)
    (project.root / "made").write_text("something else")

    with pytest.raises(OutputError, match="approved"):
        run.start(run.workflow.step("second"))

    assert not (project.root / "second").exists()


def _kept(project: Project, run: Run) -> Path:
    [kept] = (run.log_path.parent / "outputs").glob("*/made")
    assert kept.is_relative_to(project.root)
    return kept


def test_steps_behind_a_gate_use_the_copy_that_was_shown(project: Project) -> None:
    """A file that was shown is copied into the run; later values name the copy, and rules are matched by the original."""
    asked: list[GateRequest] = []

    def ask(request: GateRequest, timeout_s: float) -> Decision:
        asked.append(request)
        return approved(request, timeout_s)

    text = GATED.replace("[touch, second]", '[cp, "${steps.make.file}", published]')
    (project.root / "workflow-exec.toml").write_text(
        '[policy]\nsandbox = "none"\ncommands = ["cp seed made", "touch *", "cp made *"]\n'
    )
    run = project.open(text, approver=ask)
    for step in ("make", "approve", "first"):
        project.perform(run, step)
    (project.root / "made").unlink()
    before = run.values.outputs["make"].values["file"]

    project.perform(run, "second")

    kept = _kept(project, run)
    [request] = asked
    assert (project.root / "published").read_text() == "seed"
    assert before == kept.relative_to(project.root).as_posix()
    assert request.covers[1].does == "['cp', 'made', 'published']"
    [shown] = request.shown
    assert shown.file is not None
    assert (shown.file.path, shown.file.kept) == ("made", before)
    command = [record for record in project.records(run) if record.type == "command.started"][-1]
    assert command.data["argv"] == ["cp", before, "published"]
    assert command.data["judged_as"] == ["cp", "made", "published"]
    assert kept.stat().st_mode & 0o777 == 0o400


def test_only_the_copy_itself_is_judged_as_what_was_shown(project: Project) -> None:
    """A path that merely begins like a copy's was shown to nobody: no rule for the original lets it through."""
    (project.root / "workflow-exec.toml").write_text(
        '[policy]\nsandbox = "none"\ncommands = ["cp seed made", "touch *", "cp {:made.*} *"]\n'
    )
    run = project.open(GATED.replace("[touch, second]", '[cp, "${steps.make.file}.asc", published]'))
    for step in ("make", "approve", "first"):
        project.perform(run, step)
    kept = _kept(project, run)
    kept.with_name("made.asc").write_text("nobody saw this")

    with pytest.raises(CommandRefusedError):
        project.perform(run, "second")

    assert not (project.root / "published").exists()


@pytest.mark.parametrize("change", ["changed", "gone", "a link"])
def test_a_copy_that_is_not_what_was_shown_stops_the_run(project: Project, change: str) -> None:
    """Whoever changes the run's copy, removes it or puts a link in its place keeps every covered step from starting."""
    run = project.open(GATED)
    for step in ("make", "approve", "first"):
        project.perform(run, step)
    kept = _kept(project, run)
    kept.unlink()
    if change == "changed":
        kept.write_text("something else")
    elif change == "a link":
        kept.symlink_to(project.root / "seed")

    with pytest.raises(OutputError, match="which was approved,"):
        run.start(run.workflow.step("second"))

    assert not (project.root / "second").exists()


def test_a_copy_that_changes_while_it_is_used_fails_the_step(project: Project) -> None:
    """What was approved is hashed after its use, too: a step that finds it changed then has not passed."""
    run = project.open(GATED)
    for step in ("make", "approve"):
        project.perform(run, step)
    run.start(run.workflow.step("first"))
    kept = _kept(project, run)
    kept.chmod(0o600)
    kept.write_text("something else")

    with pytest.raises(OutputError, match=r"make\.file, which was approved, changed"):
        run.finish("first", Outcome.PASSED)

    run.finish("first", Outcome.FAILED)
    assert "first" in run.not_satisfied


def test_gate_passed_without_a_decision_lets_nothing_run(project: Project) -> None:
    """A gate that something marked as passed, without a decision of this run, opens nothing."""
    run = project.open(GATED)
    project.perform(run, "make")
    run.start(run.workflow.step("approve"))
    run.finish("approve", Outcome.PASSED)

    with pytest.raises(GateDeniedError, match="no decision of this run"):
        run.start(run.workflow.step("first"))

    assert not (project.root / "first").exists()
