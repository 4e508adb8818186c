"""A carried step's way through pytest: reported like any other, but nothing is set up for it, called or torn down."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.errors import EvidenceError, WorkflowExecError
from pytest_workflow_exec.model import Outcome

from ._attempt import EVERY_PHASE
from ._keys import PLANNED
from ._runtest import evidence_or_exit
from ._session import WorkflowSession, attempt_of


def report_carried(session: WorkflowSession, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Report a step as carried if it is; None if pytest has to go through it, or to hear why it may not be run."""
    attempt = attempt_of(item)
    if attempt is None or attempt.admitted or not _stays_here(item, nextitem) or not _is_carried(session, item):
        return None
    attempt.stand_in = Outcome.CARRIED
    attempt.phases = _THE_CALL if session.listeners.look_at_calls_alone else EVERY_PHASE
    hook = item.ihook
    hook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for phase in attempt.phases:
        hook.pytest_runtest_logreport(report=hook.pytest_runtest_makereport(item=item, call=_call(phase)))
    hook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


_THE_CALL = ("call",)


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


def _call(when: str) -> pytest.CallInfo[None]:
    return pytest.CallInfo.from_call(_nothing, when=when, reraise=_BROKEN_OFF)  # type: ignore[arg-type]  # a phase


def _nothing() -> None:
    return None


_BROKEN_OFF = (pytest.exit.Exception, KeyboardInterrupt)
