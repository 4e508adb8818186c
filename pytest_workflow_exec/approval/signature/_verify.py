"""From an armored text to whose signature it is, or to the one reason why it is nobody's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pytest_workflow_exec.lean_dataclasses import dataclass

from . import _cryptography, _ssh_keygen
from ._refusals import Refusal, SignatureRefusedError, SignatureToolError
from ._revoked import RevokedKeys
from ._signers import AllowedSigners, Signer
from ._sshsig import SshSignature, read_signature

Checker = Literal["cryptography", "ssh-keygen"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A signature that counts."""

    principal: str
    key_type: str
    fingerprint: str
    """The key's, as OpenSSH writes it: `SHA256:…`."""
    presence: bool | None
    """Whether a token says that it was touched; None if it is a token's key, and was not checked in process."""
    user_verified: bool | None
    """Whether a token says that it checked who touched it; None as for presence."""
    by: Checker
    """What did the arithmetic."""


def verify_signature(
    message: bytes,
    armor: str,
    *,
    principal: str,
    namespace: str,
    signers: AllowedSigners,
    at: datetime,
    revoked: RevokedKeys | None = None,
    need_presence: bool = False,
) -> Verified:
    """Return whose signature over a message this is.

    Args:
        principal: Who is said to have signed.
        namespace: What the signature must be for.
        at: The time at which the signer must be valid, aware.
        need_presence: Refuse a signature that no token was touched for.

    Raises:
        SignatureRefusedError: The signature does not count, or not for this.
        SignatureToolError: It can't be checked here.
        ValueError: `at` is naive.
    """
    if at.tzinfo is None:
        raise ValueError("the time at which a signer must be valid needs its zone")
    signature = read_signature(armor)
    _demand_namespace(signature, namespace)
    if revoked is not None and revoked.hold(signature.key):
        raise _refused("revoked", f"its key {signature.key.fingerprint} is revoked")
    listed = _allowed_now(_listed(signature, signers, principal), signature, signers, at)
    by = _check(signature, armor, message)
    presence, user_verified = _token_says(signature, by)
    if need_presence and not presence:
        raise _absent(
            "no presence", presence, "its token was not touched" if signature.token else "its key is no token's"
        )
    if any(each.options.verify_required for each in listed) and not user_verified:
        raise _absent("no user verification", user_verified, "its token did not check who touched it")
    return Verified(
        principal=principal,
        key_type=signature.key.type,
        fingerprint=signature.key.fingerprint,
        presence=presence,
        user_verified=user_verified,
        by=by,
    )


def can_check_presence() -> bool:
    """Return whether what a token says of its touch can be checked here."""
    return _cryptography.available()


def demand_sound(message: bytes, armor: str, *, namespace: str) -> None:
    """Demand that a signature is one that counts where its signer is listed.

    Raises:
        SignatureRefusedError: It counts nowhere.
        SignatureToolError: It can't be checked here.
    """
    signature = read_signature(armor)
    _demand_namespace(signature, namespace)
    _check(signature, armor, message)


def _demand_namespace(signature: SshSignature, namespace: str) -> None:
    if signature.namespace != namespace:
        raise _refused("namespace", f"it was made for {signature.namespace!r}, not for {namespace!r}")


def _listed(signature: SshSignature, signers: AllowedSigners, principal: str) -> Sequence[Signer]:
    of_key = [signer for signer in signers.signers if signer.key.blob == signature.key.blob]
    of_principal = [signer for signer in signers.signers if signer.principals.matches(principal)]
    listed = [signer for signer in of_key if signer in of_principal]
    fingerprint = signature.key.fingerprint
    if not principal or not principal.isprintable():
        raise _refused("principal not listed", "it names nobody whose name can be seen")
    if listed:
        return listed
    if of_key:
        raise _refused(
            "listed under another principal",
            f"its key {fingerprint} is listed in {signers.file}:{of_key[0].line}, but not for {principal!r}",
        )
    if of_principal:
        raise _refused("key not listed", f"its key {fingerprint} is none of those of {principal!r} in {signers.file}")
    raise _refused("principal not listed", f"{principal!r} is not in {signers.file}")


def _allowed_now(
    listed: Sequence[Signer], signature: SshSignature, signers: AllowedSigners, at: datetime
) -> Sequence[Signer]:
    problems = [(signer, _problem(signer, signature, signers, at)) for signer in listed]
    allowed = [signer for signer, problem in problems if problem is None]
    if not allowed:
        raise next(problem for _, problem in problems if problem is not None)
    return allowed


def _problem(
    signer: Signer, signature: SshSignature, signers: AllowedSigners, at: datetime
) -> SignatureRefusedError | None:
    options, place = signer.options, f"{signers.file}:{signer.line}"
    if options.namespaces is not None and not options.namespaces.matches(signature.namespace):
        return _refused("not for this namespace", f"{place} does not allow its key for {signature.namespace!r}")
    if options.valid_after is not None and at < options.valid_after:
        return _refused(
            "not yet valid", f"{place} allows its key only after {options.valid_after:%Y-%m-%d %H:%M:%S} UTC"
        )
    if options.valid_before is not None and at >= options.valid_before:
        return _refused("expired", f"{place} allowed its key only before {options.valid_before:%Y-%m-%d %H:%M:%S} UTC")
    return None


def _check(signature: SshSignature, armor: str, message: bytes) -> Checker:
    if _cryptography.available():
        if not _cryptography.signed(signature, message):
            raise _refused("other bytes", f"its key {signature.key.fingerprint} did not sign these bytes")
        return "cryptography"
    try:
        problem = _ssh_keygen.check(armor, message, signature.key, namespace=signature.namespace)
    except SignatureToolError as error:
        raise SignatureToolError(f"{error} Or install pytest-workflow-exec[sign], which does without.") from error
    if problem is not None:
        raise _refused("other bytes", f"its key {signature.key.fingerprint} did not sign these bytes: {problem}")
    return "ssh-keygen"


def _token_says(signature: SshSignature, by: Checker) -> tuple[bool | None, bool | None]:
    if signature.token is None:
        return False, False
    # ssh-keygen says nothing of the flags that it checked: what it would not swear to is not claimed.
    return (signature.token.present, signature.token.user_verified) if by == "cryptography" else (None, None)


def _absent(refusal: Refusal, said: bool | None, why: str) -> SignatureRefusedError:  # noqa: FBT001  # a token's word
    if said is None:
        return _refused(
            "presence unknown",
            "ssh-keygen does not tell whether its token was touched. Install pytest-workflow-exec[sign], which checks it.",
        )
    return _refused(refusal, f"nobody is known to have been present: {why}")


def _refused(refusal: Refusal, message: str) -> SignatureRefusedError:
    return SignatureRefusedError(refusal=refusal, message=message)
