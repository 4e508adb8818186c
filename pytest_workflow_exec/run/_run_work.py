"""What the step under way may do: commands, tests, questions to models, secrets, and what is noted of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import (
    ProcessStartError,
    SecretMissingError,
)
from pytest_workflow_exec.model import Execute, Step, StepId
from pytest_workflow_exec.run._run_parts import RunParts
from pytest_workflow_exec.sandbox import PLAIN

if TYPE_CHECKING:
    from pytest_workflow_exec.run._answers import Answers
    from pytest_workflow_exec.sandbox import CommandResult, ProcessStart, Surroundings


class RunWork(RunParts):
    """Lets a step work, and nothing that is not under way."""

    def secret(self, name: str) -> str:
        """Return the secret of that name, which from now on is masked wherever it appears.

        Raises:
            SecretMissingError: No variable holds it, and the policy says no other place.
            SecretSourceError: It can't be had from where the policy says that it stands.
        """
        value = self._settings.environment.get(name)
        if not value:
            raise SecretMissingError(step=self.state.running, name=name)
        # Before anybody has it: what holds it can be shown the moment after.
        self.redactor.add(name, value)
        return value

    def note_use(self, step: StepId) -> None:
        """Take note that the code of the step under way looks at the outputs of another."""
        self._used.add(step)

    def note_context(self, facts: Mapping[str, Json]) -> None:
        """Take note of a context that the code of the step under way was given."""
        self._contexts.append(dict(facts))

    def run_command(
        self,
        step: StepId,
        argv: Sequence[str],
        *,
        timeout_s: float | None = None,
        surroundings: Surroundings = PLAIN,
        planned: bool = False,
    ) -> CommandResult:
        """Run one command of the step that is under way.

        Args:
            planned: Whether it is the command of a `run:` step, or of a plan that was approved; no other can be gated.

        Raises:
            StepOrderError: The step is not under way: its right to run commands ended with it.
            CommandRefusedError: The policy does not allow it; nothing was started.
            CommandNotFoundError: Its program does not exist.
            CommandTimeoutError: It took longer than `timeout_s`.
        """
        __tracebackhide__ = True
        return self._commands.run(
            step,
            argv,
            attempt=self._attempts.get(step, 1),
            timeout_s=timeout_s,
            surroundings=surroundings,
            planned=planned,
        )

    def run_tests(
        self,
        step: StepId,
        argv: Sequence[str],
        *,
        timeout_s: float | None,
        variables: Mapping[str, str],
        folder: Path,
    ) -> CommandResult:
        """Run the engine's own child pytest for the step that is under way; it needs no rule.

        Args:
            folder: Where it leaves its report.

        Raises:
            StepOrderError: The step is not under way.
            CommandTimeoutError: It took longer than `timeout_s`.
        """
        __tracebackhide__ = True
        return self._commands.run_tests(
            step, argv, attempt=self._attempts.get(step, 1), timeout_s=timeout_s, variables=variables, folder=folder
        )

    def note_process(self, step: StepId, start: ProcessStart) -> None:
        """Record that Python code of the step under way starts a process past the sandbox; return if it may.

        Raises:
            ProcessStartError: The policy does not accept it.
            EvidenceError: It can't be written.
        """
        __tracebackhide__ = True
        what = f"{start.call} at {start.place}, past the sandbox"
        attempt = self._attempts.get(step, 1)
        if self.policy.python_processes == "record":
            self._journal.record(
                events.process_noted(step, attempt=attempt, argv=start.argv, what=what, place=start.place)
            )
            return
        self._journal.record(events.command_refused(step, attempt=attempt, argv=start.argv, reason=what))
        raise ProcessStartError(step=step, call=start.call, argv=start.argv, place=start.place)

    def check_plan(self, step: Step, execute: Execute) -> None:
        """Return if a plan of commands is the very one that a gate of this run showed and a person approved.

        Raises:
            GateDeniedError: No decision covers it.
            ApprovalLapsedError: It is another one.
            PlanRefusedError: The policy does not allow one of its commands.
        """
        self._gatekeeper.check_plan(step, execute)

    @contextmanager
    def asking(self, step: StepId) -> Iterator[None]:
        """Let the step that is under way ask a model as long as the context lasts; it can't end meanwhile.

        Raises:
            StepOrderError: The step is not under way.
        """
        with self._commands.one_of(step):
            yield

    def record_asking(self, event: events.Event) -> None:
        """Write what a step asks a model, or what came of it; returns when that is durable.

        Raises:
            EvidenceError: It can't be written.
        """
        self._journal.record(event)
        self._journal.barrier()

    @property
    def answers(self) -> Answers:
        """What came of the run's requests to models so far."""
        from pytest_workflow_exec.run._answers import answers_of

        return answers_of(self.workflow, self.log_path)

    def check_over(self, step: StepId) -> None:
        """Return if the step can end: nothing of it goes on, and what was approved before it is what it used.

        Raises:
            StillRunningError: A command of it is running: the step returned while a thread of it goes on.
            OutputError: A file that was approved is gone or changed.
        """
        self._commands.check_quiet(step)
        if self._gates[step] is not None:
            self._gatekeeper.check_after(step)
