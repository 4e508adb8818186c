"""Steps that wait for a time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from pytest_workflow_exec.errors import OutputError, PausedError
from pytest_workflow_exec.model import Outcome, Pause
from pytest_workflow_exec.run import Run, StepOutputs
from pytest_workflow_exec.verify import verify_log
from tests.evidence._logs import records_in

from .conftest import Project


def _flow(pause: str) -> str:
    return f"""
workflow: flow
inputs: {{until: {{type: string, default: "2000-01-01T00:00:00Z"}}}}
steps:
  - {{id: first, run: [touch, first]}}
  - {{id: soak, pause: {pause}}}
  - {{id: last, run: [touch, last]}}
"""


def _reached(project: Project, flow: str, *, after: Run | None = None) -> Run:
    run = project.open(flow, after=after)
    first = run.workflow.step("first")
    if run.carries(first):
        run.carry(first)
    else:
        project.perform(run, "first")
    run.start(run.workflow.step("soak"))
    return run


def _paused(run: Run) -> StepOutputs:
    step = run.workflow.step("soak")
    assert isinstance(step.body, Pause)
    return run.pause(step, step.body)


def test_a_pause_that_suspends_is_counted_from_its_first_start(project: Project) -> None:
    """The run ends meanwhile and is suspended again as long as the time has not come; then it goes on and is verified."""
    run = _reached(project, _flow("{for: 1h, wait: suspend}"))
    with pytest.raises(PausedError, match="waits until"):
        _paused(run)
    run.finish("soak", Outcome.SUSPENDED)
    run.close(interrupted=False)
    assert verify_log(run.log_path).result == "suspended"

    again = _reached(project, _flow("{for: 1h, wait: suspend}"), after=run)
    began = next(each for each in project.records(run) if each.type == "step.started" and each.step == "soak")
    due = datetime.fromisoformat(began.ts.replace("Z", "+00:00")) + timedelta(hours=1)
    with pytest.raises(PausedError) as early:
        _paused(again)

    until = datetime.fromisoformat(early.value.until.replace("Z", "+00:00"))
    # Not before: who goes on at the moment that is recorded would find that a part of a second is left.
    assert due <= until < due + timedelta(seconds=1)
    assert not (project.root / "last").exists()


@pytest.mark.parametrize(
    ("moment", "until"),
    [
        ("9998-01-01T00:00:00.001+00:00", "9998-01-01T00:00:01Z"),
        ("9998-01-01T00:00:59+00:00", "9998-01-01T00:00:59Z"),
        ("9999-12-31T23:59:59.500000+00:00", "9999-12-31T23:59:59Z"),
    ],
)
def test_what_is_recorded_is_no_earlier_than_the_moment(project: Project, moment: str, until: str) -> None:
    """A part of a second makes it the next one, as far as the calendar has one."""
    run = _reached(project, _flow(f'{{until: "{moment}", wait: suspend}}'))

    with pytest.raises(PausedError) as early:
        _paused(run)

    assert early.value.until == until


def test_a_pause_that_is_over_lets_the_run_go_on(project: Project) -> None:
    """A moment that has passed is no wait, and what it waited for is its output."""
    flow = _flow('{until: "${inputs.until}", wait: suspend}')
    run = _reached(project, flow)
    outputs = _paused(run)
    run.finish("soak", Outcome.PASSED, outputs=outputs)
    project.perform(run, "last")
    run.close(interrupted=False)

    assert outputs.values == {"until": "2000-01-01T00:00:00Z"}
    assert verify_log(run.log_path, expect_head=records_in(run.log_path)[-1]["hash"]).exit_code == 0


def test_a_short_pause_waits_in_its_process(project: Project) -> None:
    """Without `wait: suspend` the step returns when its time has come, not before."""
    run = _reached(project, _flow("0.2s"))
    began = datetime.now(timezone.utc)

    outputs = _paused(run)

    until = datetime.fromisoformat(str(outputs.values["until"]).replace("Z", "+00:00"))
    assert datetime.now(timezone.utc) >= until
    assert until >= began.replace(microsecond=0)


@pytest.mark.parametrize(("moment", "reason"), [("tomorrow", "is no time"), ("2026-12-24T18:00:00", "has no zone")])
def test_a_moment_that_is_none_fails_the_step(project: Project, moment: str, reason: str) -> None:
    """A text that names no moment can't be waited for."""
    run = _reached(project, _flow(f'{{until: "{moment}"}}'))

    with pytest.raises(OutputError, match=reason):
        _paused(run)


def test_a_changed_pause_begins_anew(project: Project) -> None:
    """A pause of another length is another one: what was waited for the first is not counted for it."""
    run = _reached(project, _flow("{for: 1h, wait: suspend}"))
    run.finish("soak", Outcome.SUSPENDED)
    run.close(interrupted=False)
    ended = datetime.now(timezone.utc)

    again = _reached(project, _flow("{for: 2h, wait: suspend}"), after=run)

    with pytest.raises(PausedError) as early:
        _paused(again)
    until = datetime.fromisoformat(early.value.until.replace("Z", "+00:00"))
    assert until >= (ended + timedelta(hours=2)).replace(microsecond=0)
