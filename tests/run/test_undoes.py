"""Steps that another one reverted: they count no more, and run again in the next session without a question."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.errors import GateDeniedError, StepOrderError
from pytest_workflow_exec.model import Command, Outcome
from pytest_workflow_exec.run import Run, perform_command
from pytest_workflow_exec.verify import verify_log

from .conftest import Project
from .test_carry import refusing

FLOW = """
workflow: flow
steps:
  - {id: one, run: [echo, one]}
  - {id: deploy, run: [touch, deployed], foreach: {host: [a, b]}}
  - {id: use, run: [echo, "${steps.deploy[a].exit}"], idempotent: true}
  - {id: smoke, run: [echo, smoke]}
finally:
  - {id: rollback, run: [echo, rollback], undoes: [deploy]}
  - {id: after, run: [echo, after]}
"""
DONE = ("one", "deploy[a]", "deploy[b]", "use")


def failed(project: Project, flow: str = FLOW, *, smoke: Outcome = Outcome.FAILED, back: Outcome | None) -> Run:
    """Return a run that failed in its last step, and whose rollback ended so; None: it was killed in it."""
    run = project.open(flow)
    for step in DONE:
        project.perform(run, step)
    run.start(run.workflow.step("smoke"))
    run.finish("smoke", smoke, message="no")
    rollback = run.workflow.step("rollback")
    run.start(rollback)
    if back is None:
        run._journal.close()
        run._lock.release()
        return run
    assert isinstance(rollback.body, Command)
    run.finish("rollback", back, outputs=perform_command(run, rollback, rollback.body))
    if back is Outcome.PASSED:
        project.perform(run, "after")
    run.close(interrupted=False)
    return run


def test_what_was_undone_runs_again_unasked(project: Project) -> None:
    """The steps that were reverted run again with their dependents, and verify agrees to every record of it."""
    before = failed(project, back=Outcome.PASSED)

    undone = [record for record in project.records(before) if record.type == "step.invalidated"]
    assert [(record.step, record.data["reasons"]) for record in undone] == [
        ("deploy[a]", ["undone by rollback"]),
        ("deploy[b]", ["undone by rollback"]),
    ]
    [end] = [record for record in project.records(before) if record.type == "run.finished"]
    assert end.data["not_satisfied"] == ["deploy[a]", "deploy[b]", "smoke"]
    assert (verify_log(before.log_path).word, verify_log(before.log_path).result) == ("not passed", "failed")

    run = project.open(FLOW.replace("undoes: [deploy]", "when: \"steps.smoke.outcome == 'failed'\""), after=before)
    assert set(run._carried) == {"one"}
    run.close(interrupted=False)


def test_only_those_that_were_undone_need_no_person(project: Project) -> None:
    """A dependent of theirs that may have had its effect is asked about, as ever."""
    flow = FLOW.replace(", idempotent: true", "")
    before = failed(project, flow, back=Outcome.PASSED)

    with pytest.raises(GateDeniedError):
        project.open(flow, after=before, approver=refusing)


def test_nobody_is_asked_about_what_was_undone(project: Project) -> None:
    """Of a deployment that was reverted nothing is left that could happen twice."""
    run = project.open(FLOW, after=failed(project, back=Outcome.PASSED), approver=refusing)

    assert [run.carries(run.workflow.step("one"))] == [True]
    run.carry(run.workflow.step("one"))
    for step in ("deploy[a]", "deploy[b]", "use", "smoke"):
        project.perform(run, step)
    # The rollback has no condition here, so it reverts a deployment that is good: the run is not passed.
    project.perform(run, "rollback")
    project.perform(run, "after")
    run.close(interrupted=False)

    assert not run.state.complete
    assert not run.fulfilled
    assert run.not_satisfied == ("deploy[a]", "deploy[b]")
    assert verify_log(run.log_path).result == "failed"


@pytest.mark.parametrize("back", [Outcome.FAILED, None], ids=["failed", "killed"])
def test_undoing_that_did_not_pass(project: Project, back: Outcome | None) -> None:
    """Of what may be half reverted nobody knows whether it still counts: a person is asked."""
    before = failed(project, back=back)

    with pytest.raises(GateDeniedError):
        project.open(FLOW, after=before, approver=refusing)
    run = project.open(FLOW, after=before)

    assert set(run._carried) == {"one"}
    run.close(interrupted=False)


def test_unknown_effect_that_was_undone(project: Project) -> None:
    """A step that was broken off and then reverted is no longer of unknown effect."""
    flow = FLOW.replace("undoes: [deploy]", "undoes: [smoke]")
    before = failed(project, flow, smoke=Outcome.INTERRUPTED, back=Outcome.PASSED)

    run = project.open(flow, after=before, approver=refusing)

    assert set(run._carried) == set(DONE)
    run.close(interrupted=False)
    assert verify_log(run.log_path).result == "failed"


def test_nothing_runs_behind_what_was_undone(project: Project) -> None:
    """A step in the middle that reverts an earlier one ends the session: what stands behind it waits for both."""
    flow = "workflow: flow\nsteps:\n" + "".join(
        f"  - {{id: {name}, run: [echo, x]{more}}}\n" for name, more in (("a", ""), ("b", ", undoes: [a]"), ("c", ""))
    )
    run = project.open(flow)
    project.perform(run, "a")
    project.perform(run, "b")

    with pytest.raises(StepOrderError, match="was undone"):
        run.start(run.workflow.step("c"))
    run.close(interrupted=False)

    assert run.not_satisfied == ("a", "c")
    assert verify_log(run.log_path).result == "failed"
