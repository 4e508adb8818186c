"""Checks of steps whose effect is unknown: which are asked, and what the one under way said."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pytest_workflow_exec import events
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import Step, StepId


class Probing:
    """The checks of one session."""

    def __init__(self, steps: frozenset[StepId]) -> None:
        """Begin without an answer.

        Args:
            steps: Those whose check is asked before their body runs.
        """
        self._steps = steps
        self._checking = False
        self.checked: events.Checked | None = None
        """What the check of the step under way said, if its body does not run."""

    def asks(self, step: Step) -> bool:
        """Return whether the step's check is asked."""
        return step.id in self._steps

    def begin(self) -> None:
        """Let another step be under way."""
        self.checked = None

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Let commands be marked as those of a check."""
        self._checking = True
        try:
            yield
        finally:
            self._checking = False

    def marked(self, event: events.Event) -> events.Event:
        """Return a command's record, marked if it is one of a check."""
        return replace(event, data={**event.data, "check": True}) if self._checking else event
