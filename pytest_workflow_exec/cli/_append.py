"""Appending a remark to the log of a run that nobody writes to."""

from __future__ import annotations

import contextlib
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.evidence import LOG_NAME, EvidenceLog
from pytest_workflow_exec.redaction import Redactor


@contextlib.contextmanager
def opened(log: Path, *, run: str) -> Iterator[EvidenceLog]:
    """Give a run's log, open for appending; what was appended is durable afterwards.

    Raises:
        EvidenceError: It is broken, being written, somebody else's, or can't be written to.
    """
    if log.name != LOG_NAME:
        raise EvidenceError(f"{log} can't be written to: only a log named {LOG_NAME}, in the folder of its run, can")
    with contextlib.closing(EvidenceLog.reopen(log.parent, run, redactor=Redactor({}))) as evidence:
        yield evidence
        evidence.barrier()


def somebody() -> Actor:
    """Return the person whose process this is, as far as the system says."""
    try:
        return Actor(kind="human", id=pwd.getpwuid(os.getuid()).pw_name)
    except KeyError:
        return Actor(kind="human", id=f"uid {os.getuid()}")
