"""Shorter ways through pytest than by three reports, for steps whose set-up and teardown have nothing to say.

A carried step is only reported: nothing is set up for it, called or torn down. Any other goes through all that pytest
does, in its order; its set-up and teardown are reported if something is wrong, or a fixture of the project had a part.
"""

from __future__ import annotations

import bdb
import inspect
import unittest
from collections.abc import Callable
from functools import partial
from typing import Literal

import pytest

from pytest_workflow_exec.errors import EvidenceError, WorkflowExecError
from pytest_workflow_exec.model import Call, Outcome

from ._attempt import EVERY_PHASE, Attempt
from ._keys import PLANNED
from ._runtest import evidence_or_exit
from ._session import WorkflowSession, attempt_of

_Way = Callable[[WorkflowSession, pytest.Item, pytest.Item | None, Attempt], None]
_THE_CALL = ("call",)
_BROKEN_OFF = (pytest.exit.Exception, KeyboardInterrupt)
_OURS = f"{__name__.partition('.')[0]}."
_NO_MISTAKES = (pytest.skip.Exception, unittest.SkipTest, bdb.BdbQuit)


def take_short_way(session: WorkflowSession, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Report a step that is carried, or run one; None if pytest has to go through it as through any item."""
    attempt = attempt_of(item)
    if attempt is None or attempt.admitted or not _stays_here(item, nextitem):
        return None
    if _is_carried(session, item):
        attempt.stand_in = Outcome.CARRIED
        attempt.phases = _THE_CALL if session.listeners.look_at_calls_alone else EVERY_PHASE
        way: _Way = _report_carried
    elif session.listeners.miss_no_phase and not _gets_request(item):
        attempt.phases = _THE_CALL
        way = _run
    else:
        return None
    hook, location = item.ihook, item.location
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=location)
    way(session, item, nextitem, attempt)
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=location)
    return True


def _gets_request(item: pytest.Item) -> bool:
    # With it, code of the project puts what it likes into the teardown.
    planned = item.stash[PLANNED]
    if planned.function is not None:
        # Among the names are those that its fixtures ask for.
        return "request" in item.fixturenames and "request" in inspect.signature(planned.function).parameters  # type: ignore[attr-defined]  # a function
    return isinstance(planned.step.body, Call) and "request" in planned.step.body.fixtures


def note_fixture(session: WorkflowSession, fixture: pytest.FixtureDef[object]) -> None:
    """Take note that a fixture is made: what one of the project says in its set-up and teardown is reported."""
    if not str(getattr(fixture.func, "__module__", "")).startswith(_OURS):
        for attempt in session.attempts.values():
            attempt.has_fixtures = True


def _is_carried(session: WorkflowSession, item: pytest.Item) -> bool:
    planned = item.stash[PLANNED]
    run = session.runs.get(planned.workflow)
    if run is None:
        return False
    with evidence_or_exit(session):
        try:
            return run.carries(planned.step)
        except EvidenceError:
            raise
        except WorkflowExecError:
            # Its setup is refused with the same words, as that of any step.
            return False


def _stays_here(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    # Whatever is left of a step before it belongs to the folders and files around it, which its runner tears down
    # before an item that stands in others, or at the end.
    ends = item.session.shouldfail or item.session.shouldstop
    return not ends and nextitem is not None and nextitem.parent is item.parent


def _report_carried(
    _session: WorkflowSession, item: pytest.Item, _nextitem: pytest.Item | None, attempt: Attempt
) -> None:
    for phase in attempt.phases:
        _report(item, _called(phase, _nothing))  # type: ignore[arg-type]  # a phase


def _nothing() -> None:
    return None


def _run(session: WorkflowSession, item: pytest.Item, nextitem: pytest.Item | None, attempt: Attempt) -> None:
    try:
        _run_phases(session, item, nextitem, attempt)
    finally:
        if isinstance(item, pytest.Function):
            # pytest keeps items to the end, and nobody needs what its fixtures gave.
            item.funcargs.clear()


def _run_phases(session: WorkflowSession, item: pytest.Item, nextitem: pytest.Item | None, attempt: Attempt) -> None:
    # No function of ours calls the hooks: it would stand in the tracebacks of what they raise.
    hook = item.ihook
    setup = _called("setup", partial(hook.pytest_runtest_setup, item=item))
    quiet = setup.excinfo is None and not attempt.has_fixtures
    if quiet or _report(item, setup).passed:
        _report(item, _called("call", partial(hook.pytest_runtest_call, item=item)))
    onward = nextitem if _stays_here(item, nextitem) else None
    teardown = _called("teardown", partial(hook.pytest_runtest_teardown, item=item, nextitem=onward))
    if onward is None or _would_be_missed(session, item, teardown, attempt):
        _report(item, teardown)


def _would_be_missed(
    session: WorkflowSession, item: pytest.Item, teardown: pytest.CallInfo[None], attempt: Attempt
) -> bool:
    if attempt.has_fixtures or teardown.excinfo is not None or attempt.error is not None:
        return True
    # Somebody may have come while the step was under way.
    return not session.listeners.miss_no_phase or _says_something(item, teardown)


def _says_something(item: pytest.Item, teardown: pytest.CallInfo[None]) -> bool:
    # Hooks of others put finalizers where they like, and what these print or log stands in this report alone.
    sections = pytest.TestReport.from_item_and_call(item, teardown).sections
    return any(title.endswith(" teardown") for title, _ in sections)


def _called(when: Literal["setup", "call", "teardown"], phase: Callable[[], None]) -> pytest.CallInfo[None]:
    return pytest.CallInfo.from_call(phase, when=when, reraise=_BROKEN_OFF)


def _report(item: pytest.Item, call: pytest.CallInfo[None]) -> pytest.TestReport:
    hook = item.ihook
    report: pytest.TestReport = hook.pytest_runtest_makereport(item=item, call=call)
    hook.pytest_runtest_logreport(report=report)
    if (
        call.excinfo is not None
        and not isinstance(call.excinfo.value, _NO_MISTAKES)
        and not hasattr(report, "wasxfail")
    ):
        # As pytest does with what it runs itself.
        hook.pytest_exception_interact(node=item, call=call, report=report)
    return report
