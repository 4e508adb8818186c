"""One attempt at a step, and how it ended: decided from everything that was seen of it, never from one report."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import field
from typing import NamedTuple

import pytest

from pytest_workflow_exec.errors import (
    CheckInDoubtError,
    EvidenceError,
    GateDeniedError,
    ProcessStartError,
    StepOrderError,
    SuspendedError,
    WorkflowExecError,
)
from pytest_workflow_exec.evidence import Head
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import NO_OUTPUTS, Failure, StepOutputs

EVERY_PHASE = ("setup", "call", "teardown")
"""What pytest goes through with an item, and reports."""


class Described(NamedTuple):
    """What was said of a step in its last report, as properties."""

    of: tuple[Head, Outcome, str | None]
    """What it was made of: where the evidence stood, how the step stood, and the class of its error."""
    properties: tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Attempt:
    """What has been seen of an item while pytest runs it."""

    admitted: bool = False
    """Whether the step was announced in the log: only then may its body run."""
    order_error: StepOrderError | None = None
    """Why it may not run."""
    stand_in: Outcome | None = None
    """How it ends without running: it does not apply, or is carried; None if it has to run."""
    phases: tuple[str, ...] = EVERY_PHASE
    """What has to be reported of it; nobody may look at more than its call."""
    has_fixtures: bool = False
    """Whether a fixture of the project was made while it was under way."""
    body_ran: bool = False
    errors: list[BaseException] = field(default_factory=list)
    """What its phases raised, whatever another plugin made of it."""
    processes: list[ProcessStartError] = field(default_factory=list)
    """The processes that its code was kept from starting, whatever that code made of it."""
    watching: AbstractContextManager[None] | None = None
    """Entered as long as such processes are looked for."""
    reports: list[pytest.TestReport] = field(default_factory=list)
    """Every report that was logged for it, those of subtests too."""
    outputs: StepOutputs = NO_OUTPUTS
    mask: Callable[[str], str] = str
    """Takes the run's secrets out of a text."""
    failure: Failure | None = None
    """What is known of the error that ended it; None as long as nobody asked."""
    tried: list[str] = field(default_factory=list)
    """What became of the attempts before this one."""
    repeating: bool = False
    """Whether its body is run by what tries it again."""
    waits: bool = False
    """Whether an attempt has failed and the next one has not begun."""
    shown: bool = False
    """Whether a report says already why it failed."""
    waived: str | None = None
    """Who accepted that it failed, and how it did; None if nobody did."""
    not_waived: str = ""
    """Why nobody accepted that it failed, if that was asked."""
    may_waive: bool = False
    """Whether what asks about its failure is around its body already."""
    told: Outcome | None = None
    """The first outcome in its reports that is not satisfied; None if there is none."""
    described: Described | None = None
    concluded: bool = False
    started_s: float = field(default_factory=time.monotonic)

    @property
    def error(self) -> BaseException | None:
        """The first error that speaks against it; None if there is none."""
        return next(iter((*self.errors, *self.processes)), None)

    @property
    def duration_s(self) -> float:
        """How long it has been going on."""
        return time.monotonic() - self.started_s

    def watch(self, watching: AbstractContextManager[None]) -> None:
        """Look for processes that its code starts, until its end."""
        watching.__enter__()
        self.watching = watching

    def watch_no_more(self) -> None:
        """Look for them no longer; a second time does nothing."""
        watching, self.watching = self.watching, None
        if watching is not None:
            watching.__exit__(None, None, None)

    def begin_anew(self) -> None:
        """Forget what was seen of an attempt that failed: the next one has begun."""
        self.errors.clear()
        self.body_ran, self.outputs, self.failure, self.waits = False, NO_OUTPUTS, None, False
        self.started_s = time.monotonic()


class failing_plainly:  # noqa: N801  # a context, entered for each step more often than a generator is cheap
    """Fails the step with the words of an error of ours: its traceback would lead into the engine, not to the mistake."""

    __slots__ = ("_attempt",)

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Keep an error of ours, and raise its words in its place."""
        if isinstance(error, WorkflowExecError) and not isinstance(error, EvidenceError):
            self._attempt.errors.append(error)
            raise pytest.fail.Exception(str(error), pytrace=False) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """How a step ended, and why if it is not satisfied."""

    outcome: Outcome
    message: str = ""


def conclude(attempt: Attempt) -> Conclusion:
    """Return how the step ended: passed only if nothing at all speaks against it."""
    if attempt.order_error is not None and not attempt.admitted:
        return Conclusion(outcome=Outcome.BLOCKED, message=str(attempt.order_error))
    if attempt.error is not None:
        return _failed_by(attempt.error, attempt)
    objection = _objection(attempt)
    if objection is not None:
        return Conclusion(outcome=Outcome.FAILED, message=objection)
    if attempt.waived is not None:
        return Conclusion(outcome=Outcome.WAIVED, message=attempt.waived)
    return Conclusion(outcome=attempt.stand_in or Outcome.PASSED)


def _failed_by(error: BaseException, attempt: Attempt) -> Conclusion:
    if attempt.admitted and isinstance(error, SuspendedError):
        return Conclusion(outcome=Outcome.SUSPENDED, message=str(error))
    if attempt.admitted and isinstance(error, CheckInDoubtError):
        # Its effect is as unknown as before.
        return Conclusion(outcome=Outcome.INTERRUPTED, message=_said(error, attempt))
    # Asked again, a gate is asked before the step that it stands before was announced.
    denied = isinstance(error, GateDeniedError) and (attempt.admitted or error.again_for is not None)
    return Conclusion(outcome=Outcome.DENIED if denied else Outcome.FAILED, message=_said(error, attempt))


def _objection(attempt: Attempt) -> str | None:
    for report in attempt.reports:
        if report.outcome != "passed" or hasattr(report, "wasxfail"):
            return f"{report.when}: {_short(report.longreprtext, attempt)}"
    if attempt.stand_in is None and not (attempt.admitted and attempt.body_ran):
        return "its body never ran"
    if not {report.when for report in attempt.reports}.issuperset(attempt.phases):
        return "pytest did not run it to its end"
    return None


_MAX_CHARACTERS = 2000


def _said(error: BaseException, attempt: Attempt) -> str:
    text = str(error)
    plain = isinstance(error, (WorkflowExecError, pytest.fail.Exception))
    said = _short(text if plain else f"{type(error).__name__}: {text}".removesuffix(": "), attempt)
    return f"{said}\n{attempt.not_waived}" if attempt.not_waived else said


def _short(text: str, attempt: Attempt) -> str:
    # Masked first: of a secret that was cut in two, nobody would know the rest.
    text = attempt.mask(text)
    return text if len(text) <= _MAX_CHARACTERS else text[:_MAX_CHARACTERS] + "..."
