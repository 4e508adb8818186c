"""The log of a run that goes on: opened only if it still ends where it ended when it was looked at."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.evidence import EvidenceLog, Head, Record
from pytest_workflow_exec.model import RunId
from pytest_workflow_exec.run._run_settings import RunSettings


def reopened_log(directory: Path, run: RunId, settings: RunSettings, head: Head) -> EvidenceLog:
    """Return a run's log, open for its next record.

    Args:
        head: Its last record when it was looked at.

    Raises:
        EvidenceError: It is not what it was then, or can't be written; nothing was written.
    """
    last = _Last(head)
    log = EvidenceLog.reopen(directory, run, redactor=settings.redactor, durability=settings.durability, on_record=last)
    try:
        last.demand_seen()
    except BaseException:
        log.close()
        raise
    return log


class _Last:
    """Refuses a log that does not end where it ended when it was looked at."""

    def __init__(self, head: Head) -> None:
        self._head, self._seen = head, Head(seq=-1, hash="")

    def __call__(self, record: Record) -> None:
        self._seen = Head(seq=record.seq, hash=record.hash)
        if record.seq >= self._head.seq:
            self.demand_seen()

    def demand_seen(self) -> None:
        if self._seen != self._head:
            message = "the log of the run is not what it was when it was looked at; run again"
            raise EvidenceError(message)
