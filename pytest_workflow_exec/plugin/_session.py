"""The workflows of one pytest session: what was collected, what is wrong with it, which runs are under way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from functools import cached_property
from typing import TYPE_CHECKING

import pytest

from pytest_workflow_exec.errors import Problem, WorkflowExecError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Outcome, StepId, Workflow
from pytest_workflow_exec.run import Confirm, Run

from ._announcements import Announcements
from ._attachments import Told, is_wanted
from ._attempt import Attempt
from ._keys import PLANNED, SESSION
from ._lines import REPORT_OUTCOME, StepLines
from ._listeners import Listeners
from ._minutes import Minutes
from ._planned import PlannedItem
from ._run_end import RunEnd
from ._ways_on import WaysOn

if TYPE_CHECKING:
    from pytest_workflow_exec.ai import Asker, Purse

    from ._summary import SummaryHooks
    from ._workers import WorkerShare

HOOKS_NAME = "workflow_exec_session"


_LOOKING = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")
_PLANNING = ("workflow_plan", "workflow_plan_json")


@dataclass
class WorkflowSession:
    """The workflows of one pytest session."""

    config: pytest.Config
    workflows: dict[str, Workflow] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    """What is wrong with workflow files; one is enough for no step of any workflow to run."""
    broken: list[str] = field(default_factory=list)
    """Workflow files that pytest could not import, or that skip themselves, with what is wrong."""
    files: set[str] = field(default_factory=set)
    """Node ids of workflow files."""
    runs: dict[str, Run] = field(default_factory=dict)
    announcements: dict[str, Announcements] = field(default_factory=dict)
    """What tells other plugins of the runs."""
    minutes: dict[str, Minutes] = field(default_factory=dict)
    """What the closing lines tell of the runs besides how they ended."""
    askers: dict[str, Asker] = field(default_factory=dict)
    """What asks models for the steps of each run, as far as any did."""
    purse: Purse | None = None
    """What they may spend together; None before the first one asks."""
    ai_news: str = ""
    """How far the model has come that is asked at the moment."""
    annotations: dict[str, dict[StepId, object]] = field(default_factory=dict)
    attempts: dict[str, Attempt] = field(default_factory=dict)
    """The steps under way, by node id: gone at their end, as pytest keeps items, and their stashes, to its own."""
    blocked: list[tuple[str, str]] = field(default_factory=list)
    """Node ids of the steps that never ran, and what they waited for."""
    until: dict[str, StepId] = field(default_factory=dict)
    """The last step to run of each workflow that is to stop early."""
    interrupted: bool = False
    broken_off: pytest.Item | None = None
    """The step that an interrupt struck; its fixtures are still in place."""
    shown: bool = False
    """Whether plans were shown instead of run."""
    reached_loop: bool = False
    """Whether pytest got as far as running items."""
    ends: dict[str, RunEnd] = field(default_factory=dict)
    """How the runs ended, as far as they have."""
    awaited: set[str] = field(default_factory=set)
    """The workflows that were to run."""
    summary: SummaryHooks | None = None
    """What writes a summary of the session; None if none is wanted."""
    share: WorkerShare | None = None
    """What this process may run, if it is one of several workers."""
    witness: Confirm | None = None
    """Confirms each barrier of the runs; None if nobody supervises them."""
    evidence_error: str | None = None
    """Why evidence can't be written; the session ends with exit status 3."""

    def __post_init__(self) -> None:
        """Give the session its lines on the terminal."""
        self.lines = StepLines(self.config)
        self.listeners = Listeners(self.config)
        self.ways_on = WaysOn.of(self.config)
        self.pytest_session: pytest.Session
        self._planned: dict[str, PlannedItem] = {}
        self._told: dict[str, Told] = {}

    def told_by(self, run: Run) -> Told:
        """Return what the log of a run says of its steps."""
        if run.id not in self._told:
            self._told[run.id] = Told(run)
        return self._told[run.id]

    @property
    def unfinished(self) -> bool:
        """Whether a workflow that was to run is not known to have done all that was asked."""
        return any(name not in self.ends or not self.ends[name].fulfilled for name in self.awaited)

    @cached_property
    def discovery(self) -> bool:
        """Whether the session only looks: nothing may be run, locked or made. Asked four times for each step."""
        return self._has_any(_LOOKING) or self._has_any(_PLANNING)

    @cached_property
    def attaches(self) -> bool:
        """Whether there are pages to which the evidence of steps is attached."""
        return is_wanted(self.config)

    @property
    def only_looks(self) -> bool:
        """Whether not even a plan is wanted: what needs a value that nobody gave may stay open."""
        return self._has_any(_LOOKING) and not self._has_any(_PLANNING)

    def _has_any(self, options: Iterable[str]) -> bool:
        return any(self.config.getoption(option, False) for option in options)

    def add(self, workflow: Workflow) -> bool:
        """Take a workflow in; False if another file of the session has its name."""
        other = self.workflows.setdefault(workflow.name, workflow)
        if other is workflow:
            return True
        message = f"another workflow of this session is also called {workflow.name!r}: {other.file}"
        self.problems.append(Problem(path=workflow.file, message=message))
        return False

    def begin(self, session: pytest.Session) -> None:
        """Take note of the session's items, which from now on stay as they are."""
        self.pytest_session = session
        self._planned = {item.nodeid: item.stash[PLANNED] for item in session.items if PLANNED in item.stash}

    def note_end(self, run: Run) -> None:
        """Take note of how a run ended that is closed."""
        heard, minutes = self.announcements.get(run.workflow.name), self.minutes.get(run.workflow.name)
        self.ends[run.workflow.name] = RunEnd.of(
            run,
            self.ways_on,
            minutes=() if minutes is None else minutes.lines,
            warnings=() if heard is None else heard.warnings,
        )

    def run_under_way(self, item: pytest.Item) -> Run | None:
        """Return the run that the item's step belongs to; None before it has begun."""
        return self.runs.get(item.stash[PLANNED].workflow)

    def start_line(self, nodeid: str) -> None:
        """Begin the line of the item with that node id."""
        step = self._planned.get(nodeid)
        self.lines.start(step, None if step is None else self.workflows[step.workflow])

    def note_report(self, report: pytest.TestReport) -> None:
        """Keep a report of a step; a blocked one does not count against `--maxfail`."""
        attempt = self.attempts.get(report.nodeid)
        if attempt is None:
            return
        attempt.reports.append(report)
        if report.failed and getattr(report, REPORT_OUTCOME, None) == Outcome.BLOCKED.value:
            # pytest is about to count it; one real failure would otherwise use up --maxfail
            # for other workflows by blocking the rest of its own.
            self.pytest_session.testsfailed -= 1


