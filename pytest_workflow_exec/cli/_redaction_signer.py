"""Who signs that stored texts are taken out, and whose signatures of it count."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import STATE_DIRECTORY, Head, PinPlaces, Record, find_pin, whole_record
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.verify import Signatures, SignerError, Signers, redaction_claim, redaction_text, signature_of


@dataclass(frozen=True, slots=True, kw_only=True)
class RedactionSigner:
    """The one who signs records of one run's redactions, if anybody does."""

    run: str
    workflow: str
    key: Path | None
    """None if nobody signs."""
    principal: str
    pinned: Signatures | None
    """Whose signatures count; None if records count without one."""

    @classmethod
    def of(cls, arguments: argparse.Namespace, pinned: Signers | None, *, run: str, workflow: str) -> RedactionSigner:
        """Return who signs, by the command line."""
        return cls(
            run=run,
            workflow=workflow,
            key=arguments.key,
            principal=(arguments.principal or "").strip(),
            pinned=None if pinned is None else Signatures(pinned),
        )

    def signature(
        self, head: Head, *, seq: int, step: str | None, digests: Sequence[str], reason: str
    ) -> dict[str, Json]:
        """Return what a record of a redaction holds of a signature: nothing, if nobody signs.

        Args:
            head: The record before it.
            seq: The record whose stored texts are taken out.
            digests: Theirs.

        Raises:
            SignerError: It can't be made or judged, or would not count.
        """
        if self.key is None:
            return {}
        text = redaction_text(
            run=self.run,
            workflow=self.workflow,
            head=head,
            seq=seq,
            step=step,
            digests=digests,
            reason=reason,
            principal=self.principal,
        )
        armor = signature_of(text, self.key)
        problem = None if self.pinned is None else self.pinned.problem(text, armor, principal=self.principal)
        if problem is not None:
            raise SignerError(f"nothing was taken out: the signature is none of the pinned signers': {problem}")
        return {"principal": self.principal, "armor": armor}

    def counts(self, record: Record, run_directory: Path) -> bool:
        """Return whether a record of a redaction needs no other one beside it.

        Raises:
            SignerError: Its signature can't be judged.
            BlobError: What it says can't be read.
        """
        if self.pinned is None:
            return True
        claim = redaction_claim(whole_record(record, run_directory), workflow=self.workflow)
        return claim is not None and self.pinned.problem(claim.text, claim.armor, principal=claim.principal) is None


def pinned_signers(log: Path, places: PinPlaces) -> Signers | None:
    """Return the signers that the pin of a run's project holds; None if there is no pin, or it holds none.

    Raises:
        PinError: There is, or may be, a pin that can't be believed.
    """
    state = next((parent for parent in log.resolve().parents if parent.name == STATE_DIRECTORY), None)
    pin = None if state is None else find_pin(state.parent, places)
    if pin is None or pin.trusted.signers is None:
        return None
    revoked = None if pin.trusted.revoked is None else pin.trusted.revoked.content
    return Signers(name=pin.trusted.signers.path, content=pin.trusted.signers.content, revoked=revoked)
