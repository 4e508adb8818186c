"""Processes that a step's Python code starts past the sandbox: the step that is under way answers for them."""

from __future__ import annotations

from pytest_workflow_exec.errors import ProcessStartError
from pytest_workflow_exec.model import Step
from pytest_workflow_exec.run import Run
from pytest_workflow_exec.sandbox import ProcessStart, watched_processes

from ._attempt import Attempt


def watch_processes(attempt: Attempt, run: Run, step: Step) -> None:
    """See to it that the step fails if it starts one before its attempt is over, unless the policy only records them.

    Raises:
        SandboxSetupError: They can't be seen here.
    """

    def seen(start: ProcessStart) -> None:
        __tracebackhide__ = True
        try:
            run.note_process(step.id, start)
        except ProcessStartError as error:
            # Kept apart from what the code makes of it: whoever catches it fails as well.
            attempt.processes.append(error)
            raise

    attempt.watch(watched_processes(run.workflow.root, seen=seen))
