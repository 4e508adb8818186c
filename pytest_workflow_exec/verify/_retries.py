"""Attempts at one step within a session: each but the first follows a failed one, as the plan allows."""

from __future__ import annotations

from typing import NamedTuple

from pytest_workflow_exec.model import POLLED_CLASSES, Outcome, StepId, looks_in

from ._contradiction import ContradictionError, text_in
from ._plan import PlannedStep
from ._told import Told


class _Failed(NamedTuple):
    """An attempt that failed, and behind which no step started or ended."""

    step: StepId
    attempt: int
    error_class: str | None


class Retries:
    """What may be tried again, checked one record after the other."""

    def __init__(self) -> None:
        self._tries: dict[StepId, int] = {}
        """How many attempts there were at each step that was tried again in this session."""
        self._failed: _Failed | None = None
        self._promised: tuple[StepId, int] | None = None
        """The attempt that was announced and did not start so far."""

    def start(self, step: PlannedStep, attempt: int | None) -> bool:
        """Take in the start of a step, and return whether it is another attempt at it.

        Raises:
            ContradictionError: Another attempt was announced than the one that starts.
        """
        promised, self._promised, self._failed = self._promised, None, None
        if promised is None or promised[0] != step.id:
            return False
        if promised[1] != attempt:
            raise ContradictionError(
                f"step {step.id!r} starts attempt {attempt}, but attempt {promised[1]} was announced"
            )
        self._tries[step.id] = self._tries.get(step.id, 1) + 1
        return True

    def end(self, step: PlannedStep, outcome: Outcome, record: Told, *, ran: bool) -> None:
        """Take in the end of a step.

        Args:
            ran: Whether it was under way.
        """
        self._promised, self._failed = None, None
        if ran and outcome is Outcome.FAILED and record.attempt is not None:
            said = record.data.get("class")
            self._failed = _Failed(step.id, record.attempt, said if isinstance(said, str) else None)

    def wait(self, step: PlannedStep, record: Told) -> None:
        """Take in that a step is to be tried again.

        Raises:
            ContradictionError: It did not just fail, or not in a way after which the plan tries again.
        """
        failed, self._failed = self._failed, None
        if failed is None or (failed.step, failed.attempt) != (step.id, record.attempt):
            raise ContradictionError(f"step {step.id!r} is to be tried again, but no attempt at it has just failed")
        if text_in(record.data, "class") != failed.error_class or record.data.get("next") != failed.attempt + 1:
            raise ContradictionError(
                f"step {step.id!r} is to be tried again after another failure than the one before, or in another attempt"
            )
        self._demand_plan(step, failed, text_in(record.data, "why"))
        self._promised = step.id, failed.attempt + 1

    def resume(self) -> None:
        """Begin a session: nothing was tried in it."""
        self._tries.clear()
        self._failed = self._promised = None

    def _demand_plan(self, step: PlannedStep, failed: _Failed, why: str) -> None:
        allowed = _allowed(step, why)
        if allowed is None:
            raise ContradictionError(f"step {step.id!r} is to be tried again, but its plan does not say so")
        attempts, classes, tries = *allowed, self._tries.get(step.id, 1)
        if failed.error_class not in classes:
            raise ContradictionError(
                f"step {step.id!r} is to be tried again after a failure of class {failed.error_class!r}; "
                f"its plan does so after {', '.join(classes)}"
            )
        if tries >= attempts:
            raise ContradictionError(
                f"step {step.id!r} is to be tried again, but there were {tries} attempts of {attempts} already"
            )


def _allowed(step: PlannedStep, why: str) -> tuple[int, tuple[str, ...]] | None:
    """Return how often the plan lets a step be tried in a session, and after which classes of errors."""
    if why == "retry" and step.retry is not None:
        return step.retry.attempts, step.retry.classes
    if why == "poll" and step.poll is not None:
        return looks_in(step.poll.every_s, step.poll.timeout_s), POLLED_CLASSES
    return None
