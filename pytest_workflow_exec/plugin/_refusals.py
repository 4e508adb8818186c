"""What keeps a session's workflows from running: bad files, cut plans, what could not be collected; said in reports, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import pytest

from pytest_workflow_exec.errors import Problem
from pytest_workflow_exec.lean_dataclasses import replace

from ._excerpts import MAX_EXCERPTS, excerpt
from ._order import cuts
from ._planned import planned
from ._session import WorkflowSession

_NODE = "workflow-exec"
_UNFIT = {
    "setuponly": "--setup-only runs no step's body",
    "force_reruns": "--force-reruns runs each step again, and a step is attempted again only by its own retry",
    "force_flaky": "--force-flaky runs each step again, and a step is attempted again only by its own retry",
    "forked": "--forked runs each step in a process of its own, which sees nothing of the others",
}
_WAYS_ON = (
    "A workflow runs whole or not at all: take the selection off, or name nothing but the file or its folder. "
    "To stop early, say --workflow-until STEP."
)


def refuse_bad_files(session: WorkflowSession) -> None:
    """Return if every workflow file is a workflow.

    Raises:
        pytest.UsageError: One is not; lists all that is wrong.
    """
    lines: list[str] = []
    for number, problem in enumerate(session.problems):
        lines.append(placed(problem, session.config))
        lines += [f"    {line}" for line in excerpt(problem)] if number < MAX_EXCERPTS else []
    lines += session.broken
    if lines:
        raise pytest.UsageError(listed("no workflow runs, because a workflow file can't be used:", lines))


def refuse_cut_plans(session: WorkflowSession, items: Iterable[pytest.Item]) -> None:
    """Return if every workflow that runs at all runs whole.

    Raises:
        pytest.UsageError: One would not; names the steps left out.
    """
    config = session.config
    lines = cuts(items, session.workflows, session.until)
    if running(session, items):
        lines += [what for option, what in _UNFIT.items() if config.getoption(option, False)]
    if lines:
        raise pytest.UsageError(listed("the plan is cut, so nothing was run:", [*lines, _WAYS_ON]))


def refuse_beside_errors(session: WorkflowSession, items: Iterable[pytest.Item], failed: int) -> None:
    """Return if everything could be collected, or no step is selected.

    Args:
        session: The workflows.
        items: What is selected.
        failed: How many collectors failed.

    Raises:
        pytest.UsageError: Something could not be collected; it may have held a workflow.
    """
    if failed and running(session, items):
        raise pytest.UsageError("no workflow runs, because something that was named could not be collected, see above")


def running(session: WorkflowSession, items: Iterable[pytest.Item]) -> list[str]:
    """Return the names of the workflows with steps among the items."""
    selected = {step.workflow for item in items if (step := planned(item)) is not None}
    return [name for name in session.workflows if name in selected]


def placed(problem: Problem, config: pytest.Config) -> str:
    """Return a problem with its place as seen from where pytest was started."""
    here = config.invocation_params.dir
    if problem.path is not None and problem.path.is_relative_to(here):
        problem = replace(problem, path=problem.path.relative_to(here))
    return str(problem)


def listed(title: str, lines: Iterable[object]) -> str:
    """Return a message with a line for each thing."""
    return "\n".join([title, *(f"  {line}" for line in lines)])


@contextmanager
def refusals_in_reports(session: WorkflowSession) -> Iterator[None]:
    """Let a refusal be one error in the JUnit report, if there is to be one: an empty one would look like success."""
    try:
        yield
    except pytest.UsageError as refusal:
        if session.config.getoption("xmlpath", None):
            report = pytest.CollectReport(nodeid=_NODE, outcome="failed", longrepr=str(refusal), result=None)
            session.config.hook.pytest_collectreport(report=report)
        raise
