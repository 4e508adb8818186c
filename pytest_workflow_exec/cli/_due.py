"""`workflow-exec due`: the suspended runs that can go on now, for whoever lets them go on at set times."""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from pathlib import Path

from pytest_workflow_exec.errors import PinError, WorkflowExecError
from pytest_workflow_exec.evidence import LOG_NAME, handed_in, run_ids, runs_directory
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.run import History, OpenGate, would_open
from pytest_workflow_exec.verify import verify_log

from ._find import project
from ._text import escape

_UNTRUSTED = _NOT_PASSED = 1
_SIGNALLED = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """A suspended run that can go on."""

    run: str
    workflow: str
    file: str
    """The workflow's, from the project's root."""
    step: str
    """Where it waits."""
    reason: str
    status: int | None = None
    """How pytest exited that went on with it; None if none did."""


class DueError(WorkflowExecError):
    """A run's log can't be trusted, or its workflow is gone."""


def due(arguments: argparse.Namespace) -> int:
    """Print what is due, and let it go on if that is asked for; return the worst status, 1 for a log not to be trusted.

    Raises:
        LogUnreadableError: There is no project here.
    """
    root = project()
    found = list(_due_in(root, datetime.now(timezone.utc)))
    runs = [each for each in found if isinstance(each, Due)]
    for each in found:
        if not isinstance(each, Due):
            sys.stderr.write(f"workflow-exec: {escape(str(each))}\n")
    if not arguments.json:
        sys.stdout.write("".join(map(_line, runs)) or "nothing is due\n")
        sys.stdout.flush()
    if arguments.resume:
        runs = [_gone_on(root, each, quiet=arguments.json) for each in runs]
    if arguments.json:
        sys.stdout.write(json.dumps([dataclasses.asdict(each) for each in runs], indent=2) + "\n")
    statuses = [each.status or 0 for each in runs]
    return max([*statuses, _UNTRUSTED if len(runs) < len(found) else 0])


def _due_in(root: Path, now: datetime) -> Iterator[Due | WorkflowExecError]:
    seen: set[str] = set()
    for run in run_ids(root):
        log = runs_directory(root) / run / LOG_NAME
        if not log.exists():
            continue
        try:
            history = History.of(log)
            workflow = str(history.facts.get("workflow"))
            # Going on means the newest run of a workflow: an older one was given up for it.
            if workflow in seen:
                continue
            seen.add(workflow)
            yield from _due_of(root, run, log, history, now)
        except WorkflowExecError as error:
            yield error


def _due_of(root: Path, run: str, log: Path, history: History, now: datetime) -> Iterator[Due]:
    reasons = list(_reasons(log, history, now))
    if not reasons:
        return
    verdict = verify_log(log)
    if verdict.word in ("broken", "unreadable"):
        raise DueError(f"{log} is {verdict.word}: {verdict.message}. The run does not go on")
    if verdict.result != "suspended":
        return
    file = str(history.facts.get("file"))
    if not (root / file).is_file():
        raise DueError(f"run {run} can't go on: its workflow {file} is gone")
    step, reason = reasons[0]
    yield Due(run=run, workflow=str(verdict.workflow), file=file, step=step, reason=reason)


def _reasons(log: Path, history: History, now: datetime) -> Iterator[tuple[str, str]]:
    for step, gate in history.open_gates.items():
        reason = _reason(log, gate, now) if gate.suspended else None
        if reason is not None:
            yield step, reason
    for step, until in history.waits_until.items():
        if _is_past(until, now):
            yield step, f"its pause was over at {until}"


def _reason(log: Path, gate: OpenGate, now: datetime) -> str | None:
    if gate.decision == "approved":
        return f"it was approved by {gate.approver}"
    if gate.is_signed and _is_signed_enough(log, gate):
        return "enough of those who have to sign did"
    # After a rejection nothing goes on unless a person redoes the gate.
    expires = str(gate.request.get("expires"))
    return f"its question expired at {expires}" if gate.decision is None and _is_past(expires, now) else None


def _is_signed_enough(log: Path, gate: OpenGate) -> bool:
    # Loaded where a gate wants signatures: most runs that wait need nothing of it.
    from ._signed_project import trust_of

    try:
        return would_open(gate, handed_in(log.parent), trust_of(log))
    except PinError:
        # Nobody's signature counts here: the run would not get through either.
        return False


def _is_past(moment: str, now: datetime) -> bool:
    try:
        return datetime.fromisoformat(moment.replace("Z", "+00:00")) <= now
    except (TypeError, ValueError) as error:
        raise DueError(f"{moment!r} in a log is no time") from error


def _gone_on(root: Path, each: Due, *, quiet: bool) -> Due:
    done = subprocess.run(  # noqa: S603  # this interpreter, and a file that a log that is not broken names
        _command(root, each),
        cwd=root,
        # At set times nobody is there: what needs a person is refused, and does not wait for one.
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr if quiet else None,
        check=False,
    )
    status = done.returncode if done.returncode >= 0 else _SIGNALLED - done.returncode
    if status == 0 and verify_log(runs_directory(root) / each.run / LOG_NAME).result != "passed":
        # A step can end pytest with any status; what the run came to, its log tells.
        sys.stderr.write(f"workflow-exec: run {each.run} did not pass, though pytest exited with 0\n")
        status = _NOT_PASSED
    return dataclasses.replace(each, status=status)


def _command(root: Path, each: Due) -> Sequence[str]:
    return [sys.executable, "-m", "pytest", str(root / each.file), "--workflow-resume", f"--workflow-run={each.run}"]


def _line(each: Due) -> str:
    return f"run {each.run} of workflow {escape(each.workflow)}, at {escape(each.step)}: {escape(each.reason)}\n"
