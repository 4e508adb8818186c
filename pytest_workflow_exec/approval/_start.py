"""The start of a run, signed by who started it: what is signed, and whose signature it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import cast

from pytest_workflow_exec.digests import Json, canonical_json, digest_of
from pytest_workflow_exec.errors import StartRefusedError
from pytest_workflow_exec.lean_dataclasses import dataclass

from . import signature
from ._ballot import Trust
from ._challenge import NAMESPACE


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedStart:
    """Who signed the start of a run."""

    principal: str
    key: str
    """The key's fingerprint."""
    key_type: str
    armor: str

    def to_data(self) -> Mapping[str, Json]:
        """Return it as evidence keeps it."""
        return cast("Mapping[str, Json]", asdict(self))


def start_text(run: str, facts: Mapping[str, Json]) -> bytes:
    """Return what has to be signed to start a run: ASCII, one fact a line.

    Args:
        facts: The data of its first record.

    Raises:
        KeyError: A fact is missing.
        TypeError: A fact is of another kind.
    """
    policy = cast("Mapping[str, Json]", facts["policy"])
    lines = (
        f"{NAMESPACE} start 1",
        f"run {run}",
        f"workflow {canonical_json(facts['workflow'])}",
        f"plan {facts['plan_digest']}",
        f"policy {policy['digest']}",
        f"inputs {digest_of(facts['inputs'])}",
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii", "backslashreplace")


def sign_start(run: str, facts: Mapping[str, Json], key: Path, *, trust: Trust, at: datetime) -> SignedStart:
    """Return the signature of a run's start, made with a key or, for a public key, by the agent that holds it.

    Raises:
        StartRefusedError: It can't be made, or would not count.
    """
    text = start_text(run, facts)
    try:
        armor = signature.sign(text, key, namespace=NAMESPACE)
    except signature.SignatureToolError as error:
        raise StartRefusedError(f"the start of the run was not signed: {error}") from error
    return _checked(text, armor, "", trust=trust, at=at)


def checked_start(
    run: str, facts: Mapping[str, Json], data: Mapping[str, Json], *, trust: Trust, at: datetime
) -> SignedStart:
    """Return whose signature evidence holds over a run's start.

    Args:
        facts: The data of the run's first record.
        data: What `SignedStart.to_data` gave.

    Raises:
        StartRefusedError: It does not count.
    """
    try:
        text, armor, principal = start_text(run, facts), data["armor"], data["principal"]
    except (KeyError, TypeError, ValueError) as error:
        raise StartRefusedError("the start of the run holds no signature that this version writes") from error
    if not isinstance(armor, str) or not isinstance(principal, str) or not principal:
        raise StartRefusedError("the start of the run holds no signature that this version writes")
    found = _checked(text, armor, principal, trust=trust, at=at)
    if found.to_data() != data:
        raise StartRefusedError("the start of the run names another key than the one that signed it")
    return found


def start_problem(key: Path, trust: Trust) -> str | None:
    """Return why nobody is proven to start a run with a key; None if somebody can be.

    Without its public part nothing is known of a key before it signs.
    """
    public = key if key.suffix == ".pub" else key.with_name(f"{key.name}.pub")
    try:
        if not key.is_file():
            return f"there is no key {key}"
        if not public.is_file():
            return None
        listed = signature.allowed_signers(b"someone " + public.read_bytes(), file=str(public)).signers
        if len(listed) != 1:
            return f"{public} is no public key"
        _principal(listed[0].key, trust)
    except (OSError, signature.SignersError, StartRefusedError) as error:
        return str(error)
    return None


def _checked(text: bytes, armor: str, principal: str, *, trust: Trust, at: datetime) -> SignedStart:
    try:
        key = signature.read_signature(armor).key
        name = principal or _principal(key, trust)
        verified = signature.verify_signature(
            text, armor, principal=name, namespace=NAMESPACE, signers=trust.signers, at=at, revoked=trust.revoked
        )
    except (signature.SignatureRefusedError, signature.SignatureToolError) as error:
        raise StartRefusedError(f"the signature of the run's start does not count: {error}") from error
    return SignedStart(principal=name, key=verified.fingerprint, key_type=verified.key_type, armor=armor)


def _principal(key: signature.PublicKey, trust: Trust) -> str:
    names = {
        name for line in trust.signers.signers if line.key.blob == key.blob for name in line.principals.plain_names()
    }
    if len(names) != 1:
        found = " and ".join(sorted(names)) or "nobody by name"
        raise StartRefusedError(
            f"the list of signers has {key.fingerprint} for {found}: it has to name one person who starts the run"
        )
    return names.pop()
