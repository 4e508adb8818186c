"""A run that goes on: what an earlier session did counts only as long as nothing that it depends on changed."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.cli import main
from pytest_workflow_exec.errors import EvidenceError, GateDeniedError, OutputError, StepOrderError
from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.evidence import Record, read_log
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import History, Run
from pytest_workflow_exec.verify import verify_log

from .conftest import CONFIGURATION, Project, approved

FLOW = """
workflow: flow
inputs:
  who: {default: me}
  other: {default: x}
steps:
  - {id: one, run: [echo, "${inputs.who}"], outputs: {name: {stdout: ".+"}}}
  - {id: made, run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}}
  - {id: two, run: [echo, "${steps.one.name}"], outputs: {said: {stdout: ".+"}}}
  - {id: three, run: [echo, "${steps.two.said}"], idempotent: true}
  - {id: last, run: [echo, last]}
"""
FOUR = ("one", "made", "two", "three")


def broken_off(project: Project, flow: str = FLOW, *, done: tuple[str, ...] = FOUR, failed: str | None = "last") -> Run:
    """Return a run that ended after the steps that were done."""
    (project.root / "source").write_text("content")
    run = project.open(flow)
    for step in done:
        project.perform(run, step)
    if failed is not None:
        run.start(run.workflow.step(failed))
        run.finish(failed, Outcome.FAILED, message="no")
    run.close(interrupted=False)
    return run


def reasons(run: Run) -> dict[str, list[str]]:
    """Return why each step that had passed ran again in the last session."""
    found: dict[str, list[str]] = {}
    for record in _records(run):
        if record.type == "run.resumed":
            found = {}
        if record.type == "step.invalidated":
            found[str(record.step)] = [str(reason) for reason in record.data["reasons"]]  # type: ignore[union-attr]
    return found


def _records(run: Run) -> list[Record]:
    return list(read_log(run.log_path))


def test_nothing_changed(project: Project) -> None:
    """What passed is carried with its outputs, what failed runs again in its next attempt, in the same log."""
    before = broken_off(project)

    run = project.open(FLOW, after=before)
    outcomes = project.go_through(run)

    assert run.log_path == before.log_path
    assert outcomes == {**dict.fromkeys(FOUR, "carried"), "last": "passed"}
    [_, again] = [record for record in _records(run) if record.type == "step.started" and record.step == "last"]
    assert again.attempt == 2
    assert reasons(run) == {}
    verdict = verify_log(run.log_path)
    assert (verdict.word, verdict.result) == ("bounded", "passed")


def test_carried_outputs_are_there(project: Project) -> None:
    """Later steps and conditions see a carried step as the session saw it that ran it."""
    run = project.open(FLOW, after=broken_off(project))

    for name in FOUR:
        assert run.carries(run.workflow.step(name))
        run.carry(run.workflow.step(name))

    assert run.values.outputs["two"].values["said"] == "me"
    assert run.values.outcomes["two"] is Outcome.PASSED
    run.close(interrupted=False)


@pytest.mark.parametrize(
    ("change", "again"),
    [
        (("[echo, last]", "[echo, other]"), {}),
        (("who: {default: me}", "who: {default: you}"), {"one", "two", "three"}),
        (("other: {default: x}", "other: {default: y}"), {}),
        (("run: [cp, source, out.txt]", "run: [cp, source, ./out.txt]"), {"made"}),
        (
            ('{id: two, run: [echo, "${steps.one.name}"]', '{id: two, run: [echo, "${steps.one.name}!"]'),
            {"two", "three"},
        ),
        (("idempotent: true", "idempotent: true, max_age: 1s"), {"three"}),
    ],
)
def test_changes_of_the_definition(project: Project, change: tuple[str, str], again: set[str]) -> None:
    """A step runs again if its definition or an input of it changed, and so do the steps that use its outputs."""
    before = broken_off(project)

    run = project.open(FLOW.replace(*change), after=before)
    outcomes = project.go_through(run)

    assert {step for step in FOUR if outcomes[step] == "passed"} == set(again)
    assert set(reasons(run)) == set(again)
    assert verify_log(run.log_path).result == "passed"


@pytest.mark.parametrize("edit", [Path.unlink, lambda path: path.write_text("other")])
def test_lost_or_changed_output(project: Project, edit: Callable[[Path], object]) -> None:
    """A step whose file is gone or changed runs again, and says so."""
    before = broken_off(project)
    edit(project.root / "out.txt")

    run = project.open(FLOW, after=before)

    assert "its output 'file'" in reasons(run)["made"][0]
    assert project.go_through(run)["made"] == "passed"


def test_file_that_changes_after_the_check(project: Project) -> None:
    """A carried step's file is looked at again when its turn comes: it fails instead of being believed."""
    run = project.open(FLOW, after=broken_off(project))
    run.carry(run.workflow.step("one"))
    (project.root / "out.txt").write_text("other")

    with pytest.raises(OutputError, match="carried step 'made'"):
        run.carries(run.workflow.step("made"))
    run.close(interrupted=False)