def session_of(config: pytest.Config) -> WorkflowSession:
    """Return the session's workflows; the first call lets the plugin take part in the session."""
    if SESSION not in config.stash:
        from ._hooks import SessionHooks

        config.stash[SESSION] = session = WorkflowSession(config)
        if hasattr(config, "workerinput"):
            from ._workers import WorkerShare

            session.share = WorkerShare.of(config)
        # Registered now, during collection, so that these wrappers are around those of plugins
        # that were there from the start: what pytest's cacheprovider reorders, they see last.
        config.pluginmanager.register(SessionHooks(session), HOOKS_NAME)
        from ._summary import follow

        follow(session)
    return config.stash[SESSION]


def attempt_of(item: pytest.Item) -> Attempt | None:
    """Return what was seen so far of an item that pytest is running; None for any other."""
    return item.config.stash[SESSION].attempts.get(item.nodeid)


def run_of(item: pytest.Item) -> Run:
    """Return the run that the item's workflow is under way in.

    Raises:
        WorkflowExecError: Its workflow is not under way.
        StepOrderError: An earlier step found that it can't be.
        EvidenceError: It was to begin now, and evidence can't be written.
    """
    step = item.stash[PLANNED]
    session = item.config.stash[SESSION]
    run = session.runs.get(step.workflow)
    if run is None and session.share is not None:
        return session.share.begin(session, step)
    if run is None:
        message = f"workflow {step.workflow!r} is not under way; a step runs only as part of it"
        raise WorkflowExecError(message)
    return run
