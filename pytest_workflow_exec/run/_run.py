"""One run of one workflow: the only place where its log, its state and its commands meet."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import EvidenceError, GateDeniedError, SecretMissingError, StepOrderError
from pytest_workflow_exec.evidence import (
    STATE_DIRECTORY,
    EvidenceLog,
    Head,
    create_run_directory,
    new_run_id,
    runs_directory,
)
from pytest_workflow_exec.model import Command, Gate, Manual, Outcome, Pause, RunId, Step, StepId
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run._carry import Resumption
from pytest_workflow_exec.run._consent import ask_consent
from pytest_workflow_exec.run._facts import run_facts
from pytest_workflow_exec.run._gatekeeper import Gatekeeper
from pytest_workflow_exec.run._journal import Journal
from pytest_workflow_exec.run._ledger import RunLedger
from pytest_workflow_exec.run._lock import RunLock
from pytest_workflow_exec.run._manual import attested
from pytest_workflow_exec.run._outputs import NO_OUTPUTS, outputs_without_run
from pytest_workflow_exec.run._pause import paused
from pytest_workflow_exec.run._planning import plan_of, steps_until
from pytest_workflow_exec.run._preflight import known_values
from pytest_workflow_exec.run._repository import repository_of
from pytest_workflow_exec.run._run_settings import RunSettings
from pytest_workflow_exec.run._shown import CurrentOutputs, ShownFiles
from pytest_workflow_exec.run._state import RunState, admit
from pytest_workflow_exec.run._step_commands import StepCommands
from pytest_workflow_exec.run._values import StepOutputs, Values, check_unchanged
from pytest_workflow_exec.run._when import holds
from pytest_workflow_exec.sandbox import PLAIN, CommandResult, CommandRunner, Surroundings


class Run:
    """A workflow under way. It drives nothing: it answers what may happen, and remembers what did."""

    def __init__(self, settings: RunSettings, *, run: RunId, directory: Path, log: EvidenceLog, lock: RunLock) -> None:
        workflow = settings.workflow
        self.id = run
        self.workflow = workflow
        self.scratch = _private(directory / "scratch")
        self._settings, self._lock = settings, lock
        self._ledger = RunLedger(workflow.root, run=run, workflow=workflow.name, durability=settings.durability)
        resumed = settings.resumption
        self._carried = {} if resumed is None else resumed.carried
        self._attempts = {} if resumed is None else dict(resumed.attempts)
        self._paused_since = {} if resumed is None else resumed.paused_since
        self._probes = frozenset() if resumed is None else frozenset(resumed.probe)
        self._done = set() if resumed is None else {*resumed.passed, *resumed.unknown}
        """The steps that did something, as far as anybody knows, and that nothing reverted since."""
        self._ends: dict[StepId, Outcome] = {}
        self._checking = False
        self._checked: events.Checked | None = None
        self._used: set[StepId] = set()
        self._refused = False
        self._journal = Journal(
            log,
            plan_of(workflow),
            begun=resumed is not None and resumed.begun,
            listener=settings.listener,
        )
        self._outputs: dict[StepId, StepOutputs] = {}
        self._outcomes: dict[StepId, Outcome] = {}
        files = ShownFiles(workflow.root, directory)
        base = known_values(workflow, settings.inputs, settings.input_groups, settings.secrets)
        self._values = replace(
            base,
            run=run,
            run_directory=str(directory / "work"),
            outputs=CurrentOutputs(self._outputs, files),
            outcomes=self._outcomes,
        )
        self._gatekeeper = Gatekeeper(
            workflow,
            values=self._values,
            left=self._outputs,
            files=files,
            policy=settings.policy,
            journal=self._journal,
            approver=settings.approver,
            carried=tuple(self._carried),
            answered={} if resumed is None else resumed.answered,
        )
        runner = CommandRunner(
            policy=settings.policy,
            root=workflow.root,
            scratch=self.scratch,
            inputs=settings.input_texts,
            environment=settings.environment,
            redactor=settings.redactor,
            record=self._record_command,
            judged_as=files.original,
            closed=workflow.root / STATE_DIRECTORY,
            work=directory / "work",
        )
        self._commands = StepCommands(runner, running=lambda: self.state.running)

    @classmethod
    def open(cls, settings: RunSettings) -> Run:
        """Return a run, new or going on, with the first record of its session durable.

        Raises:
            LockHeldError: The workflow is already running in this project.
            EvidenceError: Evidence can't be written, or an earlier log is not what it was when it was looked at.
            GateDeniedError: It was to go on with steps that may have had their effect, and nobody agreed.
        """
        if settings.resumption is not None:
            return cls._reopen(settings, settings.resumption)
        root, run = settings.workflow.root, new_run_id()
        lock = _locked(settings, run)
        try:
            directory = create_run_directory(root, run)
            log = EvidenceLog.create(directory, run, redactor=settings.redactor, durability=settings.durability)
            opened = cls(settings, run=run, directory=directory, log=log, lock=lock)
            opened._journal.record(events.run_started(opened._facts()))
            opened._journal.barrier()
            opened._ledger.note("started", opened.head)
        except BaseException:
            lock.release()
            raise
        return opened

    @classmethod
    def _reopen(cls, settings: RunSettings, resumption: Resumption) -> Run:
        root, run = settings.workflow.root, resumption.run
        lock = _locked(settings, run)
        directory = runs_directory(root) / run
        try:
            log = EvidenceLog.reopen(
                directory,
                run,
                redactor=settings.redactor,
                durability=settings.durability,
                last=resumption.head,
            )
            opened = cls(settings, run=run, directory=directory, log=log, lock=lock)
        except BaseException:
            lock.release()
            raise
        try:
            opened._go_on(resumption)
        except GateDeniedError:
            opened._refused = True
            opened.close(interrupted=False)
            raise
        except BaseException:
            opened.close(interrupted=True)
            raise
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
    def ledger_problem(self) -> str | None:
        """Why the user's copy of the ledger does not know what became of the run; None if it does."""
        return self._ledger.problem

    @property
    def values(self) -> Values:
        """What the author's references stand for now."""
        return self._values

    @property
    def redactor(self) -> Redactor:
        """What takes the run's secrets out of texts."""
        return self._settings.redactor

    def secret(self, name: str) -> str:
        """Return the value of a variable of the engine's environment, which from now on is masked wherever it appears.

        Raises:
            SecretMissingError: It is not set, or empty.
        """
        value = self._settings.environment.get(name)
        if not value:
            raise SecretMissingError(step=self.state.running, name=name)
        # Before anybody has it: what holds it can be shown the moment after.
        self.redactor.add(name, value)
        return value

    @property
    def not_satisfied(self) -> tuple[StepId, ...]:
        """The planned steps that are not satisfied."""
        state = self.state
        return tuple(step for step in state.plan.steps if step not in self._outputs or step in state.undone)

    @property
    def until(self) -> StepId | None:
        """The step after which the run was to stop; None if it was to go to its end."""
        return self._settings.until

    @property
    def suspended(self) -> StepId | None:
        """The gate at which the run waits for a decision that is made elsewhere."""
        stop = self.state.stop
        return stop.step if stop is not None and stop.outcome is Outcome.SUSPENDED else None

    @property
    def fulfilled(self) -> bool:
        """Whether every step that was to run is satisfied."""
        asked = steps_until(self.workflow, self.until)
        missing = frozenset(self.not_satisfied)
        return self.state.running is None and not any(step.id in missing for step in asked)

    def carries(self, step: Step) -> bool:
        """Return whether the step's turn has come and an earlier session of this run has done it.

        Raises:
            StepOrderError: The step may not start.
            OutputError: A file that it left has changed since.
        """
        if step.id not in self._carried:
            return False
        admit(self.state, step.id)
        for name, file in self._carried[step.id].outputs.files.items():
            check_unchanged(self.workflow.root, file, what=f"output {name!r} of the carried step {step.id!r}")
        return True

    def carry(self, step: Step) -> None:
        """Record that a step counts as an earlier session left it.

        Raises:
            EvidenceError: It can't be written.
        """
        carried = self._carried[step.id]
        self.finish(step.id, Outcome.CARRIED, outputs=carried.outputs, message="from an earlier session of this run")
        # Conditions see how it really ended.
        self._outcomes[step.id] = carried.outcome

    def note_use(self, step: StepId) -> None:
        """Take note that the code of the step under way looks at the outputs of another."""
        self._used.add(step)

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
        attempt = self._attempts.get(step.id, 0) + 1
        probe = self.probes(step)
        self._journal.record(
            events.step_started(step.id, attempt=attempt, kind=step.kind, digest=step.digest, probe=probe)
        )
        self._attempts[step.id] = attempt
        self._done.add(step.id)
        self._checked = None
        self._used.clear()
        self._journal.barrier()
        self._lock.check()

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
            OutputError: It is to be satisfied, and a file that was approved changed meanwhile.
            EvidenceError: The end can't be written.
        """
        event = events.step_finished(
            step,
            attempt=self._attempts.get(step, 1),
            outcome=outcome,
            duration_s=duration_s,
            outputs=outputs.values,
            files={name: file.to_data() for name, file in outputs.files.items()},
            message=message,
            waits_for=waits_for,
            used=sorted(self._used) if self.state.running == step else (),
            checked=self._checked if self.state.running == step else None,
        )
        with self._commands.held():
            if outcome.satisfies:
                self.check_over(step)
            if outcome is Outcome.PASSED:
                # Before its end: a run that is killed in between must not carry what was reverted.
                self._record_undone(self.workflow.step(step))
            self._journal.record(event)
        self._outcomes[step] = self._ends[step] = outcome
        if outcome.satisfies:
            self._outputs[step] = outputs
        self._journal.tell()

    def probes(self, step: Step) -> bool:
        """Return whether the step's check is asked before its body runs: its effect is unknown."""
        return step.id in self._probes

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Let the commands of the step under way be recorded as those of its check."""
        self._checking = True
        try:
            yield
        finally:
            self._checking = False

    def note_check(self, checked: events.Checked) -> None:
        """Take note of what the check of the step under way said, so that its body does not run."""
        self._checked = checked

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
        return self._gatekeeper.ask(step, gate, attempt=self._attempts[step.id], words=words)

    def attest(self, step: Step, manual: Manual) -> StepOutputs:
        """Tell a person what to do, and return only if they say that it was done.

        Raises:
            ManualFailedError: Nobody said so.
            OutputError: A value in the instruction is not there.
        """
        return attested(
            step,
            manual,
            attempt=self._attempts[step.id],
            workflow=self.workflow.name,
            values=self._values,
            journal=self._journal,
            attester=self._settings.attester,
        )

    def pause(self, step: Step, pause: Pause) -> StepOutputs:
        """Return once the time has come that a step waits for.

        Raises:
            PausedError: It has not, and the run is to end meanwhile.
            OutputError: The moment that it waits for can't be read.
        """
        since = self._paused_since.get(step.id) or datetime.now(timezone.utc)
        return paused(step, pause, since=since, values=self._values)

    def run_command(
        self,
        step: StepId,
        argv: Sequence[str],
        *,
        timeout_s: float | None = None,
        surroundings: Surroundings = PLAIN,
    ) -> CommandResult:
        """Run one command of the step that is under way.

        Raises:
            StepOrderError: The step is not under way: its right to run commands ended with it.
            CommandRefusedError: The policy does not allow it; nothing was started.
            CommandNotFoundError: Its program does not exist.
            CommandTimeoutError: It took longer than `timeout_s`.
        """
        __tracebackhide__ = True
        return self._commands.run(
            step, argv, attempt=self._attempts.get(step, 1), timeout_s=timeout_s, surroundings=surroundings
        )

    def run_tests(
        self, step: StepId, argv: Sequence[str], *, timeout_s: float | None, variables: Mapping[str, str]
    ) -> CommandResult:
        """Run the engine's own child pytest for the step that is under way; it needs no rule.

        Raises:
            StepOrderError: The step is not under way.
            CommandTimeoutError: It took longer than `timeout_s`.
        """
        __tracebackhide__ = True
        return self._commands.run_tests(
            step, argv, attempt=self._attempts.get(step, 1), timeout_s=timeout_s, variables=variables
        )

    def check_over(self, step: StepId) -> None:
        """Return if the step can end: nothing of it goes on, and what was approved before it is what it used.

        Raises:
            StillRunningError: A command of it is running: the step returned while a thread of it goes on.
            OutputError: A file that was approved is gone or changed.
        """
        self._commands.check_quiet(step)
        self._gatekeeper.check_after(step)

    def close(self, *, interrupted: bool) -> None:
        """Write what never ran as blocked and how the run ended, and give everything back.

        Raises:
            EvidenceError: It can't be written.
        """
        try:
            self._end(interrupted=interrupted)
            self._ledger.note("finished", self.head)
        finally:
            self._journal.close()
            self._lock.release()

    def _record_command(self, event: events.Event) -> None:
        marked = replace(event, data={**event.data, "check": True}) if self._checking else event
        self._journal.record(marked)

    def _record_undone(self, step: Step) -> None:
        for undone in step.undoes:
            if undone in self._done:
                self._journal.record(events.step_undone(undone, by=step.id, outcome=self._ends[undone]))
                self._done.discard(undone)

    def _facts(self) -> Mapping[str, Json]:
        settings = self._settings
        return run_facts(
            settings.workflow,
            inputs=settings.inputs,
            policy=settings.policy,
            repository=repository_of(settings.workflow.root),
            command_line=settings.command_line,
            plugins=settings.plugins,
            given=settings.given,
            durability=settings.durability,
            ledger_copy=self._ledger.copy(),
            group=settings.group,
        )

    def _go_on(self, resumption: Resumption) -> None:
        redo = resumption.redo
        self._journal.record(
            events.run_resumed(
                self._facts(),
                session=resumption.session,
                carried=tuple(resumption.carried),
                again=resumption.again,
                unknown=resumption.unknown,
                probe=resumption.probe,
                redo=None if redo is None else {"step": redo.step, "reason": redo.reason, "who": redo.who},
            )
        )
        for step in resumption.invalidated:
            self._journal.record(events.step_invalidated(step, reasons=resumption.again[step]))
        self._journal.barrier()
        self._ledger.note("resumed", self.head)
        if resumption.needs_person:
            ask_consent(
                self.workflow,
                resumption,
                values=self._values,
                policy=self._settings.policy,
                journal=self._journal,
                approver=self._settings.approver,
            )

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
        if self._refused:
            return "denied"
        stop = self.state.stop
        if stop is not None and stop.outcome is Outcome.SUSPENDED:
            return "suspended"
        if interrupted:
            return "interrupted"
        return "denied" if stop is not None and stop.outcome is Outcome.DENIED else "failed"


def _locked(settings: RunSettings, run: RunId) -> RunLock:
    workflow = settings.workflow
    return RunLock.take(workflow.root, workflow.name, run=run, group=settings.group)


def _private(directory: Path) -> Path:
    # What commands of an earlier session left in their homes is not for those of this one.
    shutil.rmtree(directory, ignore_errors=True)
    try:
        directory.mkdir()
        # Not by mkdir's mode, of which the umask takes its part.
        directory.chmod(0o700)
    except OSError as error:
        message = f"{directory} can't be made: {error.strerror}"
        raise EvidenceError(message) from error
    return directory
