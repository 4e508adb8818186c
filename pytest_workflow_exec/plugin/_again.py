"""A step that is tried again: its body once more, in the same item and with the same fixtures, each attempt on record."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pytest_workflow_exec.errors import EvidenceError, WorkflowExecError
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import NextAttempt, next_attempt, wait_for

from ._attempt import Attempt, conclude
from ._body_timer import body_timer
from ._failures import class_of
from ._keys import PLANNED
from ._runtest import evidence_or_exit, guarded_body
from ._session import WorkflowSession, attempt_of, run_of

_TOLD = 10


def repeated_body(session: WorkflowSession, item: pytest.Function) -> Generator[None, object, object]:
    """Run the body of a step that may be tried again, until it passes or there is no further attempt."""
    attempt, planned = attempt_of(item), item.stash[PLANNED]
    if attempt is None or not attempt.admitted or attempt.stand_in is not None or attempt.repeating:
        return (yield from guarded_body(item))
    attempt.repeating = True
    try:
        with body_timer(item, planned.step):
            return (yield from guarded_body(item))
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # the body is anybody's code
        failed: BaseException = error
    tries = 1
    while True:
        following = _following(session, item, attempt, failed, tries=tries)
        if following is None:
            raise failed
        _wait(session, item, attempt, following)
        if not _begin(session, item, attempt, following):
            raise failed
        tries += 1
        try:
            with body_timer(item, planned.step):
                return item.ihook.pytest_pyfunc_call(pyfuncitem=item)
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # the body is anybody's code
            failed = error


def _following(
    session: WorkflowSession, item: pytest.Function, attempt: Attempt, failed: BaseException, *, tries: int
) -> NextAttempt | None:
    """Return the attempt that follows, after writing down how this one failed; None if none does."""
    if isinstance(failed, pytest.xfail.Exception) or any(report.failed for report in attempt.reports):
        # What a subtest reported stands in the reports for good.
        return None
    if attempt.processes:
        # Whatever it raised in the end: another attempt would not take that back.
        return None
    if not attempt.errors:
        attempt.errors.append(failed)
    run, step = run_of(item), item.stash[PLANNED].step
    following = next_attempt(
        step,
        tries=tries,
        error_class=class_of(session, item, attempt),
        error=attempt.errors[0],
        waited_s=run.waited_s(step),
    )
    if following is None:
        return None
    with evidence_or_exit(session):
        try:
            # A command that still runs, or a file that changed behind a gate, is no failure to begin anew after.
            run.check_over(step.id)
        except EvidenceError:
            raise
        except WorkflowExecError as error:
            attempt.errors.append(error)
            return None
        if following.why == "poll" and step.poll is not None and step.poll.holds_no_process:
            later = run.look_later(step, following.wait_s, last=conclude(attempt).message)
            attempt.errors[:] = [later]
            raise pytest.fail.Exception(str(later), pytrace=False)
        run.finish(
            step.id,
            Outcome.FAILED,
            duration_s=attempt.duration_s,
            message=conclude(attempt).message,
            error_class=following.error_class,
        )
        attempt.waits = True
        run.wait_again(step, following)
    return following


def _wait(session: WorkflowSession, item: pytest.Function, attempt: Attempt, following: NextAttempt) -> None:
    said = conclude(attempt).message.split("\n", 1)[0].removesuffix(":")
    what = f"attempt {following.number - 1} of {following.of} failed ({following.error_class})"
    if len(attempt.tried) == _TOLD:
        # Of a step that was looked at all day, the last times are enough; the log has them all.
        del attempt.tried[0]
    attempt.tried.append(f"{what}: {said}; waited {following.wait_s:.1f} s")
    lines = session.lines
    with lines.aside():
        lines.say(f"{item.nodeid}: {what}: {said}; the next one in {following.wait_s:.1f} s")
        with lines.countdown(f"attempt {following.number} of {following.of}") as count:
            wait_for(following.wait_s, tell=count)


def _begin(session: WorkflowSession, item: pytest.Function, attempt: Attempt, following: NextAttempt) -> bool:
    """Announce the next attempt; False if it may not start, which leaves the step failed."""
    run, planned = run_of(item), item.stash[PLANNED]
    # Before its announcement: interrupted behind that, it is a step of unknown effect.
    attempt.waits = False
    with evidence_or_exit(session):
        try:
            run.start(planned.step)
        except EvidenceError:
            raise
        except WorkflowExecError as error:
            attempt.tried.append(f"attempt {following.number} could not start: {error}")
            return False
    attempt.begin_anew()
    return True
