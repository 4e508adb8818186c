"""Signatures over redactions: what was taken out and why, in the words of a signer."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_workflow_exec.digests import canonical_json
from pytest_workflow_exec.evidence import Head, Record, digests_in
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._seals import armor_in

UNSIGNED = "it has no signature"


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionClaim:
    """What a record of a redaction says that somebody signed."""

    text: bytes
    """What must have been signed."""
    principal: str
    armor: str


def redaction_text(
    *,
    run: str,
    workflow: str,
    head: Head,
    seq: int,
    step: str | None,
    digests: Sequence[str],
    reason: str,
    principal: str,
) -> bytes:
    """Return what a redaction signs: ASCII, one fact a line, with nothing in it that could be read in two ways.

    Args:
        head: The record before the one that tells of it.
        seq: The record whose stored texts are taken out.
        digests: Theirs.
    """
    lines = (
        "pytest-workflow-exec redaction 1",
        f"run {run}",
        f"workflow {canonical_json(workflow)}",
        f"head {head.seq} {head.hash}",
        f"record {seq}",
        f"step {canonical_json(step)}",
        *(f"digest {canonical_json(digest)}" for digest in digests),
        f"reason {canonical_json(reason)}",
        f"principal {canonical_json(principal)}",
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def redaction_claim(record: Record, *, workflow: str | None) -> RedactionClaim | None:
    """Return the signature that a record of a redaction holds; None if it holds none, or says something else beside.

    Args:
        workflow: The run's workflow, as its log tells it.
    """
    signed, reason, seq = armor_in(record.data), record.data.get("reason"), record.data.get("seq")
    step, digests = record.data.get("step"), record.data.get("digests")
    if signed is None or workflow is None or type(seq) is not int or not isinstance(reason, str):
        return None
    if not isinstance(digests, list) or list(digests_in(record)) != digests or not isinstance(step, (str, type(None))):
        return None
    principal, armor = signed
    text = redaction_text(
        run=record.run,
        workflow=workflow,
        head=Head(seq=record.seq - 1, hash=record.prev),
        seq=seq,
        step=step,
        digests=digests_in(record),
        reason=reason,
        principal=principal,
    )
    return RedactionClaim(text=text, principal=principal, armor=armor)
