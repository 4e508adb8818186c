"""What the steps do that need no code of the project: commands, and tests run as one step."""

from __future__ import annotations

from urllib.parse import quote

from pytest_workflow_exec.errors import VerifyFailedError
from pytest_workflow_exec.model import Command, Step, Verify
from pytest_workflow_exec.run._expect import check_expectation, check_poll
from pytest_workflow_exec.run._outputs import outputs_of_command
from pytest_workflow_exec.run._run import Run
from pytest_workflow_exec.run._surroundings import surroundings_of
from pytest_workflow_exec.run._values import StepOutputs
from pytest_workflow_exec.run._verify_tests import REPORT_VARIABLE, check_report, child_command, held_back, read_report


def perform_command(run: Run, step: Step, command: Command) -> StepOutputs:
    """Run a `run:` step's command and return what it left.

    Raises:
        CommandRefusedError: The policy does not allow it; nothing was started.
        CommandNotFoundError: Its program does not exist.
        CommandTimeoutError: It took longer than the step may.
        ExpectationError: It did not do what the step expects.
        OutputError: A value it needs, or an output it declares, is not there.
    """
    argv = [word for argument in command.argv for word in run.values.arguments(argument)]
    surroundings = surroundings_of(command, run.values)
    result = run.run_command(step.id, argv, timeout_s=step.timeout_s, surroundings=surroundings, planned=True)
    check_poll(step.poll, result, run.values)
    check_expectation(command.expect, result, run.values)
    return outputs_of_command(command.outputs, result, run.values)


def perform_verify(run: Run, step: Step, verify: Verify) -> StepOutputs:
    """Run a `verify:` step's tests and return how many passed.

    Raises:
        VerifyFailedError: They did not all run and pass.
        CommandTimeoutError: They took longer than the step may.
        ExpectationError: pytest exited otherwise than expected.
    """
    # One for each attempt: what an earlier one reported proves nothing of this.
    folder = run.scratch / f"{quote(step.id, safe='')}.{run.attempt_of(step.id)}.tests"
    folder.mkdir(mode=0o700)
    report_path = folder / "report.json"
    result = run.run_tests(
        step.id,
        child_command(verify),
        timeout_s=step.timeout_s,
        variables={REPORT_VARIABLE: str(report_path)},
        folder=folder,
    )
    check_poll(step.poll, result, run.values)
    if not report_path.exists():
        # pytest itself did not get far enough to report: its own words say more than ours.
        if (why := held_back(result.stdout + result.stderr)) is not None:
            raise VerifyFailedError(f"{why}\n{_tail(result.stderr or result.stdout)}")
        check_expectation(verify.expect, result, run.values)
    report = read_report(report_path)
    try:
        check_report(report, skips_allowed=verify.skips_allowed, failures_expected=bool(verify.expect.exit))
    except VerifyFailedError as error:
        raise VerifyFailedError(f"{error}\n{_tail(result.stdout)}") from error
    check_expectation(verify.expect, result, run.values)
    passed = sum(outcome == "passed" for outcome in report.ran.values())
    return StepOutputs(values={"passed": passed, "exit": result.exit}, files={})


_TAIL_LINES = 60


def _tail(text: str) -> str:
    lines = text.rstrip().splitlines()
    return "\n".join(lines[-_TAIL_LINES:])
