"""The log and what it says: every event is written first and counted second."""

from __future__ import annotations

import threading
from pathlib import Path

from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, Head
from pytest_workflow_exec.run._state import Plan, RunState, apply


class Journal:
    """A run's log with the state that follows from it."""

    def __init__(self, log: EvidenceLog, plan: Plan, *, begun: bool = False) -> None:
        """Begin a session.

        Args:
            begun: Whether a step was started in an earlier one.
        """
        self._log, self._state = log, RunState(plan=plan, begun=begun)
        # Commands may be run from several threads of a step; each record and what follows from it are one.
        self._lock = threading.Lock()

    @property
    def state(self) -> RunState:
        """What the written events make true."""
        return self._state

    @property
    def head(self) -> Head:
        """The last record's place and hash."""
        return self._log.head

    @property
    def path(self) -> Path:
        """The evidence file."""
        return self._log.path

    def record(self, event: Event) -> None:
        """Write an event, then let it be true.

        Raises:
            EvidenceError: It can't be written.
            StepOrderError: It contradicts the plan; nothing was written.
        """
        with self._lock:
            state = apply(self._state, event)
            self._log.append(event)
            self._state = state

    def barrier(self) -> None:
        """Return when everything recorded so far survives a power cut.

        Raises:
            EvidenceError: It does not, or the log was tampered with while it was open.
        """
        self._log.barrier()

    def close(self) -> None:
        """Give the file back."""
        self._log.close()
