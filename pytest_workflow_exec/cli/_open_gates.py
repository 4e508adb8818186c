"""The gates at which runs of the project wait for a decision, as their logs tell it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pytest_workflow_exec.approval import GateRequest, request_of
from pytest_workflow_exec.errors import LogUnreadableError, WorkflowExecError
from pytest_workflow_exec.evidence import LOG_NAME, run_ids, runs_directory
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import StepId
from pytest_workflow_exec.run import History, OpenGate
from pytest_workflow_exec.verify import verify_log


class GateError(WorkflowExecError):
    """A gate can't be decided."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A gate that waits, or waited until somebody decided."""

    log: Path
    run: str
    step: str
    gate: OpenGate
    request: GateRequest


def waiting_in(log: Path) -> list[Waiting]:
    """Return the gates at which a run is suspended.

    Raises:
        GateError: The log can't be trusted.
        LogUnreadableError: It can't be read.
        StoredRequestError: A question in it is none.
    """
    history = History.of(log)
    if not any(gate.suspended for gate in history.open_gates.values()):
        return []
    verdict = verify_log(log)
    if verdict.word in ("broken", "unreadable"):
        raise GateError(f"{log} is {verdict.word}: {verdict.message}. Nothing can be decided on it")
    if verdict.result != "suspended":
        return []
    return [
        Waiting(
            log=log,
            run=str(verdict.run),
            step=step,
            gate=gate,
            request=request_of(gate.request, digest=gate.digest),
        )
        for step, gate in history.open_gates.items()
        if gate.suspended
    ]


def waiting_at(log: Path, step: str) -> Waiting:
    """Return a gate that waits for a decision.

    Raises:
        GateError: It does not wait, or the log can't be trusted.
        LogUnreadableError: The log can't be read.
        StoredRequestError: The question in it is none.
    """
    found = waiting_in(log)
    for waiting in found:
        if waiting.step == step:
            if waiting.gate.decision is not None:
                how = f"{waiting.gate.decision} by {waiting.gate.approver}"
                raise GateError(f"gate {step!r} was {how} already; {way_on(step, str(waiting.gate.decision))}")
            return waiting
    names = ", ".join(waiting.step for waiting in found) or "none"
    raise GateError(f"run {log.parent.name} does not wait at a gate {step!r} (it waits at: {names})")


def way_on(step: StepId, decision: str) -> str:
    """Return in words how a run goes on whose gate was decided while it was suspended."""
    how = "goes on" if decision == "approved" else f"--workflow-redo {step} asks again, and for a reason"
    return f"pytest with --workflow-resume {how}"


def waiting_everywhere(root: Path) -> Iterator[Waiting | tuple[Path, WorkflowExecError]]:
    """Give every gate that waits in a project, newest run first, and for a log that can't be trusted why."""
    for run in run_ids(root):
        log = runs_directory(root) / run / LOG_NAME
        if not log.exists():
            continue
        try:
            yield from waiting_in(log)
        except (LogUnreadableError, WorkflowExecError) as error:
            yield log, error
