"""The judge of every item that is a step: it may run only in its turn, and its end is decided here."""

from __future__ import annotations

import warnings
from collections.abc import Generator
from contextlib import AbstractContextManager
from functools import partial

import pytest

from pytest_workflow_exec.definition import capture_returns
from pytest_workflow_exec.errors import EvidenceError, OutputError, StepOrderError, StillRunningError
from pytest_workflow_exec.model import Call, ErrorClass, Function, Gate, Outcome, Step
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import NO_OUTPUTS, Run, classify, outputs_of_return

from ._attempt import Attempt, Conclusion, conclude, failing_plainly
from ._evidence_types import with_evidence
from ._failures import class_of
from ._keys import PLANNED
from ._lines import REPORT_LOG, REPORT_OUTCOME
from ._process_watch import watch_processes
from ._session import WorkflowSession, attempt_of, run_of

_NOT_UNDER_WAY = "a step runs only as pytest runs its items"


class evidence_or_exit:  # noqa: N801  # a context, entered for each step more often than a generator is cheap
    """Ends the whole session if evidence can't be written: nothing may happen that leaves none."""

    __slots__ = ("_session",)

    def __init__(self, session: WorkflowSession) -> None:
        self._session = session

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Turn an error of the evidence into the end of the session."""
        if isinstance(error, EvidenceError):
            self._session.evidence_error = str(error)
            pytest.exit(f"evidence can't be written: {error}", returncode=3)


def attempted(session: WorkflowSession, item: pytest.Item) -> Generator[None, object, object]:
    """Go along with pytest through one item that is a step, and write down how it ended."""
    session.attempts[item.nodeid] = attempt = Attempt()
    try:
        try:
            result = yield
        finally:
            attempt.watch_no_more()
    except BaseException as error:
        _mask_words(error, attempt)
        with evidence_or_exit(session):
            _interrupt(session, item, attempt)
        raise
    finally:
        session.attempts.pop(item.nodeid, None)
    with evidence_or_exit(session):
        _end(session, item, attempt, conclude(attempt))
    if session.share is not None:
        session.share.end(session, item.stash[PLANNED])
    return result


def admit_item(session: WorkflowSession, item: pytest.Item) -> None:
    """Announce a step whose turn it is; any other does not get past its setup."""
    attempt = attempt_of(item)
    if attempt is None:
        pytest.fail(_NOT_UNDER_WAY, pytrace=False)
    with evidence_or_exit(session):
        _admit(item, attempt)
    planned = item.stash[PLANNED]
    session.lines.go(planned, session.workflows[planned.workflow], item.nodeid)


def guarded_body(item: pytest.Function) -> Generator[None, object, object]:
    """Let the body of a step run only if the step was announced; keep what it returns."""
    attempt = attempt_of(item)
    if attempt is not None and attempt.stand_in is not None:
        return (yield)
    if attempt is None or not attempt.admitted or attempt.body_ran:
        pytest.fail(
            "the body of a step runs once, and only after the step was announced in the evidence", pytrace=False
        )
    with capture_returns() as captured:
        result = yield
    function = item.stash[PLANNED].function
    if function is not None and captured.by is function:
        attempt.body_ran = True
        _keep_return(item, attempt, captured.value)
    return result


def has_stand_in(item: pytest.Item) -> bool:
    """Return whether the item is a step that ends without running."""
    attempt = attempt_of(item)
    return attempt is not None and attempt.stand_in is not None


def judge_report(attempt: Attempt, call: pytest.CallInfo[None], report: pytest.TestReport, run: Run | None) -> None:
    """Make a step's report say what is so, without secrets: a skip is a failure, whoever asked for it.

    A report may be judged more than once.
    """
    if attempt.stand_in is not None and report.when == "setup" and report.outcome != "failed" and _skipped(call):
        # Its body is held back by `pytest_hold_back_body`; only a passed setup lets pytest go on to say so.
        report.outcome, report.longrepr = "passed", None
    elif call.excinfo is not None and call.excinfo.value not in attempt.errors:
        attempt.errors.append(call.excinfo.value)
    if attempt.order_error is not None and not attempt.admitted and report.when == "setup":
        _fail(report, str(attempt.order_error))
    elif report.outcome == "skipped" or hasattr(report, "wasxfail"):
        _fail(report, f"a step may not be skipped or expected to fail: {_reason(report)}")
    elif report.outcome == "passed" and call.excinfo is not None and attempt.stand_in is None:
        _fail(report, f"it raised {call.excinfo.exconly()}")
    elif report.outcome == "passed" and attempt.processes and not attempt.shown:
        _fail(report, str(attempt.processes[0]))
    if run is not None:
        _redact(report, run.redactor)
        setattr(report, REPORT_LOG, run.log_name)
    setattr(report, REPORT_OUTCOME, _standing(attempt, report).value)


def refuse_report(report: pytest.TestReport) -> None:
    """Let a report of a step be a failure that somebody makes while pytest does not run it."""
    _fail(report, _NOT_UNDER_WAY)


def settle_report(attempt: Attempt, call: pytest.CallInfo[None], report: pytest.TestReport, run: Run | None) -> None:
    """Judge a step's report after everybody else, and let a failed setup be a failure of the step.

    To the reports that pytest writes, a failed setup is an error: something that kept the test from being tried. Of the
    steps, only a blocked one is that.
    """
    judge_report(attempt, call, report, run)
    if report.when == "setup" and report.failed and _standing(attempt, report) is not Outcome.BLOCKED:
        report.when = "call"


def mask_warning(session: WorkflowSession, warning: warnings.WarningMessage) -> None:
    """Take the secrets of the session's runs out of a warning that pytest is about to keep."""
    text = masked = str(warning.message)
    for run in session.runs.values():
        masked = run.redactor.report(masked)
    if masked != text:
        warning.message = UserWarning(masked)


