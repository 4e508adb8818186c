"""What the ledgers are told of one run."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.evidence import (
    Head,
    LedgerEvent,
    ledger_copy_path,
    ledger_copy_problem,
    note_in_ledgers,
)
from pytest_workflow_exec.model import RunId
from pytest_workflow_exec.settings import Durability


class RunLedger:
    """Notes in both copies of the ledger what becomes of a run."""

    def __init__(self, root: Path, *, run: RunId, workflow: str, durability: Durability) -> None:
        self._root, self._run, self._workflow, self._durability = root, run, workflow, durability
        self.problem: str | None = None
        """Why the user's copy does not know all of it; None if it does."""

    def copy(self) -> str:
        """Return where the user's copy is, or why there is none."""
        problem = ledger_copy_problem(self._root)
        return str(ledger_copy_path(self._root)) if problem is None else f"unavailable: {problem}"

    def note(self, event: LedgerEvent, head: Head) -> None:
        """Note what happened to the run, whose log now ends so.

        Raises:
            EvidenceError: The project's own copy can't be written.
        """
        problem = note_in_ledgers(
            self._root, event, run=self._run, workflow=self._workflow, head=head, durability=self._durability
        )
        self.problem = self.problem or problem