def test_policy_that_changed(project: Project) -> None:
    """A step whose command a rule allowed that is not there any more, or gives other rights, runs again."""
    before = broken_off(project)
    configuration = CONFIGURATION.replace('"cp * *", ', "") + '[[policy.command]]\nrule = "cp * *"\nwrite = ["."]\n'
    (project.root / "workflow-exec.toml").write_text(configuration)

    run = project.open(FLOW, after=before)

    assert reasons(run) == {"made": ["the policy's rule for ['cp', 'source', 'out.txt'] changed"]}
    run.close(interrupted=False)


def test_policy_that_carries_nothing(project: Project) -> None:
    """`carry = "never"` lets every step run again, with a person's consent."""
    before = broken_off(project)
    (project.root / "workflow-exec.toml").write_text(CONFIGURATION + 'carry = "never"\n')

    with pytest.raises(GateDeniedError):
        project.open(FLOW, after=before, approver=refusing)
    run = project.open(FLOW, after=before)

    assert set(project.go_through(run).values()) == {"passed"}
    assert reasons(run)["one"][0] == "the policy carries no steps"


GATED = """
workflow: flow
steps:
  - {id: build, run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}}
  - {id: approve, gate: {question: Go?, show: [build]}}
  - {id: publish, run: [echo, published]}
  - {id: tell, run: [echo, told]}
"""


def test_gate_asks_again_for_what_is_left(project: Project) -> None:
    """An approval that was used lets nothing start in a later session: the gate asks again, with what is carried."""
    before = broken_off(project, GATED, done=("build", "approve", "publish"), failed="tell")
    asked: list[GateRequest] = []

    def approver(request: GateRequest, timeout_s: float) -> Decision:
        asked.append(request)
        return approved(request, timeout_s)

    run = project.open(GATED, after=before, approver=approver)
    outcomes = project.go_through(run)

    assert outcomes == {"build": "carried", "approve": "passed", "publish": "carried", "tell": "passed"}
    assert reasons(run) == {"approve": ["its decision does not cover what is left to run: tell"]}
    assert [request.carried for request in asked] == [("build", "publish")]
    assert [each.step for each in asked[0].covers] == ["tell"]
    assert verify_log(run.log_path).result == "passed"


def test_gate_with_nothing_left_behind_it_is_carried(project: Project) -> None:
    """If all that an approval covered is done, nobody is asked again."""
    flow = GATED + "  - {id: again, gate: {question: And?}}\n  - {id: end, run: [echo, end]}\n"
    before = broken_off(project, flow, done=("build", "approve", "publish", "tell", "again"), failed="end")

    run = project.open(flow, after=before)

    assert project.go_through(run) == {
        **dict.fromkeys(("build", "approve", "publish", "tell"), "carried"),
        **dict.fromkeys(("again", "end"), "passed"),
    }


def test_changed_tree_behind_a_gate(project: Project) -> None:
    """A step behind a gate counts only for the tree that was approved; one before it does not depend on it."""
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "all"]):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments], cwd=project.root, check=True
        )
    flow = GATED.replace("{id: publish", "{id: publish, idempotent: true")
    before = broken_off(project, flow, done=("build", "approve", "publish"), failed="tell")
    (project.root / "workflow-exec.toml").write_text(CONFIGURATION + "# edited\n")

    run = project.open(flow, after=before)

    assert reasons(run)["publish"] == ["the commit or the working tree changed, and it stands behind a gate"]
    assert "build" not in reasons(run)
    run.close(interrupted=False)


def refusing(request: GateRequest, timeout_s: float) -> Decision:
    """Reject whatever is asked."""
    return Decision(
        decision="rejected",
        reason="no",
        approver=Actor(kind="human", id="alice"),
        channel="terminal",
        terminal="/dev/pts/1",
        assurance=1,
    )


