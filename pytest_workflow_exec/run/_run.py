"""One run of one workflow: how it begins, in which order its steps go, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import (
    GateDeniedError,
    StepOrderError,
)
from pytest_workflow_exec.evidence import (
    EvidenceLog,
    create_run_directory,
    new_run_id,
    runs_directory,
)
from pytest_workflow_exec.model import Command, ErrorClass, Outcome, Step, StepId
from pytest_workflow_exec.run._outputs import NO_OUTPUTS
from pytest_workflow_exec.run._result import result_of
from pytest_workflow_exec.run._results import results_of
from pytest_workflow_exec.run._run_people import RunPeople
from pytest_workflow_exec.run._run_settings import RunSettings
from pytest_workflow_exec.run._run_standing import RunStanding
from pytest_workflow_exec.run._run_work import RunWork
from pytest_workflow_exec.run._session_start import earlier_start, resumed, session_facts, session_lock, signed_start
from pytest_workflow_exec.run._state import admit
from pytest_workflow_exec.run._values import StepOutputs, check_unchanged
from pytest_workflow_exec.run._when import holds

if TYPE_CHECKING:
    from pytest_workflow_exec.run._carry import Resumption
    from pytest_workflow_exec.run._gatekeeper import Holding
    from pytest_workflow_exec.run._retry import NextAttempt


class Run(RunStanding, RunPeople, RunWork):
    """A workflow under way. It drives nothing: it answers what may happen, and remembers what did."""

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

    def applies(self, step: Step) -> bool:
        """Return whether the step's turn has come and its condition holds.

        Raises:
            StepOrderError: The step may not start; also where the run goes on only to clean up, and it does not.
            OutputError: Its condition can't be judged.
        """
        admit(self.state, step.id)
        applies = step.when is None or holds(step.when, self._values)
        if applies and self._only_finally and not self.state.cleans_up(step.id):
            # Behind its condition: a step that did not apply before must not keep those behind it from being carried.
            raise StepOrderError(
                step=step.id, waiting_for=step.id, because=f"only finally is played: {self._only_finally}"
            )
        return applies

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
        if self._gates[step.id] is not None:
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
        from pytest_workflow_exec.run._outputs import outputs_without_run

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

    def _facts(self) -> Mapping[str, Json]:
        facts = session_facts(self._settings, ledger_copy=self._ledger.copy())
        signs = self._start is not None and self._settings.resumption is None
        return {**facts, "signed_start": self._start.to_data()} if self._start is not None and signs else facts

    def _go_on(self, resumption: Resumption) -> None:
        from pytest_workflow_exec.run._consent import ask_consent

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
            interrupted=interrupted or bool(self._only_finally),
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
