"""`workflow-exec review`: what somebody else says who looked at a gate whose glass was broken."""

from __future__ import annotations

import argparse
import sys

from pytest_workflow_exec.errors import EvidenceError, WorkflowExecError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.verify import verify_log

from ._append import appended, somebody
from ._find import log_of


class ReviewError(WorkflowExecError):
    """There is nothing to review, or it is not for this person."""


def review(arguments: argparse.Namespace) -> int:
    """Append the review and say what the log's head is now; return 0.

    Raises:
        ReviewError: It is empty, nobody broke that glass, or this person did.
        EvidenceError: The log is broken, or nothing can be appended to it.
        LogUnreadableError: There is no such run, or its log can't be read.
    """
    log, text, who = log_of(arguments.run), arguments.text.strip(), somebody()
    if not text:
        raise ReviewError("the review is empty")
    verdict = verify_log(log)
    if verdict.run is None or verdict.word in ("broken", "unreadable"):
        raise EvidenceError(f"{log} is {verdict.word}: {verdict.message}. Nothing is appended to it")
    broken = {each.step: each for each in verdict.broken_glass}
    if arguments.step not in broken:
        names = ", ".join(broken) or "none"
        raise ReviewError(
            f"nobody broke the glass of {arguments.step!r} in this run (gates where somebody did: {names})"
        )
    found = broken[arguments.step]
    if found.by == who.id:
        raise ReviewError(f"{who.id} broke the glass of gate {found.step!r}: somebody else has to review it")
    data = {"text": text, "who": who.id, "review": {"digest": found.digest}}
    head = appended(log, Event(type="note", step=found.step, actor=who, data=data), run=verdict.run)
    sys.stdout.write(f"reviewed: the head of the log is now {head.seq} {head.hash}\n")
    return 0
