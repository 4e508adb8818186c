"""Appending a remark to the log of a run that nobody writes to."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.events import Actor, Event
from pytest_workflow_exec.evidence import LOG_NAME, EvidenceLog, Head
from pytest_workflow_exec.redaction import Redactor


def appended(log: Path, event: Event, *, run: str) -> Head:
    """Append an event to a run's log and return the log's new head, once it is durable.

    Raises:
        EvidenceError: The log is broken, being written, somebody else's, or can't be written to.
    """
    with held(log, run=run) as evidence:
        record = evidence.append(event)
        evidence.barrier()
        return record.head


@contextlib.contextmanager
def held(log: Path, *, run: str) -> Iterator[EvidenceLog]:
    """Give a run's log, open for appending, while no other process can write to it.

    Raises:
        EvidenceError: It is broken, being written, or somebody else's.
    """
    if log.name != LOG_NAME:
        raise EvidenceError(f"{log} can't be written to: only a log named {LOG_NAME}, in the folder of its run, can")
    with contextlib.closing(EvidenceLog.reopen(log.parent, run, redactor=Redactor({}))) as evidence:
        yield evidence


def somebody() -> Actor:
    """Return the person whose process this is, as far as the system says."""
    try:
        return Actor(kind="human", id=pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return Actor(kind="human", id=f"uid {os.getuid()}")
