"""What a run is made of: its log with the state that follows from it, its values, its gates, its commands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import STATE_DIRECTORY, EvidenceLog, Head
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import Gate, Outcome, RunId, StepId
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run._covering import gates_of, wants_signatures
from pytest_workflow_exec.run._import_guard import guard_imports
from pytest_workflow_exec.run._journal import Journal
from pytest_workflow_exec.run._ledger import RunLedger
from pytest_workflow_exec.run._lock import RunLock
from pytest_workflow_exec.run._notifier import Notifier
from pytest_workflow_exec.run._planning import plan_of
from pytest_workflow_exec.run._preflight import known_values
from pytest_workflow_exec.run._probing import Probing
from pytest_workflow_exec.run._results import Results
from pytest_workflow_exec.run._run_settings import RunSettings
from pytest_workflow_exec.run._scratch import fresh_scratch
from pytest_workflow_exec.run._shown import CurrentOutputs, ShownFiles
from pytest_workflow_exec.run._state import RunState
from pytest_workflow_exec.run._step_commands import StepCommands
from pytest_workflow_exec.run._undoing import Undoing
from pytest_workflow_exec.run._values import StepOutputs, Values

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import SignedStart
    from pytest_workflow_exec.run._gatekeeper import Gatekeeper
    from pytest_workflow_exec.run._signed_gate import SignedGates
    from pytest_workflow_exec.sandbox import CommandRunner, Gated, Policy


class RunParts:
    """The parts of one run, put together, and what they are at the moment."""

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
        guard_imports(workflow.root)
        self.id = run
        self.workflow = workflow
        self.scratch = fresh_scratch(directory / "scratch")
        self._settings, self._lock = settings, lock
        self.mask = settings.redactor.report
        """Takes the run's secrets out of a report's text."""
        self._ledger = RunLedger(workflow.root, run=run, workflow=workflow.name, durability=settings.durability)
        resumption = settings.resumption
        self._carried = {} if resumption is None else resumption.carried
        self._attempts = {} if resumption is None else dict(resumption.attempts)
        self._only_finally = "" if resumption is None else resumption.only_finally
        self._denied_before = None if resumption is None else resumption.denied
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
        undone = frozenset(each for step in workflow.steps for each in step.undoes)
        self._undoing = Undoing(undone, done, record=self._journal.record)
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
        self._files, self._directory = files, directory
        self._gates = gates_of(workflow)
        self._asks = any(isinstance(step.body, Gate) or step.waive is not None for step in workflow.steps)
        if self._asks:
            # There from the beginning, whichever thread needs it first.
            self._gatekeeper  # noqa: B018  # asking makes it
        self._commands = StepCommands(self._new_runner, running=lambda: self.state.running)

    def _new_runner(self) -> CommandRunner:
        # Only where there is a command: a run without one loads nothing of what confines them.
        from pytest_workflow_exec.sandbox import CommandRunner

        settings, root = self._settings, self.workflow.root
        return CommandRunner(
            policy=settings.policy,
            root=root,
            scratch=self.scratch,
            inputs=settings.input_texts,
            environment=settings.environment,
            redactor=settings.redactor,
            record=self._record_command,
            judged_as=self._files.original,
            closed=root / STATE_DIRECTORY,
            work=self._directory / "work",
            outputs=self._directory / "outputs",
            decided=self._covers_command,
            programs=settings.programs,
            watch=settings.watch,
        )

    @cached_property
    def _gatekeeper(self) -> Gatekeeper:
        # Only where something asks: a run without a gate loads nothing of them.
        from pytest_workflow_exec.run import _gatekeeper

        settings, resumption = self._settings, self._settings.resumption
        return _gatekeeper.Gatekeeper(
            self.workflow,
            values=self._values,
            left=self._outputs,
            files=self._files,
            policy=settings.policy,
            journal=self._journal,
            approver=settings.approver,
            carried=tuple(self._carried),
            answered={} if resumption is None else resumption.answered,
            signed=self._signed_gates(),
            start=self._start,
            redactor=settings.redactor,
            texts=settings.input_texts,
            broken_glass={} if resumption is None else resumption.broken_glass,
        )

    def _signed_gates(self) -> SignedGates | None:
        from pytest_workflow_exec.evidence import plans_folder

        if not wants_signatures(self.workflow):
            return None
        # Only here: a run that takes in no signature loads nothing that reads one.
        from pytest_workflow_exec.run._signed_gate import SignedGates

        settings = self._settings
        return SignedGates(
            policy=settings.policy,
            directory=self._directory,
            plans=plans_folder(self.workflow.file, self.workflow.name),
            journal=self._journal,
            approver=settings.signed_approver,
            environment=settings.environment,
            say=self.said.append,
            break_glass=settings.break_glass,
            glass_approver=settings.glass_approver,
            notice=self._notifier.glass_broken,
            redactor=settings.redactor,
        )

    def _covers_command(self, step: StepId, argv: Sequence[str], gated: Gated) -> bool:
        return self._gatekeeper.covers_command(step, argv, gated)

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

    @cached_property
    def log_name(self) -> str:
        """Where the evidence is, from its project on."""
        path, root = self.log_path, self.workflow.root
        return str(path.relative_to(root) if path.is_relative_to(root) else path)

    @property
    def values(self) -> Values:
        """What the author's references stand for now."""
        return self._values

    @property
    def redactor(self) -> Redactor:
        """What takes the run's secrets out of texts."""
        return self._settings.redactor

    @property
    def policy(self) -> Policy:
        """What commands it may run."""
        return self._settings.policy

    @property
    def input_texts(self) -> Mapping[str, str]:
        """The inputs as a rule's `{name}` compares them."""
        return self._settings.input_texts

    def attempt_of(self, step: StepId) -> int:
        """Return the number of the step's last attempt, over all sessions."""
        return self._attempts.get(step, 1)

    def _record_command(self, event: events.Event) -> None:
        self._journal.record(self.probing.marked(event))
