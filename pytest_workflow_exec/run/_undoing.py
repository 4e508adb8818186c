"""What was done in a run and not reverted since, so that a step which undoes it says so in the log."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pytest_workflow_exec import events
from pytest_workflow_exec.model import Outcome, Step, StepId


class Undoing:
    """The steps that another one undoes, and that did something as far as anybody knows."""

    def __init__(
        self, undone: frozenset[StepId], done: Iterable[StepId], *, record: Callable[[events.Event], None]
    ) -> None:
        """Begin a session.

        Args:
            undone: The steps that another one undoes when it passes; what became of the rest is not asked here.
            done: What earlier sessions did, or may have done.
            record: Keeps an event.
        """
        self._undone, self._done, self._record = undone, set(undone.intersection(done)), record
        self._ends: dict[StepId, Outcome] = {}

    def begin(self, step: StepId) -> None:
        """Take note that a step is started: it may do something."""
        if step in self._undone:
            self._done.add(step)

    def end(self, step: StepId, outcome: Outcome) -> None:
        """Take note of how a step ended."""
        if step in self._undone:
            self._ends[step] = outcome

    def record_by(self, step: Step) -> None:
        """Record what a step that passed has reverted.

        Raises:
            EvidenceError: It can't be written.
        """
        for undone in step.undoes:
            if undone in self._done:
                self._record(events.step_undone(undone, by=step.id, outcome=self._ends[undone]))
                self._done.discard(undone)