def close_runs(session: WorkflowSession) -> None:
    """Write the end of every run that has none."""
    for run in session.runs.values():
        if run.workflow.name not in session.ends:
            close_run(session, run)


def close_run(session: WorkflowSession, run: Run) -> None:
    """Write how a run ended."""
    try:
        run.close(interrupted=session.interrupted)
    except EvidenceError as error:
        session.evidence_error = session.evidence_error or str(error)
    session.note_end(run)


def _admit(item: pytest.Item, attempt: Attempt) -> None:
    if attempt.admitted:
        pytest.fail("a step is attempted again only by its own retry", pytrace=False)
    with failing_plainly(attempt):
        _begin(item, attempt)
    if attempt.stand_in is not None:
        pytest.skip(attempt.stand_in.words)
    if attempt.order_error is not None:
        # A skip opens no debugger and no traceback; its report is made a failure before anyone counts it.
        pytest.skip(str(attempt.order_error))


def _begin(item: pytest.Item, attempt: Attempt) -> None:
    step = item.stash[PLANNED].step
    try:
        run = run_of(item)
        attempt.mask = run.mask
        if run.carries(step):
            attempt.stand_in = Outcome.CARRIED
        elif not run.applies(step):
            attempt.stand_in = Outcome.NOT_APPLICABLE
        else:
            run.start(step, holding=partial(_holding, item, step))
            attempt.admitted = True
            watch_processes(attempt, run, step)
            if step.check is not None:
                _check(item, attempt, run)
    except StepOrderError as error:
        attempt.order_error = error


def _holding(item: pytest.Item, step: Step) -> AbstractContextManager[None]:
    # Only where a person is asked anew.
    from ._gates import holding_still

    return holding_still(item, step)


def _check(item: pytest.Item, attempt: Attempt, run: Run) -> None:
    from pytest_workflow_exec.run import perform_check

    planned = item.stash[PLANNED]
    there = perform_check(run, planned.step, call=partial(_asked, item, run))
    if there is not None:
        attempt.stand_in, attempt.outputs = Outcome.PASSED, with_evidence(planned, there)


def _asked(item: pytest.Item, run: Run, check: Call) -> object:
    # Only here: most steps of most runs are not asked.
    from ._checks import call_check

    return call_check(item, run, check)


def _keep_return(item: pytest.Function, attempt: Attempt, returned: object) -> None:
    planned, run = item.stash[PLANNED], run_of(item)
    body = planned.step.body
    with failing_plainly(attempt):
        run.check_over(planned.step.id)
        if isinstance(body, Gate):
            from ._gates import ask_at

            words = "" if returned is None else str(returned)
            attempt.outputs = ask_at(item, run, planned.step, body, words=words)
        elif isinstance(body, Function) and body.returns_outputs:
            outputs = outputs_of_return(returned, planned.annotation, root=run.workflow.root)
            attempt.outputs = with_evidence(planned, outputs)
        elif isinstance(body, Function) and returned is not None:
            raise OutputError(
                f"{body.name} returned a value ({type(returned).__name__}), and nothing looks at what a plain test returns; "
                "assert it, or put @step before the function to keep it"
            )


