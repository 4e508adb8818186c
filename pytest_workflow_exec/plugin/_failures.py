"""Why a step failed: its class, by the engine's own rules and whoever knows better, and what is shown of it."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol, cast

import pytest

from pytest_workflow_exec.model import ErrorClass, Outcome, StepId
from pytest_workflow_exec.run import Failure, Run, failure_of

from ._attachments import DETAILED, told_of
from ._attempt import Attempt, conclude
from ._keys import PLANNED
from ._lines import REPORT_LINE
from ._session import WorkflowSession
from ._ways_on import after

_OPEN: frozenset[ErrorClass] = frozenset({"transient", "permission", "business"})
"""The classes that somebody else may know better: what the policy, the definition or the engine say stands."""
_NEXT: Mapping[ErrorClass, str] = {
    "transient": "give it time",
    "permission": "get the right that it asks for",
    "business": "put right what is wrong",
    "definition": "correct the workflow or what it calls",
    "policy": "ask whether the policy should allow it",
    "internal": "see whether the engine can work here",
}


def class_of(session: WorkflowSession, item: pytest.Item, attempt: Attempt) -> ErrorClass:
    """Return the class of what ended the attempt; asked and answered once for each."""
    if attempt.failure is None:
        attempt.failure = _judged(session, item, attempt)
    return attempt.failure.error_class


def show_failure(session: WorkflowSession, item: pytest.Item, attempt: Attempt, report: pytest.TestReport) -> None:
    """Put the engine's own block beneath what pytest shows of a step that failed."""
    run, planned = session.run_under_way(item), item.stash[PLANNED]
    if not report.failed or run is None or attempt.shown or conclude(attempt).outcome is not Outcome.FAILED:
        return
    attempt.shown = True
    step, error_class = planned.step.id, class_of(session, item, attempt)
    title = f"step {step}, attempt {run.attempt_of(step)}"
    if item.config.getoption("tbstyle", "auto") == "line":
        ways_on = session.ways_on
        line = f"{title}, {error_class}: {_evidence(ways_on.named(run), step)}; then {ways_on.going_on(run)}"
        setattr(report, REPORT_LINE, line)
        return
    details = None
    if item.config.get_verbosity() >= DETAILED:
        details = [line for last in session.told_by(run).attempts(step)[-1:] for line in told_of(last)]
    lines = list(_lines(session, run, step, attempt, error_class, said=report.longreprtext, details=details))
    _put_beneath(report, title, "\n".join(lines), raised=attempt.error is not None)


def _judged(session: WorkflowSession, item: pytest.Item, attempt: Attempt) -> Failure:
    if attempt.error is None:
        # Nothing was raised: its report, or what is missing of it, speaks against it.
        return Failure(type="", message=conclude(attempt).message, exit=None, error_class="business")
    failure = failure_of(attempt.error)
    planned = item.stash[PLANNED]
    heard = session.announcements.get(planned.workflow)
    run = session.run_under_way(item)
    if heard is None or run is None or failure.error_class not in _OPEN:
        return failure
    said = heard.classify(
        workflow=planned.workflow,
        run=run.id,
        step=planned.step.id,
        attempt=run.attempt_of(planned.step.id),
        error_type=failure.type,
        message=attempt.mask(failure.message),
        exit=failure.exit,
        error_class=failure.error_class,
    )
    return failure if said is None else failure.judged(said)


def _put_beneath(report: pytest.TestReport, title: str, text: str, *, raised: bool) -> None:
    add = getattr(report.longrepr, "addsection", None)
    if raised and add is not None:
        # Part of the traceback: `--show-capture` chooses among a report's own sections.
        cast("_AddSection", add)(title, text)
    else:
        report.sections.append((title, text))


class _AddSection(Protocol):
    def __call__(self, name: str, content: str) -> None: ...


def _lines(
    session: WorkflowSession,
    run: Run,
    step: StepId,
    attempt: Attempt,
    error_class: ErrorClass,
    *,
    said: str,
    details: Sequence[str] | None,
) -> Iterator[str]:
    happened = conclude(attempt).message
    if said.strip() != happened.strip():
        # A traceback shows where, and what it was at its very end, or not at all.
        yield f"failed    {_first_line(happened)}"
    yield f"class     {error_class}"
    for tried in attempt.tried:
        yield f"tried     {attempt.mask(tried)}"
    if details is not None and attempt.failure is not None:
        yield f"error     {attempt.failure.type or 'none was raised'}"
        yield f"log       {run.log_name}, behind record {run.head.seq}"
        yield from details
    yield f"evidence  {_evidence(session.ways_on.named(run), step)}"
    yield from after(_NEXT[error_class], session.ways_on.going_on(run))


def _evidence(named: str, step: StepId) -> str:
    return f"workflow-exec show {named} --step {shlex.quote(step)}"


def _first_line(text: str) -> str:
    first, _, more = text.partition("\n")
    return f"{first.removesuffix(':')} ..." if more else first
