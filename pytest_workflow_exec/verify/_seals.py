"""Seals: signatures in a log over the head before them, checked against the signers that the verifier lists."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import Head, Record
from pytest_workflow_exec.lean_dataclasses import dataclass

NAMESPACE = "pytest-workflow-exec"
"""What a signature says that it is for: one made for anything else is none."""

_MAX_ARMOR = 1 << 14


class SignerError(WorkflowExecError):
    """Signatures can't be made or checked at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SealClaim:
    """A seal as a log holds it, checked or not."""

    head: Head
    """The record before it, which is what it is about."""
    text: bytes
    """What must have been signed."""
    principal: str
    armor: str


def signed_text(*, run: str, workflow: str, plan_digest: str, head: Head) -> bytes:
    """Return what a seal signs: ASCII, one fact a line, with nothing in it that could be read in two ways."""
    lines = (
        "pytest-workflow-exec seal 1",
        f"run {run}",
        f"workflow {canonical_json(workflow)}",
        f"plan {plan_digest}",
        f"head {head.seq} {head.hash}",
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def claim_in(record: Record, *, workflow: str | None, plan_digest: str | None) -> SealClaim | None:
    """Return the seal that a record of `run.sealed` holds; None if it holds none.

    Args:
        workflow: The run's workflow, as its log tells it.
        plan_digest: SHA-256 of the plan that it followed last.
    """
    signed = armor_in(record.data)
    if signed is None or workflow is None or plan_digest is None:
        return None
    principal, armor = signed
    head = Head(seq=record.seq - 1, hash=record.prev)
    text = signed_text(run=record.run, workflow=workflow, plan_digest=plan_digest, head=head)
    return SealClaim(head=head, text=text, principal=principal, armor=armor)


def armor_in(data: Mapping[str, Json]) -> tuple[str, str] | None:
    """Return who signed by a record's word, and the armored signature; None if it holds no such two."""
    principal, armor = data.get("principal"), data.get("armor")
    if not isinstance(principal, str) or not isinstance(armor, str):
        return None
    if not principal.isprintable() or not principal or not armor.isascii() or len(armor) > _MAX_ARMOR:
        return None
    return principal, armor


def signature_of(text: bytes, key: Path) -> str:
    """Return the signature of a text, armored, made with a key or, for a public key, by the agent that holds it.

    Raises:
        SignerError: It can't be made, or would count nowhere.
    """
    from pytest_workflow_exec.approval import signature

    try:
        armor = signature.sign(text, key, namespace=NAMESPACE)
        signature.demand_sound(text, armor, namespace=NAMESPACE)
    except signature.SignatureRefusedError as error:
        raise SignerError(f"what {key} signs would not count: {error}") from error
    except signature.SignatureToolError as error:
        raise SignerError(str(error)) from error
    return armor