@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_unknown_effect_is_asked_about(project: Project, how: str) -> None:
    """A step that was started and has no end runs again only if a person says so; a rejection runs nothing."""
    before = _struck(project, how)
    asked: list[GateRequest] = []

    def approver(request: GateRequest, timeout_s: float) -> Decision:
        asked.append(request)
        return approved(request, timeout_s)

    with pytest.raises(GateDeniedError):
        project.open(FLOW, after=before, approver=refusing)
    assert verify_log(before.log_path).result == "denied"
    assert [record.step for record in _records(before) if record.type == "step.started"].count("last") == 1

    run = project.open(FLOW, after=before, approver=approver)
    outcomes = project.go_through(run)

    [request] = asked
    assert [(each.step, "what it did is unknown" in each.does) for each in request.covers] == [("last", True)]
    assert outcomes["last"] == "passed"
    assert verify_log(run.log_path).result == "passed"


def _struck(project: Project, how: str) -> Run:
    (project.root / "source").write_text("content")
    run = project.open(FLOW)
    for step in FOUR:
        project.perform(run, step)
    run.start(run.workflow.step("last"))
    if how == "killed":
        # As if the process were gone: nothing more is written, and the lock is free.
        run._journal.close()
        run._lock.release()
    else:
        run.finish("last", Outcome.INTERRUPTED, message="Ctrl-C")
        run.close(interrupted=True)
    return run


LAST = "{id: last, run: [echo, last]}"


@pytest.mark.parametrize("how", ["killed", "interrupted"])
@pytest.mark.parametrize(
    "now",
    [
        "{id: renamed, run: [echo, last]}",
        "{id: last, run: [echo, last], idempotent: true}",
        "{id: last, run: [echo, other]}",
        "{id: other, run: [echo, other]}",
    ],
)
def test_edits_do_not_hide_an_unknown_effect(project: Project, how: str, now: str) -> None:
    """A step whose effect is unknown is asked about, whatever the file says by now: renamed, removed or declared safe."""
    before = _struck(project, how)

    with pytest.raises(GateDeniedError):
        project.open(FLOW.replace(LAST, now), after=before, approver=refusing)
    asked: list[GateRequest] = []

    def approver(request: GateRequest, timeout_s: float) -> Decision:
        asked.append(request)
        return approved(request, timeout_s)

    run = project.open(FLOW.replace(LAST, now), after=before, approver=approver)

    assert [each.step for each in asked[0].covers] == ["last"]
    assert project.go_through(run)["made"] == "carried"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("{id: made, run", "{id: renamed, run"),
        ("{id: made, run: [cp, source, out.txt]", "{id: made, idempotent: true, run: [cp, source, ./out.txt]"),
    ],
)
def test_edits_do_not_hide_an_effect(project: Project, old: str, new: str) -> None:
    """A step that passed is asked about before it may happen again under another name, or because it is called safe now."""
    before = broken_off(project)

    with pytest.raises(GateDeniedError):
        project.open(FLOW.replace(old, new), after=before, approver=refusing)
    assert verify_log(before.log_path).result == "denied"


def test_step_that_moved_into_finally_is_asked_about(project: Project) -> None:
    """Steps of `finally` run in every session, but one that passed elsewhere does not begin to in silence."""
    before = broken_off(project)
    made = "  - {id: made, run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}}\n"
    moved = FLOW.replace(made, "") + "finally:\n" + made

    with pytest.raises(GateDeniedError):
        project.open(moved, after=before, approver=refusing)


def test_idempotent_step_of_unknown_effect_needs_nobody(project: Project) -> None:
    """`idempotent: true` is the author's word that a second time does no harm."""
    flow = FLOW.replace("{id: last,", "{id: last, idempotent: true,")
    (project.root / "source").write_text("content")
    before = project.open(flow)
    for step in FOUR:
        project.perform(before, step)
    before.start(before.workflow.step("last"))
    before._journal.close()
    before._lock.release()

    run = project.open(flow, after=before, approver=refusing)

    assert project.go_through(run)["last"] == "passed"


def test_passed_step_runs_again_only_with_consent(project: Project) -> None:
    """A step that passed may have had its effect: running it again is asked about, unless it is idempotent."""
    before = broken_off(project)
    changed = FLOW.replace("{default: me}", "{default: you}")

    with pytest.raises(GateDeniedError):
        project.open(changed, after=before, approver=refusing)
    asked: list[GateRequest] = []

    def approver(request: GateRequest, timeout_s: float) -> Decision:
        asked.append(request)
        return approved(request, timeout_s)

    run = project.open(changed, after=before, approver=approver)

    assert [each.step for each in asked[0].covers] == ["one", "two"]
    assert project.go_through(run)["one"] == "passed"


