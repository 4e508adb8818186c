"""The words of a step's line: `[3/9] build ... PASSED 1.2s`."""

from __future__ import annotations

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Outcome, StepId

_MINUTE_S = 60
_HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeStyle:
    """How an outcome is shown."""

    letter: str
    word: str
    color: str


_STYLES = {
    Outcome.PASSED: OutcomeStyle(letter=".", word="PASSED", color="green"),
    Outcome.CARRIED: OutcomeStyle(letter="C", word="CARRIED", color="cyan"),
    Outcome.NOT_APPLICABLE: OutcomeStyle(letter="N", word="NOT APPLICABLE", color="cyan"),
    Outcome.WAIVED: OutcomeStyle(letter="W", word="WAIVED", color="yellow"),
    Outcome.FAILED: OutcomeStyle(letter="F", word="FAILED", color="red"),
    Outcome.DENIED: OutcomeStyle(letter="D", word="DENIED", color="red"),
    Outcome.SUSPENDED: OutcomeStyle(letter="U", word="SUSPENDED", color="yellow"),
    Outcome.BLOCKED: OutcomeStyle(letter="B", word="BLOCKED", color="red"),
    Outcome.INTERRUPTED: OutcomeStyle(letter="I", word="INTERRUPTED", color="red"),
}


def outcome_style(outcome: Outcome) -> OutcomeStyle:
    """Return how an outcome is shown."""
    return _STYLES[outcome]


def opening(step: StepId, *, number: int, total: int) -> str:
    """Return the beginning of a step's line.

    Args:
        number: Its place in the plan, from 1.
    """
    return f"[{number}/{total}] {step} ... "


def spent(seconds: float) -> str:
    """Return a duration as people say it: `1.2s`, `3m 05s`, `2h 10m`."""
    if seconds < _MINUTE_S:
        return f"{seconds:.1f}s"
    if seconds < _HOUR_S:
        return f"{int(seconds // _MINUTE_S)}m {int(seconds % _MINUTE_S):02d}s"
    return f"{int(seconds // _HOUR_S)}h {int(seconds % _HOUR_S // _MINUTE_S):02d}m"
