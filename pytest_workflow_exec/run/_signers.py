"""Who has to sign at a gate, by the policy and the pinned lists of keys, and why nobody could."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from pytest_workflow_exec.errors import PinError
from pytest_workflow_exec.model import Signed
from pytest_workflow_exec.sandbox import Policy
from pytest_workflow_exec.settings import Pin

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import SignatureRules, SignedStart, Trust
    from pytest_workflow_exec.approval.signature import AllowedSigners, RevokedKeys, Signer
    from pytest_workflow_exec.evidence import HandedIn
    from pytest_workflow_exec.run._history import OpenGate

_ANYBODY = "any listed signer"
"""What the group is called where a gate names none; no group of a policy can have that name."""
_PRESENCE = 3


def trust_of(policy: Policy, *, reachable: frozenset[bytes] = frozenset()) -> Trust:
    """Return whose signatures count, by the pin and by nothing else.

    Args:
        reachable: The encodings of the keys that the run's user could sign with.

    Raises:
        PinError: There is no pin, or it holds no list of signers that can be used.
    """
    if policy.pin is None:
        raise PinError("the policy is unpinned, so that anybody who can edit the project could list a signer")
    return trust_in(policy.pin, reachable=reachable)


def trust_in(pin: Pin, *, reachable: frozenset[bytes] = frozenset()) -> Trust:
    """Return whose signatures count by a pin.

    Args:
        reachable: As for `trust_of`.

    Raises:
        PinError: It holds no list of signers that can be used.
    """
    from pytest_workflow_exec.approval import Trust
    from pytest_workflow_exec.approval.signature import SignersError, allowed_signers, revoked_keys

    signers, revoked = pin.trusted.signers, pin.trusted.revoked
    if signers is None:
        raise PinError("the pin holds no list of signers")
    try:
        return Trust(
            signers=allowed_signers(signers.content, file=signers.path),
            revoked=None if revoked is None else revoked_keys(revoked.content, file=revoked.path),
            reachable=reachable,
        )
    except SignersError as error:
        raise PinError(f"the pinned lists of keys can't be used: {error}") from error


def would_open(gate: OpenGate, files: Iterable[HandedIn], trust: Trust) -> bool:
    """Return whether a suspended gate would open now: by the answers that were taken in, and those that lie beside the log.

    Raises:
        StoredRequestError: What it asks is none.
    """
    from pytest_workflow_exec.run._signed_answers import opens_now

    return opens_now(gate, files, trust)


def rules_for(signed: Signed, policy: Policy, start: SignedStart | None) -> SignatureRules:
    """Return who has to sign at a gate.

    Args:
        start: Who signed the start of the run; None if nobody did.

    Raises:
        PinError: There is no list of signers that counts.
    """
    from pytest_workflow_exec.approval import SignatureRules

    return SignatureRules(
        assurance=signed.assurance,
        approvers=_groups(signed, policy, trust_of(policy).signers),
        required=signed.required,
        min_wait_s=signed.min_wait_s,
        veto=signed.veto,
        starter_excluded=not policy.starter_may_approve,
        starter="" if start is None else start.principal,
        starter_key="" if start is None else start.key,
        refuse_reachable=policy.refuse_reachable_keys,
        in_advance=signed.in_advance,
        break_glass=policy.break_glass,
    )


def signing_problems(signed: Signed, policy: Policy) -> Iterator[str]:
    """Give what keeps a gate from ever being approved."""
    from pytest_workflow_exec.approval.signature import can_check_presence

    unknown = sorted(set(signed.approvers) - policy.approvers.keys())
    if unknown:
        known = ", ".join(sorted(policy.approvers)) or "none"
        yield f"the policy has no group of approvers {', '.join(unknown)} (it has: {known})"
    try:
        trust = trust_of(policy)
    except PinError as error:
        yield (
            f"assurance {signed.assurance} needs a pin with a list of signers: {error}. Write the file workflow-signers "
            "and pin it with `workflow-exec trust`"
        )
        return
    if signed.assurance >= _PRESENCE and not can_check_presence():
        yield "assurance 3 (presence) can't be checked here: install pytest-workflow-exec[sign]"
    if not unknown:
        yield from _shortages(signed, policy, trust)


def _shortages(signed: Signed, policy: Policy, trust: Trust) -> Iterator[str]:
    from pytest_workflow_exec.approval import QuorumRules, roles_of, shortage

    groups = _groups(signed, policy, trust.signers)
    able = {
        name: frozenset(each for each in group if _can_sign(each, signed, trust.signers, trust.revoked))
        for name, group in groups.items()
    }
    for name, group in groups.items():
        if not able[name]:
            what = "a key of a token" if signed.assurance >= _PRESENCE else "a key"
            yield f"nobody of {name} ({', '.join(group) or 'nobody'}) has {what} in {trust.signers.file} that counts"
    now = datetime.now(timezone.utc)
    rules = QuorumRules(
        roles=roles_of(able, signed.required), requested_at=now, min_wait=timedelta(0), veto=signed.veto
    )
    for missing in shortage(rules):
        yield f"{missing.count} more of {missing.role} would have to be able to sign than are"


def _groups(signed: Signed, policy: Policy, signers: AllowedSigners) -> Mapping[str, tuple[str, ...]]:
    if signed.approvers:
        return {name: policy.approvers[name] for name in signed.approvers}
    names = dict.fromkeys(name for signer in signers.signers for name in signer.principals.plain_names())
    return {_ANYBODY: tuple(names)}


def _can_sign(principal: str, signed: Signed, signers: AllowedSigners, revoked: RevokedKeys | None) -> bool:
    return any(
        signer.principals.matches(principal)
        and (signed.assurance < _PRESENCE or signer.key.application is not None)
        and not _is_revoked(signer, revoked)
        for signer in signers.signers
    )


def _is_revoked(signer: Signer, revoked: RevokedKeys | None) -> bool:
    # A binary list costs a process for each key: it is asked when a signature is judged.
    return revoked is not None and signer.key.blob in revoked.blobs
