"""One run of one workflow: the only place where its log, its state and its commands meet."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import StepOrderError, StillRunningError
from pytest_workflow_exec.evidence import EvidenceLog, Head, create_run_directory, new_run_id
from pytest_workflow_exec.model import Command, Gate, Outcome, RunId, Step, StepId, Workflow
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run._facts import run_facts
from pytest_workflow_exec.run._gatekeeper import Approver, Gatekeeper
from pytest_workflow_exec.run._journal import Journal
from pytest_workflow_exec.run._lock import RunLock
from pytest_workflow_exec.run._outputs import NO_OUTPUTS, outputs_without_run
from pytest_workflow_exec.run._preflight import known_values
from pytest_workflow_exec.run._repository import repository_of
from pytest_workflow_exec.run._state import Plan, RunState, admit
from pytest_workflow_exec.run._values import StepOutputs, Values
from pytest_workflow_exec.run._when import holds
from pytest_workflow_exec.sandbox import CommandResult, CommandRunner, Policy

_ATTEMPT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What a run is started with."""

    workflow: Workflow
    policy: Policy
    inputs: Mapping[str, Json]
    input_groups: Mapping[str, Mapping[str, str]]
    input_texts: Mapping[str, str]
    """The inputs as the policy's `{name}` compares them."""
    environment: Mapping[str, str]
    """The engine's own environment; a command gets of it only what a rule names."""
    redactor: Redactor
    command_line: Sequence[str]
    plugins: Mapping[str, str]
    approver: Approver
    until: StepId | None = None
    """The last step to run; None for all."""


