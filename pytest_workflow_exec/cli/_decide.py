"""`workflow-exec approve` and `reject`: a person's decision about a gate at which a run is suspended."""

from __future__ import annotations

import argparse
import sys

from pytest_workflow_exec.approval import Decision, ask
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import answer_reader

from ._append import held, somebody
from ._find import log_of
from ._open_gates import GateError, Waiting, waiting_at, way_on
from ._plan_in_advance import approve_in_advance
from ._signed import hand_in_signed

_REFUSED = 1
_PATIENCE_S = 3600.0


def approve(arguments: argparse.Namespace) -> int:
    """Show what a suspended run asks, and append what the person at this terminal decides; 0 only if approved.

    With a signature nobody is asked: it is judged, and handed in; or kept for later runs, if it is one in advance.

    Raises:
        GateError: The gate does not wait for a decision, or wants a signature, and there is none that counts.
        PinError: There is no list of signers here to judge a signature by.
        EvidenceError: Nothing can be appended to the log.
        LogUnreadableError: There is no such run, or its log can't be read.
    """
    waiting = waiting_at(log_of(arguments.run), arguments.step)
    if arguments.in_advance:
        return approve_in_advance(waiting, arguments)
    if arguments.until is not None:
        raise GateError("--until is for --in-advance: the question itself says how long it can be answered")
    if arguments.signature is not None:
        return hand_in_signed(waiting, arguments, "approve")
    if waiting.request.rules is not None:
        raise GateError(
            f"gate {waiting.step!r} wants a signature: workflow-exec challenge {waiting.run} {waiting.step} --out FILE "
            "says how, and then give --signature FILE.sig"
        )
    # Secrets of the run are not known here: what holds one is refused when the run goes on.
    decision = ask(waiting.request, timeout_s=_PATIENCE_S, read=answer_reader(Redactor({})))
    if decision.decision not in ("approved", "rejected"):
        # Whoever only tried has decided nothing: the gate goes on waiting for somebody who does.
        sys.stderr.write(f"workflow-exec: nothing was decided: {decision.reason}\n")
        return _REFUSED
    _append(waiting, decision)
    return 0 if decision.decision == "approved" else _REFUSED


def reject(arguments: argparse.Namespace) -> int:
    """Append a rejection with its reason, or hand in a signed one; return 0.

    Raises:
        GateError: The gate does not wait for a decision, the reason is empty, or the signature does not count.
        PinError: There is no list of signers here to judge a signature by.
        EvidenceError: Nothing can be appended to the log.
        LogUnreadableError: There is no such run, or its log can't be read.
    """
    reason = arguments.reason.strip()
    if not reason:
        raise GateError("the reason is empty")
    waiting = waiting_at(log_of(arguments.run), arguments.step)
    if arguments.signature is not None:
        return hand_in_signed(waiting, arguments, "reject", reason=reason)
    _append(
        waiting,
        Decision(decision="rejected", reason=reason, approver=somebody(), channel="command", terminal="", assurance=0),
    )
    return 0


def _append(waiting: Waiting, decision: Decision) -> None:
    with held(waiting.log, run=waiting.run) as evidence:
        # Again, now that nobody else can write: two may have been deciding at once, or the run asked anew.
        if waiting_at(waiting.log, waiting.step).gate != waiting.gate:
            raise GateError(f"gate {waiting.step!r} asked something else meanwhile; nothing was recorded")
        evidence.append(decision.about(waiting.step, attempt=waiting.gate.attempt, digest=waiting.gate.digest))
        evidence.barrier()
        head = evidence.head
    sys.stdout.write(
        f"{decision.decision}: the head of the log is now {head.seq} {head.hash}\n"
        f"{way_on(waiting.step, decision.decision)}\n"
    )
