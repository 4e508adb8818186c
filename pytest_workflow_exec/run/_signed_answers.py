"""Signed answers to one question: read from records and files, judged, and counted as of now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from datetime import datetime, timezone

from pytest_workflow_exec.approval import (
    Approved,
    Ballot,
    BallotRefusedError,
    GateRequest,
    Open,
    Proof,
    Quorum,
    SignatureRules,
    Trust,
    Vote,
    assurance_of,
    ballot_in,
    checked,
    moment_of,
    quorum,
    request_of,
)
from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import HandedIn
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.run._form import answers_problem
from pytest_workflow_exec.run._history import OpenGate
from pytest_workflow_exec.run._signed_question import filled_into


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedAnswer:
    """An answer whose signature was judged."""

    vote: Vote
    assurance: int
    filled: Mapping[str, Json] = field(default_factory=dict)
    """What it fills into the form."""


def rules_in(request: GateRequest) -> SignatureRules:
    """Return who has to sign.

    Raises:
        WorkflowExecError: Nobody has to.
    """
    if request.rules is None:
        message = f"gate {request.step!r} wants no signatures"
        raise WorkflowExecError(message)
    return request.rules


def countable(answers: Sequence[SignedAnswer], rules: SignatureRules) -> list[Vote]:
    """Return the votes that count: those that are worth enough, and against it all."""
    # A word against it counts whatever it is worth; those who approve agree on what is filled in.
    standing = standing_form(answers, rules)
    return [
        each.vote
        for each in answers
        if not each.vote.approves or (each.assurance >= rules.assurance and each.filled == standing)
    ]


def standing_form(answers: Sequence[SignedAnswer], rules: SignatureRules) -> Mapping[str, Json] | None:
    """Return what the first approval that counts fills into the form; None if none counts yet."""
    counting = [each for each in answers if each.vote.approves and each.assurance >= rules.assurance]
    return min(counting, key=lambda each: each.vote.at).filled if counting else None


def demand_same_form(ballot: Ballot, standing: Mapping[str, Json] | None) -> None:
    """Return if an answer fills in what those before it do.

    Raises:
        BallotRefusedError: It fills in something else.
    """
    if ballot.answer == "approve" and standing is not None and ballot.answers != standing:
        raise BallotRefusedError(
            f"it fills in something else than whoever signed first: {canonical_json(ballot.answers)}, and not "
            f"{canonical_json(standing)}"
        )


def amount_to(rules: SignatureRules, request: GateRequest, votes: Sequence[Vote]) -> Quorum:
    """Return what the votes amount to, as of now."""
    return quorum(rules.quorum(issued=request.issued, expires=request.expires), votes, datetime.now(timezone.utc))


def answer_by(proof: Proof, ballot: Ballot, rules: SignatureRules, at: datetime) -> SignedAnswer:
    """Return an answer whose signature was judged.

    Args:
        at: When it was given.
    """
    vote = Vote(principal=proof.principal, key=proof.key, approves=ballot.answer == "approve", at=at)
    return SignedAnswer(vote=vote, assurance=assurance_of(proof, rules), filled=ballot.answers)


def against(principal: str, at: datetime) -> SignedAnswer:
    """Return a word against it that stands, whatever became of its key."""
    return SignedAnswer(vote=Vote(principal=principal, key=f"of {principal}", approves=False, at=at), assurance=0)


def ballot_of(data: Mapping[str, Json], request: GateRequest) -> Ballot:
    """Return the answer that a record of a decision holds.

    Raises:
        BallotRefusedError: It holds no signature.
    """
    armor = armor_of(data)
    if armor is None or data.get("channel") != "signature":
        raise BallotRefusedError("nobody signed it")
    return Ballot(
        run=request.run,
        step=request.step,
        request=str(data.get("digest")),
        answer="approve" if data.get("decision") == "approved" else "reject",
        reason=str(data.get("reason")),
        principal=str(data.get("approver")),
        armor=armor,
        until=_until_of(data),
        answers=filled_into(data),
    )


def _until_of(data: Mapping[str, Json]) -> str:
    early = data.get("in_advance")
    return str(early.get("until")) if isinstance(early, Mapping) else ""


def armor_of(data: Mapping[str, Json]) -> str | None:
    """Return the signature in the data of a decision; None if nobody signed it."""
    proof = data.get("proof")
    armor = proof.get("armor") if isinstance(proof, Mapping) else None
    return armor if isinstance(armor, str) else None


def missing_in(found: Open) -> str:
    """Return what is still missing, in words."""
    parts = [f"{each.count} of {each.role}" for each in found.missing]
    if found.not_before is not None:
        parts.append(f"time until {found.not_before.strftime('%Y-%m-%dT%H:%M:%SZ')}")
    return " and ".join(parts)


def handed_ballot(file: HandedIn) -> Ballot:
    """Return the answer in a file beside the log.

    Raises:
        BallotRefusedError: It holds none.
    """
    if file.problem:
        raise BallotRefusedError(file.problem)
    return ballot_in(file.content)


def opens_now(gate: OpenGate, files: Iterable[HandedIn], trust: Trust) -> bool:
    """Return whether a suspended gate would open now: by the answers that were taken in, and those that lie beside the log.

    Raises:
        StoredRequestError: What it asks is none.
    """
    request, now = request_of(gate.request, digest=gate.digest), datetime.now(timezone.utc)
    rules, answers = rules_in(request), list[SignedAnswer]()
    for vote in gate.votes:
        try:
            ballot = ballot_of(vote.data, request)
            answers.append(answer_by(checked(ballot, request, trust=trust, at=now), ballot, rules, moment_of(vote.at)))
        except BallotRefusedError:
            if vote.data.get("decision") == "rejected":
                answers.append(against(str(vote.data.get("approver")), moment_of(vote.at)))
    for file in files:
        try:
            ballot = handed_ballot(file)
            answer = answer_by(checked(ballot, request, trust=trust, at=now), ballot, rules, now)
        except BallotRefusedError:
            continue
        if ballot.answer == "reject" or answers_problem(request.fields_to_fill, ballot.answers) is None:
            answers.append(answer)
    return isinstance(amount_to(rules, request, countable(answers, rules)), Approved)
