"""A worker's share: the workflows that were handed to it, begun when their first step comes."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import field
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import StepOrderError, WorkflowExecError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run import Run

from .._finally import run_steps
from .._lines import REPORT_SAID
from .._order import cuts
from .._planned import PlannedItem
from .._preparation import open_run
from .._runtest import close_run, close_runs
from .._session import WorkflowSession
from .._signals import ending_signals_interrupt
from ._messages import COSTS_KEY, KEY, Handover


@dataclass
class WorkerShare:
    """What this worker may run: nothing that the controller has not seen and checked."""

    plans: Mapping[str, str]
    """The digests of the plans that the controller checked, by workflow."""
    costs: Path | None = None
    """Where workers note what they spend on models; None if there is no budget."""
    _refused: dict[str, StepId] = field(default_factory=dict)
    """The step at which each workflow that can't be begun was refused."""

    @classmethod
    def of(cls, config: pytest.Config) -> WorkerShare | None:
        """Return the share of this process; None if it is no worker."""
        given = getattr(config, "workerinput", None)
        if given is None:
            return None
        costs = given.get(COSTS_KEY)
        return cls(plans=given.get(KEY, {}), costs=None if costs is None else Path(costs))

    def begin(self, session: WorkflowSession, step: PlannedItem) -> Run:
        """Return the run that the step belongs to, newly begun.

        Raises:
            StepOrderError: It could not be begun at an earlier step.
            WorkflowExecError: It can't be begun.
            EvidenceError: Evidence can't be written.
        """
        name = step.workflow
        if name in self._refused:
            raise StepOrderError(step=step.step.id, waiting_for=self._refused[name], because="could not begin")
        try:
            return self._begun(session, name)
        except WorkflowExecError:
            self._refused[name] = step.step.id
            raise

    def end(self, session: WorkflowSession, step: PlannedItem) -> None:
        """Close the run of a workflow whose last step has ended: what comes after it in this worker can't touch it."""
        last = session.until.get(step.workflow) or session.workflows[step.workflow].steps[-1].id
        if step.step.id == last and step.workflow in session.runs:
            close_run(session, session.runs[step.workflow])

    def run(self, session: WorkflowSession, pytest_session: pytest.Session) -> Generator[None, object, object]:
        """Run what the controller hands to this worker."""
        session.reached_loop = True
        if session.discovery:
            return (yield)
        session.begin(pytest_session)
        try:
            # The terminal and the controller both tell of one and the same Ctrl-C.
            with ending_signals_interrupt(unless=lambda: session.interrupted):
                return (yield from run_steps(session, pytest_session))
        finally:
            close_runs(session)

    def announce(self, item: pytest.Item) -> None:
        """Let pytest-xdist know which item runs, when it is not its own loop that runs it: it sends reports by place."""
        for plugin in item.config.pluginmanager.get_plugins():
            if hasattr(plugin, "item_index") and hasattr(plugin, "torun"):
                plugin.item_index = item.session.items.index(item)

    def tell(self, session: WorkflowSession, report: pytest.TestReport) -> None:
        """Let a report take along what nobody could be shown so far."""
        setattr(report, REPORT_SAID, list(session.lines.unsaid))
        session.lines.unsaid.clear()

    def hand_in(self, session: WorkflowSession) -> None:
        """Give the controller what it has to know, when this worker ends."""
        session.config.workeroutput[KEY] = Handover(  # type: ignore[attr-defined]  # pytest-xdist's own
            ends=tuple(session.ends.values()),
            evidence_error=session.evidence_error,
            said=tuple(session.lines.unsaid),
        ).to_data()

    def _begun(self, session: WorkflowSession, name: str) -> Run:
        workflow = session.workflows[name]
        problems = [str(problem) for problem in session.problems] + session.broken
        problems += cuts(session.pytest_session.items, session.workflows, session.until)
        if problems:
            raise WorkflowExecError("; ".join(problems))
        if self.plans.get(name) != workflow.digest:
            message = f"workflow {name!r} changed since it was checked; run again"
            raise WorkflowExecError(message)
        return open_run(session, workflow)