def _interrupt(session: WorkflowSession, item: pytest.Item, attempt: Attempt) -> None:
    session.interrupted, session.broken_off = True, item
    if attempt.admitted:
        # Between two attempts it is as failed as the last one was.
        outcome = Outcome.FAILED if attempt.waits else Outcome.INTERRUPTED
        conclusion = Conclusion(outcome=outcome, message="the session was interrupted")
        _end(session, item, attempt, conclusion)


def _end(session: WorkflowSession, item: pytest.Item, attempt: Attempt, conclusion: Conclusion) -> None:
    planned = item.stash[PLANNED]
    workflow, run = session.workflows[planned.workflow], session.runs.get(planned.workflow)
    if conclusion.outcome is Outcome.BLOCKED:
        session.blocked.append((item.nodeid, conclusion.message))
    duration_s = attempt.duration_s
    if run is not None:
        if conclusion.outcome is Outcome.FAILED:
            class_of(session, item, attempt)
        _write_end(run, planned.step.id, attempt, conclusion, duration_s)
    session.lines.finish(planned, workflow, conclusion.outcome, duration_s)
    if conclusion.outcome is Outcome.FAILED and all(report.passed for report in attempt.reports):
        # Nobody else has said why.
        session.lines.say(f"{item.nodeid} failed: {conclusion.message}")


def _write_end(run: Run, step: str, attempt: Attempt, conclusion: Conclusion, duration_s: float) -> None:
    if run.state.ended(step):
        # Run a second time by something else than pytest's own loop: its first end stands.
        return
    waits_for = attempt.order_error.waiting_for if attempt.order_error is not None else None
    try:
        if conclusion.outcome is Outcome.NOT_APPLICABLE:
            run.leave_out(run.workflow.step(step))
            return
        if conclusion.outcome is Outcome.CARRIED:
            run.carry(run.workflow.step(step))
            return
        run.finish(
            step,
            conclusion.outcome,
            duration_s=duration_s,
            outputs=attempt.outputs if conclusion.outcome.satisfies else NO_OUTPUTS,
            message=conclusion.message,
            waits_for=waits_for,
            error_class=_class_in(attempt) if conclusion.outcome is Outcome.FAILED else None,
        )
    except (OutputError, StillRunningError) as error:
        run.finish(step, Outcome.FAILED, duration_s=duration_s, message=str(error), error_class=classify(error))


def _class_in(attempt: Attempt) -> ErrorClass | None:
    return None if attempt.failure is None else attempt.failure.error_class


def _skipped(call: pytest.CallInfo[None]) -> bool:
    return call.excinfo is not None and call.excinfo.errisinstance(pytest.skip.Exception)


def _fail(report: pytest.TestReport, message: str) -> None:
    report.outcome = "failed"
    report.longrepr = message
    if hasattr(report, "wasxfail"):
        del report.wasxfail


def _redact(report: pytest.TestReport, redactor: Redactor) -> None:
    if report.sections:
        report.sections = [(title, redactor.report(content)) for title, content in report.sections]
    if report.user_properties:
        report.user_properties = [
            (redactor.text(name), redactor.text(value) if isinstance(value, str) else value)
            for name, value in report.user_properties
        ]
    if report.longrepr is None:
        return
    text = report.longreprtext
    masked = redactor.report(text)
    # What the short summary and JUnit quote; the traceback may show less of it.
    crash = str(getattr(getattr(report.longrepr, "reprcrash", None), "message", ""))
    if masked != text or redactor.report(crash) != crash:
        # A traceback is many objects; one that shows a secret is worth less than the secret.
        report.longrepr = masked


def _mask_words(error: BaseException, attempt: Attempt) -> None:
    """Take the secrets out of what `pytest.exit` or an interrupt says: pytest prints it without any report."""
    if isinstance(error, (pytest.exit.Exception, KeyboardInterrupt)):
        error.args = tuple(attempt.mask(each) if isinstance(each, str) else each for each in error.args)
    if isinstance(error, pytest.exit.Exception):
        error.msg = attempt.mask(str(error.msg))


def _reason(report: pytest.TestReport) -> str:
    xfail = getattr(report, "wasxfail", None)
    if xfail is not None:
        return f"xfail {xfail}".strip()
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else report.longreprtext


def _standing(attempt: Attempt, report: pytest.TestReport) -> Outcome:
    if report.outcome == "passed":
        return attempt.stand_in or (Outcome.PASSED if attempt.waived is None else Outcome.WAIVED)
    outcome = conclude(attempt).outcome
    return outcome if outcome is not Outcome.PASSED else Outcome.FAILED