def test_consent_holds_for_what_was_there_when_it_was_asked_for(project: Project) -> None:
    """A policy that changes while the person thinks: their consent is not used, and nothing runs."""
    before = broken_off(project)
    changed = FLOW.replace("{default: me}", "{default: you}")

    def approver(request: GateRequest, timeout_s: float) -> Decision:
        (project.root / "workflow-exec.toml").write_text(CONFIGURATION + 'write = ["x"]\n')
        return approved(request, timeout_s)

    with pytest.raises(GateDeniedError, match="after it was approved, the policy changed"):
        project.open(changed, after=before, approver=approver)

    types = [record.type for record in read_log(before.log_path)]
    assert types.count("gate.decided") == 1
    assert "gate.used" not in types
    assert types[-1] == "run.finished"
    assert verify_log(before.log_path).word == "not passed"


def test_redo_runs_a_step_and_its_dependents(project: Project) -> None:
    """What a person wants to run again runs again with all that uses it; the person is not asked a second time."""
    run = project.open(FLOW, after=broken_off(project), approver=refusing, redo="two")

    outcomes = project.go_through(run)

    assert {step for step, outcome in outcomes.items() if outcome == "passed"} == {"two", "three", "last"}
    assert reasons(run)["two"] == ["asked for: because"]
    [resumed] = [record for record in _records(run) if record.type == "run.resumed"]
    assert resumed.data["redo"] == {"step": "two", "reason": "because", "who": "alice"}


def test_code_that_looked_at_outputs_depends_on_them(project: Project) -> None:
    """What the code of a step looked at is noted, and makes it a dependent."""
    (project.root / "source").write_text("content")
    before = project.open(FLOW)
    for name in ("one", "made", "two"):
        project.perform(before, name)
    before.start(before.workflow.step("three"))
    before.note_use("made")
    before.finish("three", Outcome.PASSED)
    before.start(before.workflow.step("last"))
    before.finish("last", Outcome.FAILED)
    before.close(interrupted=False)
    (project.root / "out.txt").unlink()

    run = project.open(FLOW, after=before)

    assert reasons(run)["three"] == ["step 'made', whose outputs it uses, runs again"]
    run.close(interrupted=False)


def test_code_that_looked_at_outputs_of_a_step_that_is_gone_runs_again(project: Project) -> None:
    """A case that is no longer in its list left outputs that a later step may not go on holding."""
    flow = """
workflow: flow
steps:
  - {id: each, foreach: {x: [a, b]}, run: [echo, "${each.x}"], idempotent: true}
  - {id: sum, run: [echo, sum], idempotent: true}
  - {id: apart, run: [echo, apart], idempotent: true}
  - {id: last, run: [echo, last]}
"""
    before = project.open(flow)
    for name in ("each[a]", "each[b]"):
        project.perform(before, name)
    before.start(before.workflow.step("sum"))
    before.note_use("each[a]")
    before.note_use("each[b]")
    before.finish("sum", Outcome.PASSED)
    project.perform(before, "apart")
    before.start(before.workflow.step("last"))
    before.finish("last", Outcome.FAILED)
    before.close(interrupted=False)

    run = project.open(flow.replace("[a, b]", "[a]"), after=before)
    outcomes = project.go_through(run)

    assert reasons(run)["sum"] == ["step 'each[b]', whose outputs it uses, is not in the plan any more"]
    assert outcomes == {"each[a]": "carried", "sum": "passed", "apart": "carried", "last": "passed"}


def test_blocked_in_between_is_not_forgotten(project: Project) -> None:
    """A step that passed, and was blocked in a later session, still counts as passed in the one after."""
    before = broken_off(project)
    second = project.open(FLOW, after=before, redo="one")
    second.start(second.workflow.step("one"))
    second.finish("one", Outcome.FAILED)
    second.close(interrupted=False)

    run = project.open(FLOW, after=second)

    assert project.go_through(run)["made"] == "carried"
    assert verify_log(run.log_path).result == "passed"


def test_carrying_keeps_the_order(project: Project) -> None:
    """A carried step has its turn like any other."""
    run = project.open(FLOW, after=broken_off(project))

    with pytest.raises(StepOrderError):
        run.carries(run.workflow.step("two"))
    run.close(interrupted=False)


def test_log_that_went_on_meanwhile(project: Project) -> None:
    """What was worked out from a log that has more records by now is not used; nothing is written."""
    before = broken_off(project)
    stale = History.of(before.log_path)
    other = project.open(FLOW, after=before)
    other.close(interrupted=False)
    size = before.log_path.stat().st_size

    with pytest.raises(EvidenceError, match="run again"):
        project.open(FLOW, after=before, history=stale)

    assert before.log_path.stat().st_size == size


