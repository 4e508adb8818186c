"""`workflow-exec challenge`, and signed answers: what is to be signed, and handing in that it was."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping
from datetime import datetime, timezone

from pytest_workflow_exec.approval import (
    NAMESPACE,
    Answer,
    Ballot,
    BallotRefusedError,
    Proof,
    challenge_of,
    checked,
    moment_of,
)
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import hand_in, read_small

from ._filled import demand_same, filled_beside, filled_by_options
from ._find import log_of
from ._open_gates import GateError, Waiting, waiting_at
from ._plan_in_advance import challenge_in_advance
from ._signed_project import trust_of
from ._written import write_new


def challenge(arguments: argparse.Namespace) -> int:
    """Print the bytes that have to be signed for an answer, or write them to a file; return 0.

    Raises:
        GateError: The gate does not wait, or is answered at a terminal.
        ChallengeError: The question or plan can't be signed.
        EvidenceError: The file can't be written, or is there already.
        LogUnreadableError: There is no such run, or its log can't be read.
    """
    waiting = waiting_at(log_of(arguments.run), arguments.step)
    _demand_signed(waiting)
    if arguments.in_advance:
        return challenge_in_advance(waiting, arguments)
    if arguments.until is not None:
        raise GateError("--until is for --in-advance: the question itself says how long it can be answered")
    content = signed_content(waiting, arguments)
    if arguments.out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return 0
    write_new(arguments.out, content)
    file, step = shlex.quote(str(arguments.out)), shlex.quote(waiting.step)
    how = "approve" if arguments.answer == "approve" else f"reject --reason {shlex.quote(arguments.reason.strip())}"
    sys.stdout.write(
        f"read it, then: ssh-keygen -Y sign -n {NAMESPACE} -f KEY {file}\n"
        f"and then: workflow-exec {how} {waiting.run} {step} --signature {file}.sig\n"
    )
    return 0


def signed_content(waiting: Waiting, arguments: argparse.Namespace) -> bytes:
    """Return the bytes that have to be signed for an answer.

    Raises:
        GateError: A rejection has no reason, or what is filled in is not allowed.
        ChallengeError: The question can't be signed.
    """
    if arguments.answer == "reject" and not arguments.reason.strip():
        raise GateError("a rejection is signed with its reason: --reason TEXT")
    answers: Mapping[str, Json] = {}
    if arguments.answer == "approve":
        answers = filled_by_options(waiting.request.fields_to_fill, arguments.fill)
        demand_same(waiting, answers)
    return challenge_of(waiting.request, arguments.answer, reason=arguments.reason.strip(), answers=answers)


def hand_in_signed(waiting: Waiting, arguments: argparse.Namespace, answer: Answer, *, reason: str = "") -> int:
    """Judge a signature, put the answer beside the log for the run to take in, and say so; return 0.

    Raises:
        GateError: The signature does not count; nothing was written.
        PinError: There is no list of signers here to judge it by.
        EvidenceError: The answer can't be written.
    """
    _demand_signed(waiting)
    ballot, proof = signed_answer(waiting, arguments, answer, reason=reason)
    path = hand_in(waiting.log.parent, ballot.content())
    sys.stdout.write(
        f"{answer} by {proof.principal} ({proof.key_type} {proof.key}) is handed in: {path}\n"
        "pytest with --workflow-resume judges it again and takes it in\n"
    )
    return 0


def signed_answer(
    waiting: Waiting, arguments: argparse.Namespace, answer: Answer, *, reason: str = ""
) -> tuple[Ballot, Proof]:
    """Return an answer whose signature counts as of now, and what it proves.

    Raises:
        GateError: It does not count.
        PinError: There is no list of signers here to judge it by.
    """
    request, now = waiting.request, datetime.now(timezone.utc)
    if now >= moment_of(request.expires):
        raise GateError(f"the question expired at {request.expires}; pytest with --workflow-resume asks again")
    try:
        armor = read_small(arguments.signature).decode("ascii")
    except (OSError, ValueError) as error:
        raise GateError(f"{arguments.signature} can't be read: {error}") from error
    answers: Mapping[str, Json] = {}
    if answer == "approve":
        answers = filled_beside(request.fields_to_fill, arguments.fill, arguments.signature)
        demand_same(waiting, answers)
    ballot = Ballot(
        run=waiting.run,
        step=waiting.step,
        request=waiting.gate.digest,
        answer=answer,
        reason=reason,
        principal=arguments.principal,
        armor=armor,
        answers=answers,
    )
    try:
        return ballot, checked(ballot, request, trust=trust_of(waiting.log), at=now)
    except BallotRefusedError as error:
        raise GateError(f"the signature does not count, and nothing was written: {error}") from error


def _demand_signed(waiting: Waiting) -> None:
    if waiting.request.rules is None:
        raise GateError(f"gate {waiting.step!r} is answered at a terminal: workflow-exec approve, without a signature")
