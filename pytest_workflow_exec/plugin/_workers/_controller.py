"""The controller of a session with workers: it reads the plans, checks them, hands out workflows, and believes nothing."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from tempfile import TemporaryDirectory
from typing import Protocol

import pytest

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.model import Workflow

from .._hooks import PlanHooks
from .._keys import PLANNED, SESSION
from .._plan import show_plans
from .._preparation import check_runs
from .._refusals import refusals_in_reports, refuse_bad_files, refuse_beside_errors, refuse_cut_plans
from .._session import HOOKS_NAME, WorkflowSession
from .._signals import ending_signals_interrupt
from .._summary import follow
from ._arguments import workflow_arguments
from ._messages import COSTS_KEY, KEY, Handover
from ._processes import Gateway, WorkerProcesses
from ._scheduler import Node, UnitScheduler
from ._watch import Watch

_NO_TERMINAL = "a worker of pytest-xdist has none: add -n0"


def conduct(session: pytest.Session) -> None:
    """Take over the distribution of a session whose command line names workflows; otherwise do nothing.

    Called before pytest-xdist starts its workers.
    """
    config = session.config
    if not (arguments := workflow_arguments(config)):
        return
    workflows = WorkflowSession(config)
    config.stash[SESSION] = workflows
    config.pluginmanager.register(Controller(workflows, session, arguments), HOOKS_NAME)
    follow(workflows)


class _Spec(Protocol):
    @property
    def popen(self) -> bool: ...


class _Worker(Node, Protocol):
    workerinput: dict[str, object]


class Controller(PlanHooks):
    """What the plugin does in the process that hands out the work."""

    def __init__(self, workflows: WorkflowSession, session: pytest.Session, arguments: Sequence[str]) -> None:
        super().__init__(workflows)
        self._arguments, self._pytest_session = arguments, session
        self._refusal: pytest.UsageError | None = None
        self._chosen: list[Workflow] = []
        self._watch = Watch(workflows)
        self._processes = WorkerProcesses(workflows.config)
        self._workers = 0
        self._scheduler: UnitScheduler | None = None
        self._costs: TemporaryDirectory[str] | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Refuse now: reports of the refusal can be written only once the session has begun."""
        self._session.reached_loop = True
        if self._session.evidence_error is not None:
            pytest.exit(f"evidence can't be written: {self._session.evidence_error}", returncode=3)
        if self._refusal is not None:
            with refusals_in_reports(self._session):
                raise self._refusal

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self) -> Generator[None, object, object]:
        """Let an interrupt reach the workers, and wait until they have ended in order."""
        with ending_signals_interrupt(), self._watch.showing():
            try:
                return (yield)
            except (KeyboardInterrupt, pytest.exit.Exception):
                if self._scheduler is not None:
                    self._scheduler.halt()
                self._processes.interrupt()
                raise

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_newgateway(self, gateway: Gateway) -> None:
        """Take note of a worker's process."""
        self._processes.add(gateway)

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_setupnodes(self, specs: Sequence[_Spec]) -> None:
        """Collect the workflows and check all that can be known, before any worker is started.

        A refusal that has to be in a report is kept until there can be one.
        """
        self._workers = len(specs)
        session = self._pytest_session
        try:
            session.perform_collect(self._arguments)
            self._watch.follow(session.items)
            _refuse_other_machines(specs)
            self._check(session)
        except pytest.UsageError as refusal:
            if not session.config.getoption("xmlpath", None):
                raise
            self._refusal = refusal
        except EvidenceError as error:
            self._session.evidence_error = str(error)

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: _Worker) -> None:
        """Tell a worker which plans were checked, and where it notes what it spends."""
        node.workerinput[KEY] = {workflow.name: workflow.digest for workflow in self._chosen}
        if self._chosen and self._session.config.getoption("workflow_ai_budget") is not None:
            self._costs = self._costs or TemporaryDirectory(prefix="workflow-exec-costs-")
            node.workerinput[COSTS_KEY] = self._costs.name

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_xdist_make_scheduler(self) -> UnitScheduler:
        """Hand out whole workflows, whatever `--dist` says."""
        self._scheduler = UnitScheduler(
            self._session.config, workers=self._workers, workflows=self._planned(), lose=self._watch.lose
        )
        return self._scheduler

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self) -> None:
        """Refuse if anything that was named could not be collected: it may have held a workflow."""
        if not self._chosen or self._scheduler is None or self._scheduler.begun:
            return
        session = self._session.pytest_session
        with refusals_in_reports(self._session):
            refuse_beside_errors(self._session, session.items, session.testsfailed)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logstart(self, nodeid: str) -> Generator[None, object, object]:
        """Show that a worker has begun a step; with `-v` pytest has begun a line then."""
        with self._session.lines.live.hidden():
            result = yield
            self._watch.begin(nodeid)
            return result

    @pytest.hookimpl(wrapper=True, tryfirst=True, optionalhook=True)
    def pytest_testnodedown(self, node: _Worker, error: object | None) -> Generator[None, object, object]:
        """Take over what a worker knows about its workflows when it ends."""
        with self._session.lines.live.hidden():
            self._take_over(node, error)
            return (yield)

    def _take_over(self, node: _Worker, error: object | None) -> None:
        handover = Handover.from_data(getattr(node, "workeroutput", {}).get(KEY))
        self._session.ends.update({end.workflow: end for end in handover.ends})
        self._session.evidence_error = self._session.evidence_error or handover.evidence_error
        for line in handover.said:
            self._session.lines.say(line)
        if error is None and self._scheduler is not None:
            self._scheduler.retire(node)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, object, object]:
        """Let the exit status tell the truth, and name what has no end."""
        self._session.ends.update({end.workflow: end for end in self._watch.open_ends()})
        try:
            return (yield from super().pytest_sessionfinish(session))
        finally:
            if self._costs is not None:
                self._costs.cleanup()

    @pytest.hookimpl(tryfirst=True, optionalhook=True)
    def pytest_handlecrashitem(self, crashitem: str) -> bool | None:
        """Keep a step that went down with its worker from being run again: what it did is unknown."""
        return True if self._watch.is_step(crashitem) else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> Generator[None, object, object]:
        """Show how far each step is; one that went down with its worker blocks the rest."""
        with self._session.lines.live.hidden():
            self._watch.before(report)
            result = yield
            self._watch.after(report)
            return result

    def _check(self, session: pytest.Session) -> None:
        workflows, config = self._session, self._session.config
        workflows.begin(session)
        refuse_bad_files(workflows)
        if show_plans(workflows, session.items) or workflows.discovery:
            return
        refuse_beside_errors(workflows, session.items, session.testsfailed)
        if config.getoption("dist") == "each":
            raise pytest.UsageError("--dist each would run every step once in each worker: leave it away, or add -n0")
        refuse_cut_plans(workflows, session.items)
        self._chosen = check_runs(workflows, session.items, terminal_problem=_NO_TERMINAL)

    def _planned(self) -> Mapping[str, Sequence[str]]:
        chosen = {workflow.name for workflow in self._chosen}
        planned: dict[str, list[str]] = {}
        for item in self._session.pytest_session.items:
            if item.stash[PLANNED].workflow in chosen:
                planned.setdefault(item.nodeid.split("::", 1)[0], []).append(item.nodeid)
        return planned


def _refuse_other_machines(specs: Sequence[_Spec]) -> None:
    if any(not spec.popen for spec in specs):
        raise pytest.UsageError("workflows run only on this machine: leave --tx away, or add -n0")