@pytest.mark.parametrize("cut", [1, 2, 75, 150, 10_000])
def test_torn_log_goes_on(project: Project, cut: int) -> None:
    """A log that ends in the middle of a record goes on behind it, and verify calls the whole intact."""
    before = broken_off(project)
    content = before.log_path.read_bytes()
    last_line = len(content) - content[:-1].rfind(b"\n") - 1
    before.log_path.write_bytes(content[: -min(cut, last_line - 1)])

    run = project.open(FLOW, after=before)
    outcomes = project.go_through(run)

    assert outcomes == {**dict.fromkeys(FOUR, "carried"), "last": "passed"}
    verdict = verify_log(run.log_path)
    assert (verdict.word, verdict.result, verdict.sessions) == ("bounded", "passed", 2)


CONDITIONAL = """
workflow: flow
inputs:
  kind: {default: minor}
steps:
  - {id: one, run: [echo, one]}
  - {id: extra, when: inputs.kind == 'major', run: [echo, extra], outputs: {said: {stdout: ".+", default: none}}}
  - {id: use, run: [echo, "${steps.extra.said}"], idempotent: true}
  - {id: last, run: [echo, last]}
"""


def test_step_that_begins_to_apply_takes_its_dependents_with_it(project: Project) -> None:
    """What used the default of a step that did not apply runs again when it applies; else it is carried."""
    run = project.open(CONDITIONAL)
    project.perform(run, "one")
    run.leave_out(run.workflow.step("extra"))
    project.perform(run, "use")
    run.close(interrupted=False)

    same = project.open(CONDITIONAL, after=run)
    assert same.carries(same.workflow.step("one"))
    same.carry(same.workflow.step("one"))
    same.leave_out(same.workflow.step("extra"))
    assert same.carries(same.workflow.step("use"))
    same.close(interrupted=False)
    other = project.open(CONDITIONAL.replace("{default: minor}", "{default: major}"), after=same)

    assert reasons(other) == {"use": ["step 'extra', whose outputs it uses, runs again"]}
    other.close(interrupted=False)


def test_harmless_kind_declared_afterwards_hides_nothing(project: Project) -> None:
    """A step of unknown effect that became a gate, while another does its work, is asked about as what it was."""
    before = _struck(project, "killed")
    now = FLOW.replace(LAST, "{id: last, gate: {question: Go?}}\n  - {id: other, run: [echo, last]}")

    with pytest.raises(GateDeniedError):
        project.open(now, after=before, approver=refusing)
    assert [record.step for record in _records(before) if record.type == "step.started"].count("last") == 1


def test_age_that_is_not_known_is_too_old(project: Project) -> None:
    """If the clock went back behind a step's end, nobody knows how old it is."""
    flow = FLOW.replace("idempotent: true", "idempotent: true, max_age: 7d")
    before = broken_off(project, flow)
    history = History.of(before.log_path)
    past = history.satisfied["three"]
    history.satisfied["three"] = dataclasses.replace(past, ended="2999-01-01T00:00:00.000000Z")

    run = project.open(flow, after=before, history=history)

    assert "three" in reasons(run)
    run.close(interrupted=False)


def test_policy_of_an_earlier_session_again(project: Project) -> None:
    """A question under the policy that an earlier session had is about no other one, whatever came in between."""
    run = _struck(project, "killed")
    for configuration in (CONFIGURATION.replace("touch", "cat"), CONFIGURATION):
        (project.root / "workflow-exec.toml").write_text(configuration)
        with pytest.raises(GateDeniedError):
            project.open(FLOW, after=run, approver=refusing)

    verdict = verify_log(run.log_path)
    assert (verdict.result, verdict.sessions, len(verdict.policies)) == ("denied", 3, 2)


def test_a_step_whose_output_was_taken_out_runs_again(project: Project) -> None:
    """What was removed from the evidence later can't be carried: the step runs again and says why, with its dependents."""
    flow = FLOW.replace("{default: me}", f"{{default: {'y' * 9000}}}")
    flow = flow.replace('{name: {stdout: ".+"}}}', '{name: {stdout: ".+"}}, idempotent: true}')
    flow = flow.replace('{said: {stdout: ".+"}}}', '{said: {stdout: ".+"}}, idempotent: true}')
    before = broken_off(project, flow)
    assert main(["redact", str(before.log_path), "--step", "one", "--reason", "a token"]) == 0

    run = project.open(flow, after=before)
    outcomes = project.go_through(run)

    assert reasons(run)["one"] == ["an output of it was taken out of the evidence later"]
    assert outcomes == {"one": "passed", "made": "carried", "two": "passed", "three": "passed", "last": "passed"}
    verdict = verify_log(run.log_path)
    assert (verdict.word, verdict.result, verdict.redacted) == ("bounded", "passed", 2)
