"""Asking whether the effect of a step is there, before it runs a second time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn
from urllib.parse import quote

from pytest_workflow_exec.errors import (
    CheckInDoubtError,
    CommandNotFoundError,
    CommandRefusedError,
    CommandTimeoutError,
    EffectMissingError,
    EvidenceError,
    ExpectationError,
    OutputError,
    SandboxSetupError,
    VerifyFailedError,
)
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import Call, Check, Command, Step, Verify
from pytest_workflow_exec.run._expect import check_expectation
from pytest_workflow_exec.run._outputs import outputs_that_are_there
from pytest_workflow_exec.run._run import Run
from pytest_workflow_exec.run._values import StepOutputs
from pytest_workflow_exec.run._verify_tests import REPORT_VARIABLE, check_report, child_command, read_report

_COULD_NOT_RUN = (CommandRefusedError, CommandNotFoundError, CommandTimeoutError, SandboxSetupError, OutputError)
_TESTS_FAILED = 1


Caller = Callable[[Call], object]
"""Calls the function of a check, and returns what that returns."""


def perform_check(run: Run, step: Step, *, call: Caller) -> StepOutputs | None:
    """Return what the step under way left, if its check finds its effect there; None if its body has to run.

    Args:
        call: Calls its function, if it is one.

    Raises:
        CheckInDoubtError: The check could not tell.
        EvidenceError: Its commands can't be written down.
    """
    if step.check is None or not run.probing.asks(step):
        return None
    try:
        if not _is_there(run, step, step.check, call):
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


def check_attested(run: Run, step: Step, *, call: Caller) -> None:
    """Return if the check of work by hand finds what a person said was done, or if it has no check.

    Args:
        call: Calls its function, if it is one.

    Raises:
        EffectMissingError: It does not, or could not tell.
        EvidenceError: Its commands can't be written down.
    """
    if step.check is None:
        return
    try:
        there = _is_there(run, step, step.check, call)
    except CheckInDoubtError as error:
        raise EffectMissingError(step=step.id, why=error.why) from error
    except _COULD_NOT_RUN as error:
        raise EffectMissingError(step=step.id, why=str(error)) from error
    if not there:
        raise EffectMissingError(step=step.id, why="it looked, and the effect is not there")
    if isinstance(step.check, Call):
        # No command's record tells what a function found; the end of the step has to.
        run.probing.checked = "there"


def _is_there(run: Run, step: Step, check: Check, call: Caller) -> bool:
    with run.probing.checking():
        if isinstance(check, Verify):
            return _tests_pass(run, step, check)
        return _says(run, step, check, call) if isinstance(check, Call) else _holds(run, step, check)


def _says(run: Run, step: Step, check: Call, call: Caller) -> bool:
    what = f"{check.function} of {check.path.name}"
    try:
        said = call(check)
    except AssertionError:
        return False
    except (CheckInDoubtError, EvidenceError):
        raise
    except Exception as error:  # noqa: BLE001 - the author's code; whatever it raises, it did not tell
        _doubt(step, f"{what} raised {type(error).__name__}: {error}")
    run.check_over(step.id)
    if said is not None and not isinstance(said, bool):
        _doubt(
            step,
            f"{what} returned a value of type {type(said).__name__}; a check returns nothing, True or False, or asserts",
        )
    return said is not False


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