class Run:
    """A workflow under way. It drives nothing: it answers what may happen, and remembers what did."""

    def __init__(self, settings: RunSettings, *, run: RunId, directory: Path, log: EvidenceLog, lock: RunLock) -> None:
        workflow = settings.workflow
        self.id = run
        self.workflow = workflow
        self.scratch = _private(directory / "scratch")
        self._settings, self._lock = settings, lock
        self._journal = Journal(log, plan_of(workflow))
        self._outputs: dict[StepId, StepOutputs] = {}
        self._outcomes: dict[StepId, Outcome] = {}
        self._commands = 0
        # A step's own threads may run commands; none may begin while the step ends, or go on after it.
        self._commands_lock = threading.Lock()
        base = known_values(workflow, settings.inputs, settings.input_groups)
        self._values = replace(
            base,
            run=run,
            run_directory=str(directory / "work"),
            outputs=self._outputs,
            outcomes=self._outcomes,
        )
        self._gatekeeper = Gatekeeper(
            workflow,
            values=self._values,
            policy=settings.policy,
            journal=self._journal,
            approver=settings.approver,
        )
        self._runner = CommandRunner(
            policy=settings.policy,
            root=workflow.root,
            scratch=self.scratch,
            inputs=settings.input_texts,
            environment=settings.environment,
            redactor=settings.redactor,
            record=self._journal.record,
        )

    @classmethod
    def open(cls, settings: RunSettings) -> Run:
        """Return a new run, with its first record durable.

        Raises:
            LockHeldError: The workflow is already running in this project.
            EvidenceError: Evidence can't be written.
        """
        root, run = settings.workflow.root, new_run_id()
        lock = RunLock.take(root, settings.workflow.name, run=run)
        directory = create_run_directory(root, run)
        log = EvidenceLog.create(directory, run, redactor=settings.redactor)
        opened = cls(settings, run=run, directory=directory, log=log, lock=lock)
        opened._begin()
        return opened

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self._journal.state

    @property
    def head(self) -> Head:
        """The last record's place and hash."""
        return self._journal.head

    @property
    def log_path(self) -> Path:
        """The evidence file."""
        return self._journal.path

    @property
    def values(self) -> Values:
        """What the author's references stand for now."""
        return self._values

    @property
    def redactor(self) -> Redactor:
        """What takes the run's secrets out of texts."""
        return self._settings.redactor

    @property
    def not_satisfied(self) -> tuple[StepId, ...]:
        """The planned steps that are not satisfied."""
        return tuple(step for step in self.state.plan.steps if step not in self._outputs)

    @property
    def until(self) -> StepId | None:
        """The step after which the run was to stop; None if it was to go to its end."""
        return self._settings.until

    @property
    def fulfilled(self) -> bool:
        """Whether every step that was to run is satisfied."""
        asked = steps_until(self.workflow, self.until)
        return self.state.running is None and all(step.id in self._outputs for step in asked)

    def applies(self, step: Step) -> bool:
        """Return whether the step's turn has come and its condition holds.

        Raises:
            StepOrderError: The step may not start.
            OutputError: Its condition can't be judged.
        """
        admit(self.state, step.id)
        return step.when is None or holds(step.when, self._values)

    def start(self, step: Step) -> None:
        """Announce a step; returns only when the announcement is durable.

        Raises:
            StepOrderError: The step may not start.
            GateDeniedError: No decision covers it.
            ApprovalLapsedError: What was approved before it is not what is there now.
            OutputError: A file that was approved is gone or changed.
            EvidenceError: The announcement can't be written.
        """
        admit(self.state, step.id)
        self._gatekeeper.use(step)
        self._journal.record(events.step_started(step.id, attempt=_ATTEMPT, kind=step.kind, digest=step.digest))
        self._journal.barrier()

    def finish(
        self,
        step: StepId,
        outcome: Outcome,
        *,
        duration_s: float = 0.0,
        outputs: StepOutputs = NO_OUTPUTS,
        message: str = "",
        waits_for: StepId | None = None,
    ) -> None:
        """Record how a step ended, and what it left.

        Raises:
            StepOrderError: The step has ended before.
            StillRunningError: It is to be satisfied, and commands of it are still running.
            EvidenceError: The end can't be written.
        """
        event = events.step_finished(
            step,
            attempt=_ATTEMPT,
            outcome=outcome,
            duration_s=duration_s,
            outputs=outputs.values,
            files={name: file.to_data() for name, file in outputs.files.items()},
            message=message,
            waits_for=waits_for,
        )
        with self._commands_lock:
            if outcome.satisfies:
                self.check_quiet(step)
            self._journal.record(event)
        self._outcomes[step] = outcome
        if outcome.satisfies:
            self._outputs[step] = outputs

    def leave_out(self, step: Step) -> None:
        """Record that a step does not apply, with the defaults of its outputs.

        Raises:
            OutputError: A value in a default is not there.
            EvidenceError: It can't be written.
        """
        rules = step.body.outputs if isinstance(step.body, Command) else ()
        said = "" if step.when is None else f"not applicable: {step.when.text}"
        outputs = outputs_without_run(rules, self._values)
        self.finish(step.id, Outcome.NOT_APPLICABLE, outputs=outputs, message=said)

    def give_up(self) -> None:
        """Record that the steps that have not run will not run, so that those of `finally` can.

        Raises:
            EvidenceError: It can't be written.
        """
        for step in self.state.pending:
            if step not in self.state.plan.always:
                self._block(step)

    def decide(self, step: Step, gate: Gate, *, words: str) -> StepOutputs:
        """Ask a person, and return only if the answer is yes.

        Args:
            words: What the `@gate` function returned; empty for YAML gates.

        Raises:
            GateDeniedError: Anything but an approval.
            OutputError: An output to be shown is not there, or its file changed.
        """
        return self._gatekeeper.ask(step, gate, attempt=_ATTEMPT, words=words)

    def run_command(self, step: StepId, argv: Sequence[str], *, timeout_s: float | None = None) -> CommandResult:
        """Run one command of the step that is under way.

        Raises:
            StepOrderError: The step is not under way: its right to run commands ended with it.
            CommandRefusedError: The policy does not allow it; nothing was started.
            CommandNotFoundError: Its program does not exist.
            CommandTimeoutError: It took longer than `timeout_s`.
        """
        __tracebackhide__ = True
        with self._command_of(step):
            return self._runner.run(argv, step=step, attempt=_ATTEMPT, timeout_s=timeout_s)

    def run_tests(
        self, step: StepId, argv: Sequence[str], *, timeout_s: float | None, variables: Mapping[str, str]
    ) -> CommandResult:
        """Run the engine's own child pytest for the step that is under way; it needs no rule.

        Raises:
            StepOrderError: The step is not under way.
            CommandTimeoutError: It took longer than `timeout_s`.
        """
        __tracebackhide__ = True
        with self._command_of(step):
            return self._runner.run_trusted(
                argv, step=step, attempt=_ATTEMPT, timeout_s=timeout_s, extra_environment=variables
            )

    def check_quiet(self, step: StepId) -> None:
        """Return if no command of the step is running any more.

        Raises:
            StillRunningError: One is: the step returned while a thread of it goes on.
        """
        if self._commands:
            raise StillRunningError(step=step, commands=self._commands)

    def close(self, *, interrupted: bool) -> None:
        """Write what never ran as blocked and how the run ended, and give everything back.

        Raises:
            EvidenceError: It can't be written.
        """
        try:
            self._end(interrupted=interrupted)
        finally:
            self._journal.close()
            self._lock.release()

    def _begin(self) -> None:
        settings = self._settings
        facts = run_facts(
            settings.workflow,
            inputs=settings.inputs,
            policy=settings.policy,
            repository=repository_of(settings.workflow.root),
            command_line=settings.command_line,
            plugins=settings.plugins,
        )
        self._journal.record(events.run_started(facts))
        self._journal.barrier()

    def _end(self, *, interrupted: bool) -> None:
        if self.state.running is not None:
            self.finish(self.state.running, Outcome.INTERRUPTED, message="the session ended")
        if not (self.until is not None and self.fulfilled):
            for step in self.state.pending:
                self._block(step)
        counts = {outcome.value: count for outcome, count in self.state.counts.items()}
        result = self._result(interrupted=interrupted)
        self._journal.record(events.run_finished(result=result, counts=counts, not_satisfied=self.not_satisfied))
        self._journal.barrier()

    def _block(self, step: StepId) -> None:
        try:
            admit(self.state, step)
        except StepOrderError as error:
            self.finish(step, Outcome.BLOCKED, message=str(error), waits_for=error.waiting_for)
        else:
            self.finish(step, Outcome.BLOCKED, message="the session ended before it")

    def _result(self, *, interrupted: bool) -> events.RunResult:
        if self.state.complete:
            return "passed"
        if self.until is not None and self.fulfilled:
            return "partial"
        if interrupted:
            return "interrupted"
        stop = self.state.stop
        return "denied" if stop is not None and stop.outcome is Outcome.DENIED else "failed"

    @contextmanager
    def _command_of(self, step: StepId) -> Iterator[None]:
        with self._commands_lock:
            if self.state.running != step:
                raise StepOrderError(step=step, waiting_for=step, because="it is not under way")
            self._commands += 1
        try:
            yield
        finally:
            with self._commands_lock:
                self._commands -= 1


def steps_until(workflow: Workflow, until: StepId | None) -> tuple[Step, ...]:
    """Return the steps that run if the workflow stops after `until`: all of them for None.

    Raises:
        ValueError: The workflow has no such step.
    """
    if until is None:
        return workflow.steps
    ids = [step.id for step in workflow.steps]
    return workflow.steps[: ids.index(until) + 1]


def plan_of(workflow: Workflow) -> Plan:
    """Return the plan of a workflow as the order rule sees it."""
    return Plan(
        tuple(step.id for step in workflow.steps), always=frozenset(step.id for step in workflow.steps if step.always)
    )


def _private(directory: Path) -> Path:
    directory.mkdir()
    # Not by mkdir's mode, of which the umask takes its part.
    directory.chmod(0o700)
    return directory
