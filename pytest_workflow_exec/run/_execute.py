"""Executing a plan that a person approved: exactly what was shown, in order, until one command fails."""

from __future__ import annotations

import time

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import CommandFailedError, CommandTimeoutError
from pytest_workflow_exec.model import Execute, Step
from pytest_workflow_exec.run._command_plan import plan_of
from pytest_workflow_exec.run._run import Run
from pytest_workflow_exec.run._values import StepOutputs
from pytest_workflow_exec.sandbox import CommandResult


def perform_execute(run: Run, step: Step, execute: Execute) -> StepOutputs:
    """Run the commands of a plan one after the other, and return what ran.

    It is no transaction: what ran before a command that fails stays done.

    Raises:
        ApprovalLapsedError: It is not the plan that was approved; nothing was run.
        PlanRefusedError: The policy does not allow it; nothing was run.
        CommandRefusedError: The policy does not allow a command now; it was not started.
        CommandFailedError: A command failed; those behind it were not started.
        CommandTimeoutError: They took longer together than the step may.
    """
    plan = plan_of(execute, run.values)
    run.check_plan(step, execute)
    end = None if step.timeout_s is None else time.monotonic() + step.timeout_s
    ran: list[Json] = []
    for number, argv in enumerate(plan.commands, start=1):
        left = None if end is None else end - time.monotonic()
        if left is not None and step.timeout_s is not None and left <= 0:
            raise CommandTimeoutError(argv=argv, timeout_s=step.timeout_s)
        result = run.run_command(step.id, argv, timeout_s=left, planned=True)
        if result.exit != 0:
            raise _failed(result, number=number, total=len(plan.commands))
        ran.append({"argv": list(argv), "exit": result.exit})
    return StepOutputs(values={"commands": ran}, files={})


def _failed(result: CommandResult, *, number: int, total: int) -> CommandFailedError:
    error = CommandFailedError(
        argv=result.argv,
        exit_status=result.exit,
        signal=result.signal,
        stderr=result.stderr,
        stdout=result.stdout,
        truncated=result.truncated,
        flooded=result.flooded,
    )
    ran, left = number - 1, total - number
    error.args = (f"command {number} of {total} failed; {ran} ran before it, {left} were not started.\n{error}",)
    return error
