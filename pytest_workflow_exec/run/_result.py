"""What a session of a run ended with."""

from __future__ import annotations

from pytest_workflow_exec.events import RunResult
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run._state import RunState


def result_of(state: RunState, *, stopped_early: bool, refused: bool, interrupted: bool) -> RunResult:
    """Return what a session ended with.

    Args:
        stopped_early: Whether it was to stop before the end of the plan, and did all that it was to.
        refused: Whether nobody agreed that it goes on.
    """
    if state.complete:
        return "passed"
    if stopped_early:
        return "partial"
    if refused:
        return "denied"
    if state.stop is not None and state.stop.outcome is Outcome.SUSPENDED:
        return "suspended"
    if interrupted:
        return "interrupted"
    return "denied" if state.stop is not None and state.stop.outcome is Outcome.DENIED else "failed"
