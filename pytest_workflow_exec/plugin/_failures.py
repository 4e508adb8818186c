"""Why a step failed: its class, by the engine's own rules and whoever knows better, and what is shown of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from pytest_workflow_exec.model import ErrorClass, Outcome, Step
from pytest_workflow_exec.run import Failure, Run, failure_of

from ._attempt import Attempt, conclude
from ._keys import PLANNED
from ._run_end import shown_log
from ._session import WorkflowSession
from ._ways_on import going_on

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
_DETAILED = 2
"""The verbosity at which everything is shown."""


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
    error_class = class_of(session, item, attempt)
    detailed = item.config.get_verbosity() >= _DETAILED
    lines = _lines(run, planned.step, attempt, error_class, detailed=detailed)
    title = f"step {planned.step.id}, attempt {run.attempt_of(planned.step.id)}"
    report.sections.append((title, "\n".join(lines)))


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


def _lines(run: Run, step: Step, attempt: Attempt, error_class: ErrorClass, *, detailed: bool) -> Iterator[str]:
    yield f"class     {error_class}"
    for tried in attempt.tried:
        yield f"tried     {attempt.mask(tried)}"
    if detailed and attempt.failure is not None:
        yield f"error     {attempt.failure.type or 'none was raised'}"
        yield f"log       {shown_log(run)}, behind record {run.head.seq}"
    yield f"evidence  workflow-exec show {run.id}"
    yield f"next      {_NEXT[error_class]}, then {going_on(run)}"
