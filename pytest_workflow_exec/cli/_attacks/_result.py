"""What an attempt is, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._scratch import Present, Scratch
from ._terminal import TerminalError

Outcome = Literal["stopped", "not stopped", "not applicable", "not tried"]
"""`not tried`: something else went wrong than the attempt wanted, so nothing is known; it never counts as stopped."""
Documented = Literal["stopped", "not stopped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one attempt."""

    outcome: Outcome
    says: str
    """In one sentence, what stopped it or why nothing did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One way to get past what is held."""

    name: str
    assurance: Literal[0, 1, 2]
    """That of the gate that is attacked; 0 where it is not about a gate's assurance."""
    run: Callable[[Scratch, Present], Result]
    documented: Callable[[Present], Documented]
    """What docs/threat-model.md says of it, for such a configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """An attempt with what came of it, beside what the documentation says."""

    attempt: Attempt
    documented: Documented
    result: Result

    @property
    def is_as_documented(self) -> bool:
        """Whether nothing got through that is said to be stopped; what was not tried proves nothing."""
        outcome = self.result.outcome
        return outcome in ("stopped", "not applicable") or (outcome == self.documented == "not stopped")

    def to_data(self) -> Mapping[str, Json]:
        """Return it as JSON holds it."""
        return {
            "attempt": self.attempt.name,
            "assurance": self.attempt.assurance or None,
            "outcome": self.result.outcome,
            "documented": self.documented,
            "as_documented": self.is_as_documented,
            "says": self.result.says,
        }


def tried(attempt: Attempt, scratch: Scratch, now: Present) -> Tried:
    """Make an attempt, and return what came of it; what goes wrong otherwise makes it one that was not tried."""
    try:
        result = attempt.run(scratch, now)
    except (TerminalError, WorkflowExecError, OSError, LookupError, ValueError) as error:
        result = not_tried(f"{type(error).__name__}: {error}")
    return Tried(attempt=attempt, documented=attempt.documented(now), result=result)


def stopped(says: str) -> Result:
    """Return that an attempt came to nothing."""
    return Result(outcome="stopped", says=says)


def got_through(says: str) -> Result:
    """Return that an attempt did what it wanted."""
    return Result(outcome="not stopped", says=says)


def not_applicable(says: str) -> Result:
    """Return that there is nothing to attempt here."""
    return Result(outcome="not applicable", says=says)


def not_tried(says: str) -> Result:
    """Return that an attempt did not get as far as what it attempts."""
    return Result(outcome="not tried", says=says)
