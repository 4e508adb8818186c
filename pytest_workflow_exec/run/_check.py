"""Asking whether the effect of a step is there, before it runs a second time."""

from __future__ import annotations

from dataclasses import replace
from typing import NoReturn
from urllib.parse import quote

from pytest_workflow_exec.errors import (
    CheckInDoubtError,
    CommandNotFoundError,
    CommandRefusedError,
    CommandTimeoutError,
    EffectMissingError,
    ExpectationError,
    OutputError,
    SandboxSetupError,
    VerifyFailedError,
)
from pytest_workflow_exec.model import Command, Step, Verify
from pytest_workflow_exec.run._expect import check_expectation
from pytest_workflow_exec.run._outputs import outputs_that_are_there
from pytest_workflow_exec.run._run import Run
from pytest_workflow_exec.run._values import StepOutputs
from pytest_workflow_exec.run._verify_tests import REPORT_VARIABLE, check_report, child_command, read_report

_COULD_NOT_RUN = (CommandRefusedError, CommandNotFoundError, CommandTimeoutError, SandboxSetupError, OutputError)
_TESTS_FAILED = 1


def perform_check(run: Run, step: Step) -> StepOutputs | None:
    """Return what the step under way left, if its check finds its effect there; None if its body has to run.

    Raises:
        CheckInDoubtError: The check could not tell.
        EvidenceError: Its commands can't be written down.
    """
    if step.check is None or not run.probing.asks(step):
        return None
    try:
        with run.probing.checking():
            there = (
                _tests_pass(run, step, step.check) if isinstance(step.check, Verify) else _holds(run, step, step.check)
            )
        if not there:
            return None
        outputs = outputs_that_are_there(step.body.outputs if isinstance(step.body, Command) else (), run.values)
    except _COULD_NOT_RUN as error:
        run.probing.checked = "in doubt"
        raise CheckInDoubtError(step=step.id, why=str(error)) from error
    except CheckInDoubtError:
        run.probing.checked = "in doubt"
        raise
    run.probing.checked = "there"
    return outputs


def check_attested(run: Run, step: Step) -> None:
    """Return if the check of work by hand finds what a person said was done, or if it has no check.

    Raises:
        EffectMissingError: It does not, or could not tell.
        EvidenceError: Its commands can't be written down.
    """
    if step.check is None:
        return
    try:
        with run.probing.checking():
            there = (
                _tests_pass(run, step, step.check) if isinstance(step.check, Verify) else _holds(run, step, step.check)
            )
    except CheckInDoubtError as error:
        raise EffectMissingError(step=step.id, why=error.why) from error
    except _COULD_NOT_RUN as error:
        raise EffectMissingError(step=step.id, why=str(error)) from error
    if not there:
        raise EffectMissingError(step=step.id, why="it looked, and the effect is not there")


def _holds(run: Run, step: Step, check: Command) -> bool:
    argv = [word for argument in check.argv for word in run.values.arguments(argument)]
    result = run.run_command(step.id, argv, timeout_s=step.timeout_s)
    if result.exit is None or result.flooded:
        _doubt(step, f"{argv[0]} was killed")
    reads = bool(check.expect.stdout or check.expect.stderr or check.expect.json)
    if reads and result.truncated:
        _doubt(step, f"{argv[0]} printed more than is kept")
    try:
        check_expectation(replace(check.expect, stdout=(), stderr=(), json=()), result, run.values)
    except ExpectationError as error:
        if reads:
            # What it prints says something only if it worked.
            _doubt(step, str(error))
        return False
    try:
        check_expectation(check.expect, result, run.values)
    except ExpectationError:
        return False
    return True


def _tests_pass(run: Run, step: Step, check: Verify) -> bool:
    folder = run.scratch / f"{quote(step.id, safe='')}.check"
    folder.mkdir(mode=0o700)
    report_path = folder / "report.json"
    result = run.run_tests(
        step.id,
        child_command(check),
        timeout_s=step.timeout_s,
        variables={REPORT_VARIABLE: str(report_path)},
        folder=folder,
    )
    if result.exit not in (0, _TESTS_FAILED):
        _doubt(step, f"its tests did not get through: pytest ended with {result.exit}")
    try:
        report = read_report(report_path)
        if result.exit == 0:
            check_report(report, skips_allowed=check.skips_allowed)
    except VerifyFailedError as error:
        _doubt(step, str(error))
    return result.exit == 0


def _doubt(step: Step, why: str) -> NoReturn:
    raise CheckInDoubtError(step=step.id, why=why)
