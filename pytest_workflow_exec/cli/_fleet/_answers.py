"""`workflow-exec fleet pending`, `challenge`, `approve` and `reject`: signed answers to runs on other machines."""

from __future__ import annotations

import argparse
import json
import shlex
import sys
from collections.abc import Iterator

from pytest_workflow_exec.approval import NAMESPACE, Answer
from pytest_workflow_exec.cli._open_gates import GateError, Waiting, waiting_at, waiting_in
from pytest_workflow_exec.cli._signed import signed_answer, signed_content
from pytest_workflow_exec.cli._text import escape
from pytest_workflow_exec.cli._written import write_new
from pytest_workflow_exec.errors import LogUnreadableError, WorkflowExecError
from pytest_workflow_exec.fleet import Database, hand_in_answer, runs_seen

from ._opened import log_from, opened

_MOST = 1000
_LONG_S = 30.0


def pending(arguments: argparse.Namespace) -> int:
    """Print what waits; return 0, or 1 if a log could not be trusted.

    Raises:
        FleetError: There is no fleet.
    """
    problems: list[str] = []
    with opened(arguments) as database:
        found = list(_waiting(database, problems))
    if arguments.json:
        sys.stdout.write(json.dumps([_data(*each) for each in found], indent=2) + "\n")
    else:
        sys.stdout.write("".join(f"{line}\n" for each in found for line in _lines(*each)) or "nothing waits\n")
    for problem in problems:
        sys.stderr.write(f"workflow-exec: {escape(problem)}\n")
    return int(bool(problems))


def challenge_(arguments: argparse.Namespace) -> int:
    """Print the bytes that have to be signed, or write them to a file; return 0.

    Raises:
        FleetError: There is no such run.
        GateError: The gate does not wait, or takes no signature.
    """
    with opened(arguments) as database, log_from(database, arguments.run) as log:
        waiting = waiting_at(log, arguments.step)
        _demand_signed(waiting)
        content = signed_content(waiting, arguments)
    if arguments.out is None:
        sys.stdout.buffer.write(content)
        return 0
    write_new(arguments.out, content)
    file, step = shlex.quote(str(arguments.out)), shlex.quote(waiting.step)
    how = "approve" if arguments.answer == "approve" else f"reject --reason {shlex.quote(arguments.reason.strip())}"
    sys.stdout.write(
        f"read it, then: ssh-keygen -Y sign -n {NAMESPACE} -f KEY {file}\n"
        f"and then: workflow-exec fleet {how} {waiting.run} {step} --signature {file}.sig\n"
    )
    return 0


def approve(arguments: argparse.Namespace) -> int:
    """Hand in a signed approval; return 0.

    Raises:
        FleetError: There is no such run.
        GateError: The gate does not wait, or the signature does not count.
    """
    return _hand_in(arguments, "approve", "")


def reject(arguments: argparse.Namespace) -> int:
    """Hand in a signed rejection; return 0.

    Raises:
        FleetError: There is no such run.
        GateError: The gate does not wait, or the signature does not count.
    """
    return _hand_in(arguments, "reject", arguments.reason.strip())


def _hand_in(arguments: argparse.Namespace, answer: Answer, reason: str) -> int:
    with opened(arguments) as database:
        with log_from(database, arguments.run) as log:
            waiting = waiting_at(log, arguments.step)
            _demand_signed(waiting)
            ballot, proof = signed_answer(waiting, arguments, answer, reason=reason)
        hand_in_answer(database, waiting.run, waiting.step, ballot.content())
    sys.stdout.write(
        f"{answer} by {proof.principal} ({proof.key_type} {proof.key}) is handed in for run {waiting.run}\n"
        "a worker of its project judges it again and goes on\n"
    )
    return 0


def _demand_signed(waiting: Waiting) -> None:
    if waiting.request.rules is None:
        raise GateError(
            f"gate {waiting.step!r} wants no signature, and nothing else proves anything on another machine: give it "
            "`assurance: 2`, or answer it where the run goes on, with `workflow-exec fleet take-over RUN --here`"
        )


def _waiting(database: Database, problems: list[str]) -> Iterator[tuple[str, Waiting]]:
    seen = runs_seen(database, dead_after_s=_LONG_S, limit=_MOST, states=frozenset({"suspended"}))
    for each in seen:
        if each.run is None:
            continue
        try:
            with log_from(database, each.run) as log:
                for waiting in waiting_in(log):
                    yield each.standing.id, waiting
        except (LogUnreadableError, WorkflowExecError) as error:
            problems.append(f"run {each.run}: {error}")


def _data(submission: str, waiting: Waiting) -> dict[str, object]:
    request = waiting.request
    return {
        "submission": submission,
        "run": waiting.run,
        "workflow": request.workflow,
        "step": waiting.step,
        "question": next((words.text for words in request.author_words if words.source == "question"), ""),
        "issued": request.issued,
        "expires": request.expires,
        "digest": waiting.gate.digest,
        "rules": None if request.rules is None else request.rules.to_data(),
        "signed": [{"at": vote.at, "by": vote.data.get("approver")} for vote in waiting.gate.votes],
    }


def _lines(submission: str, waiting: Waiting) -> Iterator[str]:
    data = _data(submission, waiting)
    yield f"run {waiting.run} of workflow {escape(waiting.request.workflow)} waits at gate {waiting.step}"
    yield f"  asks     {escape(str(data['question']))}"
    yield f"  since    {waiting.request.issued}, until {waiting.request.expires}"
    if waiting.request.rules is None:
        yield f"  decide   workflow-exec fleet take-over {submission} --here --reason TEXT, at a terminal of its project"
        return
    yield from (f"  wants    {escape(said)}" for said in waiting.request.rules.said())
    named = f"{waiting.run} {shlex.quote(waiting.step)}"
    yield f"  sign     workflow-exec fleet challenge {named} --out challenge"
    yield f"  decide   workflow-exec fleet approve {named} --signature challenge.sig"
