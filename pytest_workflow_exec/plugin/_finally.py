"""The steps of `finally`, where pytest's own loop ended before them."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from pytest_workflow_exec.run import Run

from ._keys import PLANNED
from ._runtest import evidence_or_exit
from ._session import WorkflowSession


def run_steps(workflows: WorkflowSession, session: pytest.Session) -> Generator[None, object, object]:
    """Let pytest's loop run, and then, however it ended, what is left of the steps of `finally`."""
    try:
        result = yield
    except BaseException as error:
        workflows.interrupted = isinstance(error, (KeyboardInterrupt, pytest.exit.Exception))
        run_finally(workflows, session)
        raise
    run_finally(workflows, session)
    return result


def run_finally(workflows: WorkflowSession, session: pytest.Session) -> None:
    """Run what is left of the steps that run whatever became of the others.

    A second Ctrl-C goes through: it stops these steps, too.
    """
    if workflows.evidence_error is not None:
        return
    for name, run in workflows.runs.items():
        left = _left(run, session.items, name)
        if left:
            with evidence_or_exit(workflows):
                run.give_up()
            _tear_down_broken_off(workflows, left[0])
            for item, following in zip(left, [*left[1:], None], strict=True):
                if workflows.share is not None:
                    workflows.share.announce(item)
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)


def _left(run: Run, items: list[pytest.Item], name: str) -> list[pytest.Item]:
    if run.suspended is not None:
        return []
    return [
        item for item in items if PLANNED in item.stash and item.stash[PLANNED].workflow == name and _is_left(run, item)
    ]


def _is_left(run: Run, item: pytest.Item) -> bool:
    step = item.stash[PLANNED].step
    # A run that is to stop early leaves what cleans up after the workflow for later.
    wanted = run.until is None or step.block is not None
    return wanted and run.state.cleans_up(step.id) and not run.state.ended(step.id)


def _tear_down_broken_off(workflows: WorkflowSession, following: pytest.Item) -> None:
    # An interrupt leaves the fixtures of the step that it struck in place; pytest refuses to set up
    # another item before they are gone.
    item, workflows.broken_off = workflows.broken_off, None
    if item is None:
        return
    try:
        item.config.hook.pytest_runtest_teardown(item=item, nextitem=following)
    except Exception as error:  # noqa: BLE001  # a fixture's own; the clean-up steps matter more
        workflows.lines.say(f"tearing down {item.nodeid} failed: {error!r}")
