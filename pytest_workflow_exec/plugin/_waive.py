"""A checking step that failed: a person may accept that, at a gate of its own; nobody else can."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator

import pytest

from pytest_workflow_exec.errors import EvidenceError, SuspendedError, WorkflowExecError

from ._attempt import Attempt, conclude
from ._body_timer import body_timer
from ._keys import PLANNED
from ._runtest import evidence_or_exit, guarded_body
from ._session import WorkflowSession, attempt_of, run_of

_ACCEPTABLE = frozenset({"transient", "permission", "business"})
"""The classes of failures that a person can accept: not what the policy refuses, or what the engine could not do."""

Body = Callable[[], Generator[None, object, object]]


def ruled_body(session: WorkflowSession, item: pytest.Function) -> Generator[None, object, object]:
    """Run the body of a step by what its definition says of failures: whether it is tried again, or may be waived."""
    step = item.stash[PLANNED].step
    if step.waive is None and not step.may_repeat:
        return (yield from guarded_body(item))

    def body() -> Generator[None, object, object]:
        if not step.may_repeat:
            return guarded_body(item)
        from ._again import repeated_body

        return repeated_body(session, item)

    return (yield from (body() if step.waive is None else waivable_body(session, item, body)))


def waivable_body(session: WorkflowSession, item: pytest.Function, body: Body) -> Generator[None, object, object]:
    """Run the body of a step, and ask a person whether the run goes on all the same if it fails for good."""
    attempt, step = attempt_of(item), item.stash[PLANNED].step
    if attempt is None or not attempt.admitted or attempt.stand_in is not None or attempt.may_waive:
        return (yield from body())
    attempt.may_waive = True
    try:
        if step.may_repeat:
            return (yield from body())
        with body_timer(item, step):
            return (yield from body())
    except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001  # the body is anybody's code
        failed: BaseException = error
    if not attempt.errors:
        attempt.errors.append(failed)
    if not _can_be_accepted(session, item, attempt, failed) or not _accepted(session, item, attempt):
        raise failed
    attempt.errors.clear()
    # As its traceback shows: a body that raises returns nothing by which it would be known.
    attempt.body_ran, attempt.failure = True, None
    return True


def _can_be_accepted(session: WorkflowSession, item: pytest.Function, attempt: Attempt, failed: BaseException) -> bool:
    # What a subtest reported stands in the reports for good; an expected failure is the author's, no finding.
    from ._failures import class_of

    suspended = isinstance(attempt.errors[0], SuspendedError)
    if suspended or isinstance(failed, pytest.xfail.Exception) or any(report.failed for report in attempt.reports):
        return False
    if not _body_raised(item, attempt, failed) or class_of(session, item, attempt) not in _ACCEPTABLE:
        return False
    try:
        run_of(item).check_over(item.stash[PLANNED].step.id)
    except EvidenceError:
        raise
    except WorkflowExecError as error:
        # A command that still runs, or a file that changed behind a gate, is nothing to go on from.
        attempt.errors.append(error)
        return False
    return True


def _body_raised(item: pytest.Function, attempt: Attempt, failed: BaseException) -> bool:
    # What another plugin raised in place of the body is no finding of the step.
    function = item.stash[PLANNED].function
    if function is None:
        return attempt.body_ran
    code, trace = getattr(inspect.unwrap(function), "__code__", None), failed.__traceback__
    while trace is not None and trace.tb_frame.f_code is not code:
        trace = trace.tb_next
    return trace is not None


def _accepted(session: WorkflowSession, item: pytest.Function, attempt: Attempt) -> bool:
    from ._gates import hold_still

    run, step = run_of(item), item.stash[PLANNED].step
    failure = conclude(attempt).message or "it failed"
    hold_still(item)
    with evidence_or_exit(session):
        try:
            who = run.waive(step, failure=failure)
        except EvidenceError:
            raise
        except WorkflowExecError as error:
            attempt.not_waived = f"its failure was not accepted: {error}"
            return False
    attempt.waived = f"waived by {who}: {failure}"
    item.user_properties.append(("workflow_exec.outcome", "waived"))
    item.user_properties.append(("workflow_exec.waived", attempt.waived))
    return True
