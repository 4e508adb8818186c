"""`workflow-exec challenge`, and signed answers: what is to be signed, and handing in that it was."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from pytest_workflow_exec.approval import (
    NAMESPACE,
    Answer,
    Ballot,
    BallotRefusedError,
    Trust,
    challenge_of,
    checked,
    moment_of,
)
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import EvidenceError, PinError
from pytest_workflow_exec.evidence import STATE_DIRECTORY, find_pin, hand_in, pin_places, read_small
from pytest_workflow_exec.run import trust_in

from ._filled import demand_same, filled_beside, filled_by_options
from ._find import log_of, project
from ._open_gates import GateError, Waiting, waiting_at


def challenge(arguments: argparse.Namespace) -> int:
    """Print the bytes that have to be signed for an answer, or write them to a file; return 0.

    Raises:
        GateError: The gate does not wait, or is answered at a terminal.
        ChallengeError: The question can't be signed.
        EvidenceError: The file can't be written, or is there already.
        LogUnreadableError: There is no such run, or its log can't be read.
    """
    waiting = waiting_at(log_of(arguments.run), arguments.step)
    _demand_signed(waiting)
    if arguments.answer == "reject" and not arguments.reason.strip():
        raise GateError("a rejection is signed with its reason: --reason TEXT")
    answers: Mapping[str, Json] = {}
    if arguments.answer == "approve":
        answers = filled_by_options(waiting.request.fields_to_fill, arguments.fill)
        demand_same(waiting, answers)
    content = challenge_of(waiting.request, arguments.answer, reason=arguments.reason.strip(), answers=answers)
    if arguments.out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return 0
    _write(arguments.out, content)
    file, step = shlex.quote(str(arguments.out)), shlex.quote(waiting.step)
    how = "approve" if arguments.answer == "approve" else f"reject --reason {shlex.quote(arguments.reason.strip())}"
    sys.stdout.write(
        f"read it, then: ssh-keygen -Y sign -n {NAMESPACE} -f KEY {file}\n"
        f"and then: workflow-exec {how} {waiting.run} {step} --signature {file}.sig\n"
    )
    return 0


def hand_in_signed(waiting: Waiting, arguments: argparse.Namespace, answer: Answer, *, reason: str = "") -> int:
    """Judge a signature, put the answer beside the log for the run to take in, and say so; return 0.

    Raises:
        GateError: The signature does not count; nothing was written.
        PinError: There is no list of signers here to judge it by.
        EvidenceError: The answer can't be written.
    """
    _demand_signed(waiting)
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
        proof = checked(ballot, request, trust=trust_for(waiting.log), at=now)
    except BallotRefusedError as error:
        raise GateError(f"the signature does not count, and nothing was written: {error}") from error
    path = hand_in(waiting.log.parent, ballot.content())
    sys.stdout.write(
        f"{answer} by {proof.principal} ({proof.key_type} {proof.key}) is handed in: {path}\n"
        "pytest with --workflow-resume judges it again and takes it in\n"
    )
    return 0


def _demand_signed(waiting: Waiting) -> None:
    if waiting.request.rules is None:
        raise GateError(f"gate {waiting.step!r} is answered at a terminal: workflow-exec approve, without a signature")


def trust_for(log: Path) -> Trust:
    """Return whose signatures count for a run, by the pin of its project.

    Raises:
        PinError: There is none, or it holds no list that can be used.
    """
    folder = log.resolve().parent
    state = next((parent for parent in folder.parents if parent.name == STATE_DIRECTORY), None)
    root = project() if state is None else state.parent
    pin = find_pin(root, pin_places())
    if pin is None:
        raise PinError(f"{root} is not pinned here: `workflow-exec trust` there says whose signatures count")
    return trust_in(pin)


def _write(path: Path, content: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise EvidenceError(f"{path} is there already, and is kept") from error
    except OSError as error:
        raise EvidenceError(f"{path} can't be written: {error.strerror}") from error
