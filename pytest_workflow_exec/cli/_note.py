"""`workflow-exec note`: a person's remark, appended to a run's log."""

from __future__ import annotations

import argparse
import sys

from pytest_workflow_exec.errors import EvidenceError, WorkflowExecError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import read_log

from ._append import appended, somebody
from ._find import log_of
from ._view import RunView


class NoteError(WorkflowExecError):
    """A remark can't be added."""


def note(arguments: argparse.Namespace) -> int:
    """Append a remark and say what the log's head is now; return 0.

    Raises:
        NoteError: It is empty, or about a step that the run does not have.
        EvidenceError: Nothing can be appended to the log.
        LogUnreadableError: There is no such run, or its log can't be read.
    """
    log, view = log_of(arguments.run), RunView()
    text = arguments.text.strip()
    if not text:
        raise NoteError("the remark is empty")
    view.take(read_log(log))
    if view.run is None:
        raise EvidenceError(f"{log} holds no run: it ended before its first record")
    if arguments.step is not None and arguments.step not in view.steps:
        raise NoteError(f"the run has no step {arguments.step!r} (it has {', '.join(view.steps)})")
    who = somebody()
    remark = Event(type="note", step=arguments.step, actor=who, data={"text": text, "who": who.id})
    head = appended(log, remark, run=view.run)
    sys.stdout.write(f"noted: the head of the log is now {head.seq} {head.hash}\n")
    return 0
