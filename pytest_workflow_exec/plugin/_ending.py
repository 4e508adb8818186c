"""From the first step of a session to its exit status: nothing that is missing ends in 0."""

from __future__ import annotations

from collections.abc import Generator, Iterable

import pytest

from pytest_workflow_exec.errors import EvidenceError, GateDeniedError, PreflightError

from ._finally import run_steps
from ._garbage import set_aside
from ._keys import SESSION
from ._order import restore_order, stop_after
from ._preparation import open_runs
from ._refusals import refusals_in_reports, refuse_bad_files, refuse_beside_errors, refuse_cut_plans
from ._runtest import close_runs
from ._session import WorkflowSession
from ._signals import ending_signals_interrupt
from ._until import read_until

_EVIDENCE_LOST = 3


def settle_items(workflows: WorkflowSession, items: list[pytest.Item]) -> None:
    """Put the steps back into plan order, and leave out those behind the last one that is to run.

    Raises:
        pytest.UsageError: An option names a step that does not exist.
    """
    restore_order(items)
    if workflows.problems or workflows.broken:
        # Nothing will run, and what is wrong with the files says more than a step that isn't there.
        return
    try:
        workflows.until = read_until(workflows)
    except PreflightError as error:
        raise pytest.UsageError(str(error)) from error
    stop_after(items, workflows.workflows, workflows.until)


def _show_plans(workflows: WorkflowSession, items: Iterable[pytest.Item]) -> bool:
    config = workflows.config
    if not (config.getoption("workflow_plan", False) or config.getoption("workflow_plan_json", False)):
        return False
    from ._plan import show_plans

    return show_plans(workflows, items)


def run_session(workflows: WorkflowSession, session: pytest.Session) -> Generator[None, object, object]:
    """Run pytest's loop over the items, between the checks before it and the last records after it."""
    with refusals_in_reports(workflows):
        refuse_bad_files(workflows)
    workflows.reached_loop = True
    if _show_plans(workflows, session.items):
        session.items.clear()
    if workflows.discovery or _refused_by_pytest(session):
        return (yield)
    with refusals_in_reports(workflows):
        refuse_beside_errors(workflows, session.items, session.testsfailed)
        restore_order(session.items)
        refuse_cut_plans(workflows, session.items)
    workflows.begin(session)
    set_aside()
    workflows.lines.open_screen()
    try:
        with ending_signals_interrupt():
            with refusals_in_reports(workflows):
                _open(workflows, session)
            return (yield from run_steps(workflows, session))
    finally:
        workflows.lines.live.close()
        close_runs(workflows)


def _refused_by_pytest(session: pytest.Session) -> bool:
    # pytest's own loop ends at once after errors in collection: no run is to be begun for that.
    return bool(session.testsfailed) and not session.config.getoption("continue_on_collection_errors", False)


def honest_status(config: pytest.Config, status: int | pytest.ExitCode | None) -> int | pytest.ExitCode | None:
    """Return the exit status that tells the truth about the session's workflows."""
    session = config.stash[SESSION]
    if session.evidence_error is not None:
        return _EVIDENCE_LOST
    if status not in (0, pytest.ExitCode.NO_TESTS_COLLECTED, None):
        return status
    if session.discovery:
        return 0 if session.shown else status
    never_began = session.files and not session.reached_loop
    return pytest.ExitCode.TESTS_FAILED if session.unfinished or never_began else status


def _open(workflows: WorkflowSession, session: pytest.Session) -> None:
    try:
        open_runs(workflows, session.items)
    except GateDeniedError as error:
        pytest.exit(f"nothing was run: {error}", returncode=int(pytest.ExitCode.TESTS_FAILED))
    except EvidenceError as error:
        workflows.evidence_error = str(error)
        pytest.exit(f"evidence can't be written: {error}", returncode=_EVIDENCE_LOST)
