"""One run of one workflow: the only place where its log, its state and its commands meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import (
    GateDeniedError,
    PausedError,
    ProcessStartError,
    SecretMissingError,
    StepOrderError,
)
from pytest_workflow_exec.evidence import (
    STATE_DIRECTORY,
    EvidenceLog,
    Head,
    create_run_directory,
    new_run_id,
    plans_folder,
    runs_directory,
)
from pytest_workflow_exec.model import Command, ErrorClass, Execute, Gate, Manual, Outcome, Pause, RunId, Step, StepId
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run._answers import Answers, answers_of
from pytest_workflow_exec.run._carry import Resumption
from pytest_workflow_exec.run._consent import ask_consent
from pytest_workflow_exec.run._gate import gates_of, wants_signatures
from pytest_workflow_exec.run._gatekeeper import Gatekeeper, Holding
from pytest_workflow_exec.run._journal import Journal
from pytest_workflow_exec.run._ledger import RunLedger
from pytest_workflow_exec.run._lock import RunLock
from pytest_workflow_exec.run._manual import attested
from pytest_workflow_exec.run._notifier import Notifier
from pytest_workflow_exec.run._outputs import NO_OUTPUTS, outputs_without_run
from pytest_workflow_exec.run._pause import paused, spelled
from pytest_workflow_exec.run._planning import plan_of, steps_until
from pytest_workflow_exec.run._preflight import known_values
from pytest_workflow_exec.run._probing import Probing
from pytest_workflow_exec.run._result import result_of
from pytest_workflow_exec.run._results import Results, results_of
from pytest_workflow_exec.run._retry import NextAttempt
from pytest_workflow_exec.run._run_settings import RunSettings
from pytest_workflow_exec.run._scratch import fresh_scratch
from pytest_workflow_exec.run._session_start import earlier_start, resumed, session_facts, session_lock, signed_start
from pytest_workflow_exec.run._shown import CurrentOutputs, ShownFiles
from pytest_workflow_exec.run._state import RunState, admit
from pytest_workflow_exec.run._step_commands import StepCommands
from pytest_workflow_exec.run._undoing import Undoing
from pytest_workflow_exec.run._values import StepOutputs, Values, check_unchanged
from pytest_workflow_exec.run._when import holds
from pytest_workflow_exec.sandbox import PLAIN, CommandResult, CommandRunner, Policy, ProcessStart, Surroundings

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import SignedStart


class Run:
    """A workflow under way. It drives nothing: it answers what may happen, and remembers what did."""

    def __init__(
        self,
        settings: RunSettings,
        *,
        run: RunId,
        directory: Path,
        log: EvidenceLog,
        lock: RunLock,
        start: SignedStart | None = None,
    ) -> None:
        workflow = settings.workflow
        self.id = run
        self.workflow = workflow
        self.scratch = fresh_scratch(directory / "scratch")
        self._settings, self._lock = settings, lock
        self._ledger = RunLedger(workflow.root, run=run, workflow=workflow.name, durability=settings.durability)
        resumption = settings.resumption
        self._carried = {} if resumption is None else resumption.carried
        self._attempts = {} if resumption is None else dict(resumption.attempts)
        self._paused_since = {} if resumption is None else resumption.paused_since
        self.probing = Probing(frozenset() if resumption is None else frozenset(resumption.probe))
        self._used: set[StepId] = set()
        self._waits_until: dict[StepId, str] = {}
        self._contexts: list[Json] = []
        self._refused = False
        self.said: list[str] = []
        """What a person is to be told of what happened elsewhere, once there is a place for it."""
        self._notifier = Notifier(
            settings.notify,
            run=run,
            workflow=workflow.name,
            root=workflow.root,
            scratch=self.scratch,
            policy=settings.policy,
            redactor=settings.redactor,
            record=lambda event: self._journal.record(event),  # noqa: PLW0108  # it is made below
            say=self.said.append,
            listener=settings.listener,
        )
        self._results = Results()
        self._journal = Journal(
            log,
            plan_of(workflow),
            begun=resumption is not None and resumption.begun,
            started=self._attempts,
            listener=self._notifier.take if settings.notify else settings.listener,
            witness=settings.witness,
        )
        done = () if resumption is None else (*resumption.passed, *resumption.unknown)
        self._undoing = Undoing(done, record=self._journal.record)
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
        self._start = start
        signed = None
        if wants_signatures(workflow):
            # Only here: a run that takes in no signature loads nothing that reads one.
            from pytest_workflow_exec.run._signed_gate import SignedGates

            signed = SignedGates(
                policy=settings.policy,
                directory=directory,
                plans=plans_folder(workflow.file, workflow.name),
                journal=self._journal,
                approver=settings.signed_approver,
                environment=settings.environment,
                say=self.said.append,
                break_glass=settings.break_glass,
                glass_approver=settings.glass_approver,
                notice=self._notifier.glass_broken,
                redactor=settings.redactor,
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
            answered={} if resumption is None else resumption.answered,
            signed=signed,
            start=start,
            redactor=settings.redactor,
            texts=settings.input_texts,
            broken_glass={} if resumption is None else resumption.broken_glass,
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
            outputs=directory / "outputs",
            decided=self._gatekeeper.covers_command,
            programs=settings.programs,
            watch=settings.watch,
        )
        self._commands = StepCommands(runner, running=lambda: self.state.running)

    @classmethod
    def open(cls, settings: RunSettings, *, broken_off: Callable[[Run], None] = lambda _: None) -> Run:
        """Return a run, new or going on, with the first record of its session durable.

        Args:
            broken_off: Is told of one that was to go on, and ended before its first step: its log has a new end, too.

        Raises:
            LockHeldError: The workflow is already running in this project.
            StartRefusedError: Its start was to be signed, and nobody did whose signature counts.
            EvidenceError: Evidence can't be written, or an earlier log is not what it was when it was looked at.
            GateDeniedError: It was to go on with steps that may have had their effect, and nobody agreed.
        """
        if settings.resumption is not None:
            return cls._reopen(settings, settings.resumption, broken_off)
        root, run = settings.workflow.root, new_run_id()
        # Before anything is written: a key that does not sign leaves nothing behind.
        start = signed_start(settings, run)
        lock = session_lock(settings, run)
        try:
            directory = create_run_directory(root, run)
            log = EvidenceLog.create(
                directory,
                run,
                redactor=settings.redactor,
                durability=settings.durability,
                segment_bytes=settings.segment_bytes,
            )
            opened = cls(settings, run=run, directory=directory, log=log, lock=lock, start=start)
            opened._journal.record(events.run_started(opened._facts()))
            opened._journal.barrier()
            opened._ledger.note("started", opened.head)
        except BaseException:
            lock.release()
            raise
        return opened

    @classmethod
    def _reopen(cls, settings: RunSettings, resumption: Resumption, broken_off: Callable[[Run], None]) -> Run:
        root, run = settings.workflow.root, resumption.run
        lock = session_lock(settings, run)
        directory = runs_directory(root) / run
        try:
            log = EvidenceLog.reopen(
                directory,
                run,
                redactor=settings.redactor,
                durability=settings.durability,
                segment_bytes=settings.segment_bytes,
                last=resumption.head,
            )
            start = earlier_start(settings, resumption)
            opened = cls(settings, run=run, directory=directory, log=log, lock=lock, start=start)
        except BaseException:
            lock.release()
            raise
        try:
            opened._go_on(resumption)
        except GateDeniedError:
            opened._refused = True
            opened.close(interrupted=False)
            broken_off(opened)
            raise
        except BaseException:
            opened.close(interrupted=True)
            broken_off(opened)
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

    @property
    def not_satisfied(self) -> tuple[StepId, ...]:
        """The planned steps that are not satisfied."""
        state = self.state
        return tuple(step for step in state.plan.steps if step not in self._outputs or step in state.undone)

    @property
    def waived(self) -> tuple[StepId, ...]:
        """The steps whose failure a person accepted, now or in an earlier session."""
        return tuple(step for step, outcome in self._outcomes.items() if outcome is Outcome.WAIVED)

    @property
    def glass_to_break(self) -> StepId | None:
        """The gate at which a person is asked whether they go past its signatures; None for none."""
        return self._settings.break_glass

    @property
    def broken_glass(self) -> Mapping[StepId, str]:
        """The gates that somebody went past without the signatures that they want, and who, and why."""
        return self._gatekeeper.broken_glass

    def carries_waived(self, step: StepId) -> bool:
        """Return whether a step is carried whose failure a person accepted."""
        return step in self._carried and self._carried[step].outcome is Outcome.WAIVED

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
    def denied_at(self) -> StepId | None:
        """The gate whose refusal keeps every later step from running; None if none does."""
        stop = self.state.stop
        if stop is None or stop.outcome is not Outcome.DENIED:
            return None
        # Asked anew, a gate is refused when the first step behind it is about to start.
        return gates_of(self.workflow)[stop.step] or stop.step

    @property
    def fulfilled(self) -> bool:
        """Whether every step that was to run is satisfied."""
        asked = steps_until(self.workflow, self.until)
        missing = frozenset(self.not_satisfied)
        return self.state.running is None and not self.results_problem and not any(step.id in missing for step in asked)

    @property
    def results_problem(self) -> str:
        """Why the run does not leave what its workflow declares; empty if it does, or if it has not ended."""
        return self._results.problem

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
        said = "waived in" if carried.outcome is Outcome.WAIVED else "from"
        message = f"{said} an earlier session of this run"
        self.finish(step.id, Outcome.CARRIED, outputs=carried.outputs, message=message)
        # Conditions see how it really ended.
        self._outcomes[step.id] = carried.outcome

    def attempt_of(self, step: StepId) -> int:
        """Return the number of the step's last attempt, over all sessions."""
        return self._attempts.get(step, 1)

    def note_use(self, step: StepId) -> None:
        """Take note that the code of the step under way looks at the outputs of another."""
        self._used.add(step)

    def note_context(self, facts: Mapping[str, Json]) -> None:
        """Take note of a context that the code of the step under way was given."""
        self._contexts.append(dict(facts))

    @property
    def policy(self) -> Policy:
        """What commands it may run."""
        return self._settings.policy

    def applies(self, step: Step) -> bool:
        """Return whether the step's turn has come and its condition holds.

        Raises:
            StepOrderError: The step may not start.
            OutputError: Its condition can't be judged.
        """
        admit(self.state, step.id)
        return step.when is None or holds(step.when, self._values)

    def start(self, step: Step, *, holding: Holding = nullcontext) -> None:
        """Announce a step; returns only when the announcement is durable.

        Args:
            holding: Lets nothing count or draw if a person has to be asked anew at the gate before it.

        Raises:
            StepOrderError: The step may not start.
            GateDeniedError: No decision covers it, or what was approved changed and is not approved as it is now.
            ApprovalLapsedError: What was approved before it is not what is there now, and nobody can be asked anew.
            OutputError: A file that was approved is gone or changed.
            EvidenceError: The announcement can't be written.
        """
        admit(self.state, step.id)
        self._gatekeeper.use(step, holding=holding)
        attempt = self._attempts.get(step.id, 0) + 1
        # The check speaks of what an earlier session did; behind an attempt of this one it says nothing.
        probe = self.probing.asks(step) and self.state.again != step.id
        self._journal.record(
            events.step_started(step.id, attempt=attempt, kind=step.kind, digest=step.digest, probe=probe)
        )
        self._attempts[step.id] = attempt
        self._outcomes.pop(step.id, None)
        self._undoing.begin(step.id)
        self.probing.begin()
        self._used.clear()
        self._contexts.clear()
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
        error_class: ErrorClass | None = None,
    ) -> None:
        """Record how a step ended, and what it left.

        Raises:
            StepOrderError: The step has ended before.
            StillRunningError: It is to be satisfied, and commands of it are still running.
            OutputError: It is to be satisfied, and a file that was approved changed meanwhile.
            EvidenceError: The end can't be written.
        """
        if outcome is Outcome.SUSPENDED and step in self._waits_until:
            # For whoever goes on with it when the time has come.
            outputs = StepOutputs(values={"until": self._waits_until[step]}, files={})
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
            contexts=tuple(self._contexts) if self.state.running == step else (),
            checked=self.probing.checked if self.state.running == step else None,
            error_class=error_class,
        )
        with self._commands.held():
            if outcome.satisfies:
                self.check_over(step)
            if outcome is Outcome.PASSED:
                # Before its end: a run that is killed in between must not carry what was reverted.
                self._undoing.record_by(self.workflow.step(step))
            self._journal.record(event)
        self._outcomes[step] = outcome
        self._undoing.end(step, outcome)
        if outcome.satisfies:
            self._outputs[step] = outputs
        self._journal.tell()

    def wait_again(self, step: Step, following: NextAttempt) -> None:
        """Announce that a step which just failed starts again after a while; returns when that is durable.

        Raises:
            StepOrderError: It did not just fail.
            EvidenceError: It can't be written.
        """
        event = events.retry_waiting(
            step.id,
            attempt=self._attempts[step.id],
            error_class=following.error_class,
            wait_s=following.wait_s,
            of=following.of,
            why=following.why,
        )
        self._journal.record(event)
        self._journal.barrier()

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
            if not self.state.cleans_up(step):
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

    def waive(self, step: Step, *, failure: str) -> str:
        """Ask a person whether the failure of the step under way is accepted, and return who accepted it.

        Args:
            failure: How it failed, without secrets.

        Raises:
            GateDeniedError: Nobody accepted it.
            ApprovalLapsedError: What it was accepted for changed meanwhile.
            EvidenceError: The question or the answer can't be written.
        """
        if step.waive is None:
            raise GateDeniedError(step=step.id, decision="denied", reason="its failure can't be accepted")
        return self._gatekeeper.waive(step, step.waive, attempt=self._attempts[step.id], failure=failure)

    def confirm(self, step: Step, outputs: Mapping[str, Json]) -> str:
        """Ask a person whether the conversation of the step under way came to this, and return who confirmed it.

        Raises:
            GateDeniedError: Nobody confirmed it.
            ApprovalLapsedError: What it was confirmed under changed meanwhile.
            EvidenceError: The question or the answer can't be written.
        """
        return self._gatekeeper.confirm(step, outputs, attempt=self._attempts[step.id])

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

    def waited_s(self, step: Step) -> float:
        """Return how long ago, in seconds, the step was first reached that an earlier session was suspended in."""
        since = self._paused_since.get(step.id)
        return 0.0 if since is None else (datetime.now(timezone.utc) - since).total_seconds()

    def look_later(self, step: Step, wait_s: float, *, last: str) -> PausedError:
        """Return what ends the run until it is time to look at a step again.

        Args:
            wait_s: How long that is.
            last: What was seen this time.
        """
        until = spelled(datetime.now(timezone.utc) + timedelta(seconds=wait_s))
        self._waits_until[step.id] = until
        return PausedError(step=step.id, until=until, last=last)

    def pause(self, step: Step, pause: Pause) -> StepOutputs:
        """Return once the time has come that a step waits for.

        Raises:
            PausedError: It has not, and the run is to end meanwhile.
            OutputError: The moment that it waits for can't be read.
        """
        since = self._paused_since.get(step.id) or datetime.now(timezone.utc)
        try:
            return paused(step, pause, since=since, values=self._values)
        except PausedError as error:
            self._waits_until[step.id] = error.until
            raise

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
        return answers_of(self.workflow, self.log_path)

    @property
    def input_texts(self) -> Mapping[str, str]:
        """The inputs as a rule's `{name}` compares them."""
        return self._settings.input_texts

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
            result = self._end(interrupted=interrupted)
            try:
                if self._settings.notify:
                    self._notifier.end(result)
                    self._journal.barrier()
            finally:
                # Also if somebody interrupts while people are being told.
                self._ledger.note("finished", self.head)
        finally:
            self._journal.close()
            self._lock.release()

    def _record_command(self, event: events.Event) -> None:
        self._journal.record(self.probing.marked(event))

    def _facts(self) -> Mapping[str, Json]:
        facts = session_facts(self._settings, ledger_copy=self._ledger.copy())
        signs = self._start is not None and self._settings.resumption is None
        return {**facts, "signed_start": self._start.to_data()} if self._start is not None and signs else facts

    def _go_on(self, resumption: Resumption) -> None:
        self._journal.record(resumed(self._facts(), resumption))
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

    def _end(self, *, interrupted: bool) -> events.RunResult:
        if self.state.running is not None:
            self.finish(self.state.running, Outcome.INTERRUPTED, message="the session ended")
        if not (self.until is not None and self.fulfilled):
            for step in self.state.pending:
                self._block(step)
        if self.state.complete:
            self._results = results_of(self.workflow, self._values)
        counts = {outcome.value: count for outcome, count in self.state.counts.items()}
        result = result_of(
            self.state,
            stopped_early=self.until is not None and self.fulfilled,
            refused=self._refused,
            interrupted=interrupted,
        )
        if self.results_problem:
            result = "failed"
        event = events.run_finished(
            result=result,
            counts=counts,
            not_satisfied=self.not_satisfied,
            outputs=self._results.values,
            problem=self.results_problem,
        )
        self._journal.record(event)
        self._journal.barrier()
        return result

    def _block(self, step: StepId) -> None:
        try:
            admit(self.state, step)
        except StepOrderError as error:
            self.finish(step, Outcome.BLOCKED, message=str(error), waits_for=error.waiting_for)
        else:
            self.finish(step, Outcome.BLOCKED, message="the session ended before it")
