"""`challenge` and `approve` with `--in-advance`: a plan that later runs of a workflow may execute without asking."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path

from pytest_workflow_exec.approval import (
    MAX_VALID,
    NAMESPACE,
    Ballot,
    BallotRefusedError,
    PlanApproval,
    PlanSignature,
    checked,
    moment_text,
    plan_approval_in,
    plan_challenge_of,
    valid_until,
)
from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.evidence import keep_approved_plan, plans_folder, read_approved_plan, read_log, read_small

from ._open_gates import GateError, Waiting
from ._signed_project import project_of, trust_of
from ._written import write_new

_DEFAULT_S = 30 * 86400.0


def challenge_in_advance(waiting: Waiting, arguments: argparse.Namespace) -> int:
    """Print what has to be signed to let later runs execute this plan, or write it to a file; return 0.

    Raises:
        GateError: The gate takes no approval in advance, or it is to hold at no time that may be signed.
        ChallengeError: It can't be signed.
        EvidenceError: The file can't be written, or is there already.
    """
    _demand_in_advance(waiting)
    if arguments.answer != "approve" or arguments.reason:
        raise GateError("nothing is rejected in advance: what nobody signed does not run")
    until = _until(arguments.until)
    content = plan_challenge_of(waiting.request, until)
    if arguments.out is None:
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return 0
    write_new(arguments.out, content)
    file, step = shlex.quote(str(arguments.out)), shlex.quote(waiting.step)
    sys.stdout.write(
        f"read it, then: ssh-keygen -Y sign -n {NAMESPACE} -f KEY {file}\n"
        f"and then: workflow-exec approve {waiting.run} {step} --in-advance --until {until} --signature {file}.sig\n"
    )
    return 0


def approve_in_advance(waiting: Waiting, arguments: argparse.Namespace) -> int:
    """Judge a signature under a plan, and keep it beside the workflow file for later runs; return 0.

    Raises:
        GateError: The signature does not count; nothing was written.
        PinError: There is no list of signers here to judge it by.
        EvidenceError: The file can't be read or written.
        LogUnreadableError: The log can't be read.
    """
    _demand_in_advance(waiting)
    if arguments.signature is None or arguments.until is None:
        raise GateError("a plan is approved in advance by a signature: --until and --signature, as challenge says")
    until = _until(arguments.until)
    try:
        armor = read_small(arguments.signature).decode("ascii")
    except (OSError, ValueError) as error:
        raise GateError(f"{arguments.signature} can't be read: {error}") from error
    ballot = Ballot(
        run=waiting.run,
        step=waiting.step,
        request=waiting.gate.digest,
        answer="approve",
        reason="",
        principal=arguments.principal,
        armor=armor,
        until=until,
    )
    try:
        now = datetime.now(timezone.utc)
        proof = checked(ballot, waiting.request, trust=trust_of(waiting.log), at=now)
        path = _keep(waiting, until, PlanSignature(proof.principal, armor))
    except BallotRefusedError as error:
        raise GateError(f"the signature does not count, and nothing was written: {error}") from error
    sys.stdout.write(
        f"the plan is approved in advance until {until} by {proof.principal} ({proof.key_type} {proof.key}): {path}\n"
        "keep it in the project's repository; runs judge it anew each time\n"
    )
    return 0


def _keep(waiting: Waiting, until: str, signature: PlanSignature) -> Path:
    request = waiting.request
    approval = PlanApproval(
        workflow=request.workflow, gate=request.step, until=until, challenge=plan_challenge_of(request, until)
    )
    path = plans_folder(project_of(waiting.log) / _file_of(waiting), request.workflow) / approval.name
    before = read_approved_plan(path)
    if before is not None:
        found = plan_approval_in(before)
        if (found.workflow, found.gate, found.challenge) != (approval.workflow, approval.gate, approval.challenge):
            raise BallotRefusedError(f"{path} holds another plan; look at it, and remove it")
        approval = found
    keep_approved_plan(path, approval.with_signature(signature).content())
    return path


def _file_of(waiting: Waiting) -> Path:
    """Return the workflow's file from the project on, as the log has it."""
    plan: object = None
    for record in read_log(waiting.log):
        if record.type in ("run.started", "run.resumed"):
            plan = record.data.get("plan", plan)
    file = plan.get("file") if isinstance(plan, Mapping) else None
    if not isinstance(file, str) or Path(file).is_absolute() or ".." in Path(file).parts:
        raise GateError("the log does not say which file the workflow stands in")
    return Path(file)


def _demand_in_advance(waiting: Waiting) -> None:
    if waiting.request.rules is None or not waiting.request.rules.in_advance:
        raise GateError(
            f"gate {waiting.step!r} takes no approval in advance: that needs in_advance: true in the workflow, and a plan "
            "behind the gate"
        )


def _until(text: str | None) -> str:
    now = datetime.now(timezone.utc)
    try:
        moment = text if text is not None and "T" in text else None
        until = moment or moment_text(now + timedelta(seconds=_DEFAULT_S if text is None else parse_duration(text)))
    except (ValueError, OverflowError) as error:
        raise GateError(f"--until takes a duration of at most {MAX_VALID.days}d, or a moment: {error}") from error
    if problem := valid_until(until, at=now):
        raise GateError(f"nothing can be approved like this: {problem}")
    return until
