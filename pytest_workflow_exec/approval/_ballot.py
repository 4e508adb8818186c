"""A signed answer on its way to the run: read from a file, and judged against the signers of that moment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime

from pytest_workflow_exec.digests import Json, canonical_json, digest_of_bytes
from pytest_workflow_exec.lean_dataclasses import dataclass

from . import signature
from ._challenge import NAMESPACE, Answer, ChallengeError, challenge_of
from ._in_advance import plan_challenge_of, valid_until
from ._proof import Proof
from ._refusal import BallotRefusedError
from ._request import GateRequest
from ._rules import SignatureRules

_VERSION = 1
_KEYS = ("run", "step", "request", "answer", "reason", "principal", "armor")
_TERMINAL, _SIGNATURE, _PRESENCE = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """An answer as somebody hands it in. Nothing of it is true before its signature was judged."""

    run: str
    step: str
    request: str
    """The digest of the question."""
    answer: Answer
    reason: str
    principal: str
    """Who is said to have signed; empty to go by the key."""
    armor: str
    until: str = ""
    """When it holds no more, if a plan was approved in advance; empty for an answer to just this question."""
    answers: Mapping[str, Json] = field(default_factory=dict)
    """What is filled into the question's form."""

    def content(self) -> bytes:
        """Return it as its file holds it."""
        fields: dict[str, Json] = {"v": _VERSION, **{key: getattr(self, key) for key in _KEYS}}
        filled: dict[str, Json] = {"answers": self.answers} if self.answers else {}
        return canonical_json({**fields, **filled}).encode("ascii") + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Whose signatures count at this moment."""

    signers: signature.AllowedSigners
    revoked: signature.RevokedKeys | None = None
    reachable: frozenset[bytes] = frozenset()
    """The encodings of the keys that the run's user could sign with."""


def ballot_in(content: bytes) -> Ballot:
    """Return the answer that a file holds.

    Raises:
        BallotRefusedError: It holds none.
    """
    try:
        fields = json.loads(content.decode("ascii"))
        ballot = Ballot(**{key: fields[key] for key in _KEYS}, answers=fields.get("answers", {}))
        is_whole = ballot.content() == content
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BallotRefusedError("it is no decision as workflow-exec approve and reject write it") from error
    texts = all(isinstance(getattr(ballot, key), str) for key in _KEYS)
    if not is_whole or not texts or not isinstance(ballot.answers, dict) or ballot.answer not in ("approve", "reject"):
        raise BallotRefusedError("it is no decision as workflow-exec approve and reject write it")
    return ballot


def checked(
    ballot: Ballot, request: GateRequest, *, trust: Trust, at: datetime, taken_in: datetime | None = None
) -> Proof:
    """Return what an answer to this question proves.

    Args:
        at: The time at which its signer must be valid, aware.
        taken_in: When it was taken in, at which an approval in advance must hold; None for `at`.

    Raises:
        BallotRefusedError: It is about something else, or its signature does not count; says why.
    """
    rules = request.rules
    if rules is None:
        raise BallotRefusedError(f"gate {request.step!r} is answered at a terminal, not by a signature")
    for what, said, asked in (
        ("run", ballot.run, request.run),
        ("step", ballot.step, request.step),
        ("request", ballot.request, request.digest),
    ):
        if said != asked:
            raise BallotRefusedError(f"it is about another {what}: {said}, and not {asked}")
    try:
        message = _message(ballot, request, rules, at if taken_in is None else taken_in)
        principal = _principal(ballot, rules, trust)
        verified = signature.verify_signature(
            message,
            ballot.armor,
            principal=principal,
            namespace=NAMESPACE,
            signers=trust.signers,
            at=at,
            revoked=trust.revoked,
            need_presence=rules.assurance >= _PRESENCE and ballot.answer == "approve",
        )
        key = signature.read_signature(ballot.armor).key
    except signature.SignatureRefusedError as error:
        raise BallotRefusedError(_explained(error, ballot, request)) from error
    except (signature.SignatureToolError, ChallengeError) as error:
        raise BallotRefusedError(str(error)) from error
    if ballot.answer == "approve" and _is_starter(principal, verified.fingerprint, rules):
        raise BallotRefusedError(f"{principal} started the run and may not approve it")
    return Proof(
        principal=principal,
        key=verified.fingerprint,
        key_type=verified.key_type,
        presence=verified.presence,
        user_verified=verified.user_verified,
        checked_by=verified.by,
        challenge=digest_of_bytes(message),
        armor=ballot.armor,
        # A token is asked by software, and answers only to a finger: that it did is in what it signed.
        key_reachable=key.blob in trust.reachable and not verified.presence,
    )


def _message(ballot: Ballot, request: GateRequest, rules: SignatureRules, taken_in: datetime) -> bytes:
    if not ballot.until:
        return challenge_of(request, ballot.answer, reason=ballot.reason, answers=ballot.answers)
    # What a form asks for is not known in advance.
    if not rules.in_advance or ballot.answer != "approve" or ballot.answers or request.fields_to_fill:
        raise BallotRefusedError(f"gate {request.step!r} takes no such answer in advance")
    if problem := valid_until(ballot.until, at=taken_in):
        raise BallotRefusedError(problem)
    return plan_challenge_of(request, ballot.until)


def assurance_of(proof: Proof, rules: SignatureRules) -> int:
    """Return what a signed answer is worth: 3 with presence, 2 without, 1 if the policy says so of its key."""
    if proof.key_reachable and rules.refuse_reachable:
        return _TERMINAL
    return _PRESENCE if proof.presence else _SIGNATURE


def _principal(ballot: Ballot, rules: SignatureRules, trust: Trust) -> str:
    """Return whose signature it is to be.

    Raises:
        BallotRefusedError: Nobody's who may answer, or of one of several.
        SignatureRefusedError: Its key does not count.
    """
    key = signature.read_signature(ballot.armor).key
    if ballot.principal:
        if ballot.principal not in rules.principals:
            raise BallotRefusedError(
                f"{ballot.principal!r} is none of the approvers of this gate: {', '.join(rules.principals)}"
            )
        return ballot.principal
    lines = [signer for signer in trust.signers.signers if signer.key.blob == key.blob]
    found = [name for name in rules.principals if any(line.principals.matches(name) for line in lines)]
    if len(found) > 1:
        raise BallotRefusedError(f"its key is listed for {' and '.join(found)}: say whose it is, with --principal")
    # Of a key that is nobody's here: what is wrong with it is said by whoever judges it.
    return next(iter([*found, *rules.principals]), "")


def _is_starter(principal: str, key: str, rules: SignatureRules) -> bool:
    return rules.starter_excluded and bool(rules.starter) and (principal == rules.starter or key == rules.starter_key)


def _explained(error: signature.SignatureRefusedError, ballot: Ballot, request: GateRequest) -> str:
    if error.refusal == "other bytes" and ballot.until:
        return (
            f"{error}. It is about another plan, gate, policy or time: sign exactly what `workflow-exec challenge "
            f"{request.run} {request.step} --in-advance --until {ballot.until}` writes"
        )
    if error.refusal == "other bytes":
        return (
            f"{error}. Sign exactly what `workflow-exec challenge {request.run} {request.step}` writes, for the answer "
            f"{ballot.answer!r}: a signature of another run, step, request or answer is none"
        )
    if error.refusal == "listed under another principal" and not ballot.principal:
        return f"its key is listed, but for none of the approvers of this gate ({error})"
    return str(error)
