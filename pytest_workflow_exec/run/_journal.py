"""The log and what it says: every event is written first and counted second."""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, Head, Record
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run._state import Plan, RunState, apply
from pytest_workflow_exec.run._witness import Confirm


class Journal:
    """A run's log with the state that follows from it."""

    def __init__(
        self,
        log: EvidenceLog,
        plan: Plan,
        *,
        begun: bool = False,
        started: Iterable[StepId] = (),
        listener: Callable[[Record], None] | None = None,
        witness: Confirm | None = None,
    ) -> None:
        """Begin a session.

        Args:
            begun: Whether a step was started in an earlier one.
            started: The steps that were.
            listener: Is told of each record, some time after it was written.
            witness: Has to know of everything at each barrier.
        """
        self._listener, self._witness = listener, witness
        self._untold: deque[Record] = deque(() if log.recovery is None else (log.recovery,))
        self._telling = threading.Lock()
        self._log, self._state = log, RunState(plan=plan, begun=begun, entered=plan.entered_by(started))
        self._next: tuple[int, RunState] | None = None
        """How many events the log holds with the one that is being written, and what is true once it does."""
        # Commands may be run from several threads of a step; each record and what follows from it are one.
        self._lock = threading.Lock()

    @property
    def state(self) -> RunState:
        """What the written events make true."""
        if self._next is not None:
            with self._lock:
                self._catch_up()
        return self._state

    @property
    def head(self) -> Head:
        """The last record's place and hash."""
        return self._log.head

    def make_room(self) -> Head:
        """Return the head that the next event will stand right behind, which may name it.

        Raises:
            EvidenceError: A file of the log is full, and can't be ended.
        """
        return self._log.make_room()

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
            self._catch_up()
            state = apply(self._state, event)
            self._next = (self._log.events + 1, state)
            record = self._log.append(event)
            self._state, self._next = state, None
            if self._listener is not None:
                while self._log.ends:
                    self._untold.append(self._log.ends.popleft())
                self._untold.append(record)

    def _catch_up(self) -> None:
        # Ctrl-C can strike between the write of a record and the note of it here: the log knows which it was.
        if self._next is None:
            return
        events, state = self._next
        with contextlib.suppress(EvidenceError):
            if self._log.settle() >= events:
                self._state = state
        self._next = None

    def barrier(self) -> None:
        """Return when everything recorded so far survives a power cut.

        Raises:
            EvidenceError: It does not, or the log was tampered with while it was open, or the run's witness says no.
        """
        self._log.barrier()
        if self._witness is not None:
            self._witness(self._log.path, self._log.head)
        self.tell()

    def tell(self) -> None:
        """Tell the listener of what was written; called where everything that follows from it is done.

        A listener takes as long as it likes, so Ctrl-C often strikes there.
        """
        # Whoever tells already goes on to what another thread wrote.
        if self._listener is None or not self._telling.acquire(blocking=False):
            return
        try:
            while self._untold:
                self._listener(self._untold.popleft())
        finally:
            self._telling.release()

    def close(self) -> None:
        """Give the file back."""
        self._log.close()
