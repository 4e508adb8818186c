"""`workflow-exec seal`: a signature over a run's end, appended to its log, for whoever lists the signer."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, Head
from pytest_workflow_exec.verify import Verdict, signature_of, signed_text, verify_log

from ._append import held, somebody
from ._find import log_of


class SealError(WorkflowExecError):
    """A run can't be sealed."""


def seal(arguments: argparse.Namespace) -> int:
    """Sign the end of a run, append the seal and say what the log's head is now; return 0.

    Raises:
        SealError: The run is not intact or has not finished, or its log changed meanwhile.
        SignerError: The key does not sign.
        EvidenceError: Nothing can be appended to the log.
        LogUnreadableError: There is no such run.
    """
    log, principal = log_of(arguments.run), arguments.principal.strip()
    if not principal or not principal.isprintable():
        raise SealError("the principal is empty, or has characters that can't be seen")
    verdict = verify_log(log)
    _demand_finished(verdict, log)
    with held(log, run=verdict.run or "") as evidence:
        head = _sealed(evidence, verdict, principal, arguments.key)
    sys.stdout.write(f"sealed by {principal}: the head of the log is now {head.seq} {head.hash}\n")
    return 0


def _demand_finished(verdict: Verdict, log: Path) -> None:
    if verdict.word in ("broken", "unreadable"):
        raise SealError(f"nothing is sealed that is {verdict.word}: {verdict.message}")
    if verdict.result is None:
        raise SealError(f"the run in {log} has not finished: there is nothing to seal yet")
    if verdict.torn_bytes:
        raise SealError("the log ends in a torn record. Add a note first, which recovers from it.")


def _sealed(evidence: EvidenceLog, verdict: Verdict, principal: str, key: Path) -> Head:
    # Now that nobody else can write to it: what is signed must be what is there.
    if verdict.head != evidence.head:
        raise SealError("the log changed while it was read; nothing was sealed. Try again.")
    head = evidence.make_room()
    text = signed_text(
        run=verdict.run or "",
        workflow=verdict.workflow or "",
        plan_digest=verdict.plan_digest or "",
        head=head,
    )
    armor = signature_of(text, key)
    about: Mapping[str, Json] = {"seq": head.seq, "hash": head.hash}
    record = evidence.append(
        Event(type="run.sealed", actor=somebody(), data={"principal": principal, "head": about, "armor": armor})
    )
    evidence.barrier()
    return record.head
