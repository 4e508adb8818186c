"""What the controller sees of the steps: reports from workers, one line for each step, and what a crash leaves behind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

import pytest

from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.progress import Several

from .._keys import PLANNED
from .._lines import REPORT_LOG, REPORT_OUTCOME, REPORT_SAID, whose
from .._planned import PlannedItem
from .._run_end import RunEnd
from .._session import WorkflowSession

_CRASH = "???"
"""The phase that pytest-xdist gives to its report of an item that went down with its worker."""


class Watch:
    """The steps of a session as their reports come in."""

    def __init__(self, session: WorkflowSession) -> None:
        self._session = session
        self._steps: dict[str, PlannedItem] = {}
        self._standing: dict[str, Outcome] = {}
        """The outcome of each step so far: the first that is not satisfied stays."""
        self._seconds: dict[str, float] = {}
        self._logs: dict[str, str] = {}
        """Where the evidence of each workflow is, as far as it is known."""
        self._shown: Several | None = None
        self._lost: dict[str, Sequence[str]] = {}
        """By the step that went down with its worker: the steps that nobody will run any more."""

    def follow(self, items: Iterable[pytest.Item]) -> None:
        """Take note of which item is which step."""
        self._steps = {item.nodeid: item.stash[PLANNED] for item in items if PLANNED in item.stash}

    def is_step(self, nodeid: str) -> bool:
        """Return whether an item is a step of a workflow."""
        return nodeid in self._steps

    def open_ends(self) -> Iterator[RunEnd]:
        """Give the ends of the workflows whose workers did not live to tell them."""
        for name in sorted(self._session.awaited - self._session.ends.keys()):
            lines = [f"workflow {name}: NOT passed, it has no end: its worker went down, or never began it"]
            lines += [f"evidence {self._logs[name]}"] if name in self._logs else []
            yield RunEnd(workflow=name, fulfilled=False, lines=tuple(lines))

    def lose(self, nodeids: Sequence[str]) -> None:
        """Take note of a workflow's steps that no worker will end: the first was under way."""
        self._lost[nodeids[0]] = nodeids[1:]

    def begin(self, nodeid: str) -> None:
        """Show a step that a worker has begun."""
        step = self._steps.get(nodeid)
        if step is not None and self._shown is not None:
            self._stand(self._shown)
            self._shown.enter(nodeid, whose(step, self._session.workflows[step.workflow]))

    @contextmanager
    def showing(self) -> Iterator[None]:
        """Show what goes on in workers as long as the context lasts."""
        self._shown = self._session.lines.open_for_workers()
        try:
            yield
        finally:
            self._shown.close()

    def before(self, report: pytest.TestReport) -> None:
        """Look at a report before anybody else does."""
        for line in getattr(report, REPORT_SAID, ()):
            self._session.lines.say(str(line))
        if report.nodeid not in self._steps or self._session.discovery:
            return
        if report.when == _CRASH:
            setattr(report, REPORT_OUTCOME, Outcome.FAILED.value)
            report.longrepr = f"{report.longrepr}; what it did is unknown, see the evidence"
        log = getattr(report, REPORT_LOG, None)
        if log is not None:
            self._logs[self._steps[report.nodeid].workflow] = str(log)
        outcome = Outcome(getattr(report, REPORT_OUTCOME, Outcome.FAILED.value))
        if report.nodeid not in self._standing or self._standing[report.nodeid].satisfies:
            self._standing[report.nodeid] = outcome
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        if outcome is Outcome.BLOCKED:
            self._session.blocked.append((report.nodeid, str(report.longrepr)))
            self._forgive(report)

    def after(self, report: pytest.TestReport) -> None:
        """Write the step's line after its last report, and block what was lost with it."""
        step, lines = self._steps.get(report.nodeid), self._session.lines
        if step is None or not lines.own_lines:
            lines.note_letter(report)
        if self._shown is not None:
            self._stand(self._shown)
        if step is None or self._session.discovery:
            return
        if report.when in ("teardown", _CRASH) and self._shown is not None:
            self._shown.leave(report.nodeid)
        if report.when in ("teardown", _CRASH):
            workflow = self._session.workflows[step.workflow]
            lines.whole(step, workflow, self._standing[report.nodeid], self._seconds[report.nodeid])
        if report.when == _CRASH:
            for nodeid in self._lost.pop(report.nodeid, ()):
                self._block(nodeid, because=step.step.id)

    def _stand(self, shown: Several) -> None:
        lines = self._session.lines
        shown.stand(in_line=lines.letters or not lines.own_lines)

    def _block(self, nodeid: str, *, because: str) -> None:
        for when in ("setup", "teardown"):
            report = pytest.TestReport(
                nodeid=nodeid,
                location=(nodeid.split("::", 1)[0], None, nodeid),
                keywords={},
                outcome="failed" if when == "setup" else "passed",
                longrepr=f"waits for {because} (effect unknown)" if when == "setup" else None,
                when=when,
            )
            setattr(report, REPORT_OUTCOME, Outcome.BLOCKED.value if when == "setup" else Outcome.PASSED.value)
            self._session.config.hook.pytest_runtest_logreport(report=report)

    def _forgive(self, report: pytest.TestReport) -> None:
        # pytest and pytest-xdist are about to count it; one real failure would otherwise use up --maxfail
        # for other workflows by blocking the rest of its own.
        self._session.pytest_session.testsfailed -= 1
        distribution = self._session.config.pluginmanager.get_plugin("dsession")
        if distribution is not None and hasattr(report, "node"):
            distribution.countfailures -= 1
