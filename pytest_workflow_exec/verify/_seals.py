"""Seals: signatures in a log over the head before them, checked by OpenSSH against the signers that the verifier lists."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_workflow_exec.digests import canonical_json
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import Head, Record

NAMESPACE = "pytest-workflow-exec"
"""What a signature says that it is for: one made for anything else is none."""

_MAX_ARMOR = 1 << 14
_PATIENCE_S = 30


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
    principal, armor = record.data.get("principal"), record.data.get("armor")
    if not isinstance(principal, str) or not isinstance(armor, str) or workflow is None or plan_digest is None:
        return None
    if not principal.isprintable() or not principal or not armor.isascii() or len(armor) > _MAX_ARMOR:
        return None
    head = Head(seq=record.seq - 1, hash=record.prev)
    text = signed_text(run=record.run, workflow=workflow, plan_digest=plan_digest, head=head)
    return SealClaim(head=head, text=text, principal=principal, armor=armor)


def seal_problem(claim: SealClaim, signers: Path) -> str | None:
    """Return why a seal is none of those signers', or None if it is.

    Args:
        signers: An allowed signers file, as `ssh-keygen` has them.

    Raises:
        SignerError: There is no ssh-keygen, or it does not answer.
    """
    with tempfile.TemporaryDirectory() as folder:
        signature = Path(folder) / "seal.sig"
        signature.write_text(claim.armor, encoding="ascii")
        done = _ssh_keygen(
            ["-Y", "verify", "-f", str(signers), "-I", claim.principal, "-n", NAMESPACE, "-s", str(signature)],
            claim.text,
        )
    return None if done.returncode == 0 else _said(done)


def signature_of(text: bytes, key: Path) -> str:
    """Return the signature of a text, armored, made with a key or, for a public key, by the agent that holds it.

    Raises:
        SignerError: It can't be made.
    """
    done = _ssh_keygen(["-Y", "sign", "-f", str(key), "-n", NAMESPACE, "-q"], text, patience_s=None)
    armor = done.stdout.decode("utf-8", "replace")
    if done.returncode != 0 or not armor.startswith("-----BEGIN SSH SIGNATURE-----"):
        raise SignerError(f"ssh-keygen did not sign with {key}: {_said(done)}")
    return armor


def _ssh_keygen(
    arguments: Sequence[str], text: bytes, *, patience_s: int | None = _PATIENCE_S
) -> subprocess.CompletedProcess[bytes]:
    program = shutil.which("ssh-keygen")
    if program is None:
        raise SignerError("there is no ssh-keygen here. Install OpenSSH.")
    try:
        return subprocess.run(  # noqa: S603  # OpenSSH, without a shell
            [program, *arguments],
            input=text,
            capture_output=True,
            check=False,
            timeout=patience_s,
            env={**os.environ, "LC_ALL": "C"},
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise SignerError(f"{program} can't be used: {error}") from error


def _said(done: subprocess.CompletedProcess[bytes]) -> str:
    text = (done.stderr or done.stdout).decode("utf-8", "replace").strip()
    return text.splitlines()[-1] if text else f"exit status {done.returncode}"
