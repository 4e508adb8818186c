"""From the first step of a session to its exit status: nothing that is missing ends in 0."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pytest_workflow_exec.errors import EvidenceError

from ._keys import SESSION
from ._order import restore_order
from ._preparation import open_runs, refuse_bad_files, refuse_cut_plans
from ._runtest import close_runs
from ._session import WorkflowSession
from ._signals import ending_signals_interrupt

_EVIDENCE_LOST = 3


def run_session(workflows: WorkflowSession, session: pytest.Session) -> Generator[None, object, object]:
    """Run pytest's loop over the items, between the checks before it and the last records after it."""
    refuse_bad_files(workflows)
    workflows.reached_loop = True
    if workflows.discovery:
        return (yield)
    restore_order(session.items)
    refuse_cut_plans(workflows, session.items)
    workflows.begin(session)
    try:
        with ending_signals_interrupt():
            _open(workflows, session)
            return (yield)
    except BaseException:
        workflows.interrupted = True
        raise
    finally:
        close_runs(workflows)


def honest_status(config: pytest.Config, status: int | pytest.ExitCode | None) -> int | pytest.ExitCode | None:
    """Return the exit status that tells the truth about the session's workflows."""
    session = config.stash[SESSION]
    if session.evidence_error is not None:
        return _EVIDENCE_LOST
    if status not in (0, pytest.ExitCode.NO_TESTS_COLLECTED, None) or session.discovery:
        return status
    unfinished = any(not run.state.complete for run in session.runs.values())
    never_began = session.files and not session.reached_loop
    return pytest.ExitCode.TESTS_FAILED if unfinished or never_began else status


def _open(workflows: WorkflowSession, session: pytest.Session) -> None:
    try:
        open_runs(workflows, session.items)
    except EvidenceError as error:
        workflows.evidence_error = str(error)
        pytest.exit(f"evidence can't be written: {error}", returncode=_EVIDENCE_LOST)
