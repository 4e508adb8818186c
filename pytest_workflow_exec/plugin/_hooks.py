"""The hooks of a session with workflows. Each reads its arguments, calls one function, and returns."""

from __future__ import annotations

import warnings
from collections.abc import Generator, Mapping

import pytest

from ._asynchronous import await_body
from ._attachments import attach
from ._each import parametrize_each
from ._ending import honest_status, run_session, settle_items
from ._failures import show_failure
from ._function_items import plain_function
from ._keys import LISTS, PLANNED
from ._lines import plan_line
from ._planned import planned
from ._properties import describe
from ._runtest import admit_item, attempted, has_stand_in, judge_report, mask_warning, refuse_report, settle_report
from ._session import WorkflowSession
from ._short_ways import note_fixture, take_short_way
from ._waive import ruled_body

_Status = tuple[str, str, str | tuple[str, Mapping[str, bool]]]


class PlanHooks:
    """What the plugin does in every session that collects workflows, wherever their steps run."""

    def __init__(self, session: WorkflowSession) -> None:
        self._session = session

    def pytest_pycollect_makeitem(self, collector: pytest.Collector, name: str, obj: object) -> pytest.Item | None:
        """Make the item of a step that is a plain function."""
        return plain_function(self._session, collector, name, obj) if LISTS in collector.stash else None

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Make the cases of a step with `@each`."""
        parametrize_each(metafunc)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember workflow files that could not be imported, or skip themselves."""
        if not report.passed and report.nodeid in self._session.files:
            self._session.broken.append(f"{report.nodeid}: {'skips itself' if report.skipped else 'see above'}")

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> Generator[None, object, object]:
        """Undo every reordering of steps."""
        result = yield
        settle_items(self._session, items)
        return result

    def pytest_report_collectionfinish(self) -> list[str]:
        """Name each plan with its digest, and how far commands are confined."""
        return [plan_line(workflow) for workflow in self._session.workflows.values()]

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> _Status | None:
        """Say a step's outcome in our words."""
        return self._session.lines.status(report)

    @pytest.hookimpl(tryfirst=True, specname="pytest_terminal_summary")
    def pytest_lines_of_failures(self) -> None:
        """Put our lines beneath those that pytest shows of failures."""
        self._session.lines.failures()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self) -> Generator[None, object, object]:
        """List the blocked steps below pytest's own short summary."""
        # In whichever way the summary ends: another plugin may break it off.
        try:
            return (yield)
        finally:
            self._session.lines.blocked(self._session.blocked)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Let the exit status tell the truth, and end with the evidence."""
        self._session.lines.summarising = True
        session.exitstatus = honest_status(session.config, session.exitstatus) or session.exitstatus
        if self._session.share is not None:
            self._session.share.hand_in(self._session)
        try:
            return (yield)
        finally:
            if self._session.summary is not None:
                self._session.summary.write()
            self._session.lines.last_words(self._session.ends.values(), lost=self._session.evidence_error)


class SessionHooks(PlanHooks):
    """What the plugin does where the steps run."""

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        """Check everything, start the runs, and end them whatever happens."""
        if self._session.share is not None:
            return (yield from self._session.share.run(self._session, session))
        return (yield from run_session(self._session, session))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        """Follow each step from its start to its end."""
        if planned(item) is None or self._session.discovery:
            return (yield)
        return (yield from attempted(self._session, item))

    @pytest.hookimpl(tryfirst=True, specname="pytest_runtest_protocol")
    def pytest_take_short_way(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Go through a step whose set-up and teardown nobody would miss in the reports."""
        return take_short_way(self._session, item, nextitem)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Begin a step's line."""
        self._session.start_line(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Stop a step whose turn it is not, before any fixture of it is made."""
        if planned(item) is not None and not self._session.discovery:
            admit_item(self._session, item)

    @pytest.hookimpl(tryfirst=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[object]) -> None:
        """Take note of the fixtures that are made for steps."""
        note_fixture(self._session, fixturedef)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_pyfunc_call(self, pyfuncitem: pytest.Function) -> Generator[None, object, object]:
        """Stop a body that was reached on another way."""
        if PLANNED not in pyfuncitem.stash:
            return (yield)
        return (yield from ruled_body(self._session, pyfuncitem))

    @pytest.hookimpl(specname="pytest_pyfunc_call")
    def pytest_await_body(self, pyfuncitem: pytest.Function) -> bool | None:
        """Run an `async def` step that no plugin of the project has taken."""
        return await_body(pyfuncitem) if PLANNED in pyfuncitem.stash else None

    # pytest takes only methods of that prefix for hooks, whatever hook they name.
    @pytest.hookimpl(tryfirst=True, specname="pytest_pyfunc_call")
    def pytest_hold_back_body(self, pyfuncitem: pytest.Function) -> bool | None:
        """Keep the body of a step from running that does not apply or is carried."""
        return True if has_stand_in(pyfuncitem) else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Turn a step's skips into failures, whatever other plugins made of its report."""
        report = yield
        step = planned(item)
        if step is None or self._session.discovery:
            return report
        attempt = self._session.attempts.get(item.nodeid)
        if attempt is None:
            refuse_report(report)
        else:
            run = self._session.runs.get(step.workflow)
            settle_report(attempt, call, report, run)
            if report.failed:
                show_failure(self._session, item, attempt, report)
            if run is not None:
                describe(report, attempt, run, step.step.id)
                if self._session.attaches:
                    attach(item.config, report, run, step.step.id, self._session.told_by(run))
            if self._session.share is not None:
                self._session.share.tell(self._session, report)
        return report

    @pytest.hookimpl(wrapper=True, trylast=True, specname="pytest_runtest_makereport")
    def pytest_makereport_for_others(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Do so before other plugins look at the report, too: allure takes a step's status from it."""
        report = yield
        attempt = self._session.attempts.get(item.nodeid)
        # To them, a step that does not apply or is carried is skipped: nothing of it was run.
        if attempt is not None and attempt.stand_in is None:
            judge_report(attempt, call, report, self._session.run_under_way(item))
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_warning_recorded(self, warning_message: warnings.WarningMessage) -> None:
        """Take secrets out of a warning before pytest keeps it for its summary."""
        mask_warning(self._session, warning_message)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        """Keep every report of a step, and let nothing be drawn while others write of it."""
        self._session.note_report(report)
        lines = self._session.lines
        if not lines.live.shows:
            result = yield
        else:
            if report.when != "setup" or report.failed:
                lines.live.end()
            with lines.live.hidden():
                result = yield
        if not lines.own_lines:
            lines.note_letter(report)
        return result

    def pytest_enter_pdb(self) -> None:
        """Let nothing be drawn while somebody looks for a mistake."""
        self._session.lines.live.end()
