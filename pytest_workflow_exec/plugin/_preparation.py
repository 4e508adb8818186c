"""From collected workflows to runs: everything is checked together before anything is started."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_workflow_exec.definition import Inputs, resolve_inputs
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import (
    LockHeldError,
    PinError,
    PolicyError,
    PreflightError,
    Problem,
    SettingsError,
    StartRefusedError,
    WorkflowExecError,
)
from pytest_workflow_exec.evidence import SEGMENT_BYTES
from pytest_workflow_exec.model import RunId, StepId, Workflow
from pytest_workflow_exec.run import (
    Run,
    RunLock,
    RunSettings,
    answer_reader,
    ask_signed,
    demanded_pin,
    group_of,
    known_values,
    may_ask,
    named_version_of,
    preflight,
    repository_facts,
    steps_until,
)
from pytest_workflow_exec.sandbox import SecretEnvironment, compile_policy
from pytest_workflow_exec.settings import (
    Durability,
    Filesystem,
    NotifySettings,
    Pin,
    PolicySettings,
    Said,
    load_settings,
    with_variables,
)

from ._announcements import Announcements
from ._inputs import given_inputs, input_texts, plain_inputs
from ._minutes import Minutes
from ._onward import lost_of, onward, pinned_signers, problems_of, refuse_among_passed, said_of, with_reason
from ._refusals import listed, placed, running
from ._rejected import reason_after, rejected_before, rejection_problem
from ._session import WorkflowSession
from ._witness import witness_of, witness_problem

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Attestation, Decision, GateRequest, ManualTask, ReadAnswer
    from pytest_workflow_exec.run import Present, Resumption
    from pytest_workflow_exec.sandbox import Policy, ProgramPins

    from ._onward import Onward


def open_runs(session: WorkflowSession, items: Iterable[pytest.Item]) -> None:
    """Start a run of every workflow with steps among the items, after all of them were checked.

    Raises:
        pytest.UsageError: One would not get through, or is already running; nothing was run.
        EvidenceError: Evidence can't be written.
    """
    prepared = _prepared(session, running(session, items), terminal_problem=_terminal_problem)
    session.awaited |= {each.workflow.name for each in prepared}
    try:
        for each, settings in [(each, each.settings()) for each in prepared]:
            for line in [*lost_of(settings.workflow), *_warnings(settings.workflow, session)]:
                session.lines.say(line)
            name = settings.workflow.name
            session.runs[name] = Run.open(settings, broken_off=session.note_end)
            until, root = settings.until, each.earlier_root
            for line in said_of(settings.workflow, settings.resumption, until=until, earlier_root=root):
                session.lines.say(line)
    except (LockHeldError, PreflightError, StartRefusedError) as error:
        raise pytest.UsageError(str(error)) from error


def check_runs(session: WorkflowSession, items: Iterable[pytest.Item], *, terminal_problem: str) -> list[Workflow]:
    """Return the workflows with steps among the items, after all of them were checked; workers will start them.

    Args:
        terminal_problem: Why no person can be asked there.

    Raises:
        pytest.UsageError: One would not get through, or is already running; nothing was run.
        EvidenceError: Evidence can't be written.
    """
    prepared = _prepared(session, running(session, items), terminal_problem=lambda: terminal_problem)
    _refuse_shared_groups(prepared)
    session.awaited |= {each.workflow.name for each in prepared}
    for each in prepared:
        try:
            run = "about to be given to a worker"
            RunLock.take(each.workflow.root, each.workflow.name, run=run, group=each.group).release()
        except LockHeldError as error:
            raise pytest.UsageError(str(error)) from error
    return [each.workflow for each in prepared]


def open_run(session: WorkflowSession, workflow: Workflow) -> Run:
    """Return a new run of a workflow that was checked by the process that hands out the work.

    Raises:
        WorkflowExecError: It would not get through now, or is already running.
        EvidenceError: Evidence can't be written.
    """
    only = len(session.workflows) == 1
    prepared = _Preparation(session, workflow, only=only, terminal_problem=lambda: None)
    if prepared.problems:
        raise PreflightError(prepared.problems)
    session.runs[workflow.name] = run = Run.open(prepared.settings())
    return run


def _warnings(workflow: Workflow, session: WorkflowSession) -> list[str]:
    from pytest_workflow_exec.run import plan_warnings

    return [f"warning: {placed(problem, session.config)}" for problem in plan_warnings(workflow)]


def _terminal_problem() -> str | None:
    from pytest_workflow_exec.approval import terminal_problem

    return terminal_problem()


def _prepared(
    session: WorkflowSession, names: Sequence[str], *, terminal_problem: Callable[[], str | None]
) -> list[_Preparation]:
    only = len(names) == 1
    refuse_among_passed(session.config, [session.workflows[name] for name in names])
    prepared = [
        _Preparation(session, session.workflows[name], only=only, terminal_problem=terminal_problem) for name in names
    ]
    # What is wrong with the project or an option, each of its workflows has.
    problems = dict.fromkeys(placed(problem, session.config) for each in prepared for problem in each.problems)
    if problems:
        raise pytest.UsageError(listed("nothing was run, because the workflow would not get through:", problems))
    return prepared


def _ask(request: GateRequest, timeout_s: float, *, read: ReadAnswer) -> Decision:
    from pytest_workflow_exec.approval import ask

    return ask(request, timeout_s=timeout_s, read=read)


def _attest(task: ManualTask, timeout_s: float, *, read: ReadAnswer) -> Attestation:
    from pytest_workflow_exec.approval import attest

    return attest(task, timeout_s=timeout_s, read=read)


def _refuse_shared_groups(prepared: Sequence[_Preparation]) -> None:
    shared: dict[tuple[Path, str], list[str]] = {}
    for each in prepared:
        if each.group is not None:
            shared.setdefault((each.workflow.root, each.group), []).append(each.workflow.name)
    for (_, group), names in shared.items():
        if len(names) > 1:
            listed_names = ", ".join(sorted(names))
            raise pytest.UsageError(
                f"nothing was run: the workflows {listed_names} share the concurrency group {group!r}, and several "
                "workers would run them at once. Add -n0."
            )


class _Preparation:
    """One workflow on its way to a run."""

    def __init__(
        self, session: WorkflowSession, workflow: Workflow, *, only: bool, terminal_problem: Callable[[], str | None]
    ) -> None:
        self.workflow, self._session, self._terminal_problem = workflow, session, terminal_problem
        self.problems: list[Problem] = []
        self._pin_differs = False
        self._programs: ProgramPins | None = None
        self._durability: Durability = "power"
        self._notify: Sequence[NotifySettings] = ()
        self._said: Mapping[str, Said] = {}
        self._filesystem: Filesystem = "local"
        self._segment_bytes = SEGMENT_BYTES
        self._policy_settings, self._policy = self._read_policy()
        self._environment = self._with_secrets()
        self._onward = self._find_earlier(only=only)
        self._rejected = self._find_rejected()
        self._break_glass = self._find_glass(only=only)
        self._given: Mapping[str, str] = {}
        self._inputs = self._resolve_inputs(only=only)
        self._present = self._look()
        self._resumption = self._work_out()
        self._check()

    @property
    def earlier_root(self) -> Json:
        """The project in which the run that goes on was begun."""
        return None if self._onward is None else self._onward.history.facts.get("root")

    @property
    def group(self) -> str | None:
        """The concurrency group of its run, which was checked."""
        inputs, _ = self._ready()
        return group_of(self.workflow, known_values(self.workflow, plain_inputs(inputs), inputs.groups))

    def settings(self) -> RunSettings:
        """Return what the run is started with; asks for the reason of a step that is to run again.

        Raises:
            PreflightError: Nobody gave a reason.
        """
        from pytest_workflow_exec.redaction import Redactor

        inputs, policy = self._ready()
        config, resumption = self._session.config, self._resumption
        if self._onward is not None and self._present is not None and resumption is not None:
            resumption = with_reason(self._onward, self.workflow, self._present, resumption)
        redactor = Redactor(self._secrets())
        self._environment.tell = redactor.add
        read = answer_reader(redactor)
        return RunSettings(
            workflow=self.workflow,
            policy=policy,
            inputs=plain_inputs(inputs),
            input_groups=inputs.groups,
            input_texts=input_texts(inputs),
            secrets={name: secret.value for name, secret in inputs.secrets.items()},
            environment=self._environment,
            redactor=redactor,
            command_line=config.invocation_params.args,
            plugins=_plugin_versions(config),
            until=self._session.until.get(self.workflow.name),
            given=self._given,
            durability=self._durability,
            notify=self._notify,
            segment_bytes=self._segment_bytes,
            variables={said.variable: said.value for said in self._said.values()},
            resumption=resumption,
            approver=partial(_ask, read=read),
            attester=partial(_attest, read=read),
            signed_approver=ask_signed,
            after_rejection=reason_after(self._rejected, self.workflow),
            sign_start=self._sign_start,
            break_glass=self._break_glass,
            listener=self._minutes(),
            group=self.group,
            programs=self._programs,
            witness=witness_of(self._session),
            watch=self._session.lines.live.command,
        )

    @property
    def _only_finally(self) -> bool:
        return self._onward is not None and bool(self._onward.only_finally)

    @property
    def _sign_start(self) -> Path | None:
        key = self._session.config.getoption("workflow_sign_start")
        return (
            None if key is None or self._onward is not None else Path(self._session.config.invocation_params.dir, key)
        )

    def _start_problem(self, policy: Policy) -> str | None:
        key = self._session.config.getoption("workflow_sign_start")
        if key is None:
            return None
        if self._onward is not None:
            return "--workflow-sign-start signs the start of a new run, and this one was started before"
        from pytest_workflow_exec.approval import start_problem
        from pytest_workflow_exec.run import trust_of

        try:
            return start_problem(Path(self._session.config.invocation_params.dir, key), trust_of(policy))
        except PinError as error:
            return str(error)

    def _minutes(self) -> Minutes:
        self._session.minutes[self.workflow.name] = minutes = Minutes(self._announcements())
        return minutes

    def _announcements(self) -> Announcements:
        name = self.workflow.name
        return self._session.announcements.setdefault(name, Announcements(self._session.config, name))

    def _ready(self) -> tuple[Inputs, Policy]:
        if self._inputs is None or self._policy is None:
            message = f"workflow {self.workflow.name!r} was not checked"
            raise WorkflowExecError(message)
        return self._inputs, self._policy

    def _resolve_inputs(self, *, only: bool) -> Inputs | None:
        try:
            earlier = {} if self._onward is None else self._onward.given
            declared = {spec.name for spec in self.workflow.inputs}
            kept = {name: text for name, text in earlier.items() if name in declared}
            self._given = {**kept, **given_inputs(self._session.config, self.workflow.name, only=only)}
            inputs = resolve_inputs(self.workflow, self._given, environment=self._environment)
        except PreflightError as error:
            self.problems += error.problems
            return None
        self.problems += _moved(self.workflow, inputs)
        return inputs

    def _read_policy(self) -> tuple[PolicySettings | None, Policy | None]:
        try:
            loaded = with_variables(load_settings(self.workflow.root), os.environ)
            settings, self._durability, self._filesystem = loaded.policy, loaded.durability, loaded.filesystem
            self._notify, self._said = loaded.notify, loaded.said
            self._segment_bytes = loaded.segment_bytes or SEGMENT_BYTES
            return settings, compile_policy(
                settings,
                workflow=self.workflow.name,
                environment=os.environ,
                pin=self._find_pin(settings),
                tests=self.workflow.has_tests,
                only=self.workflow.only,
            )
        except (SettingsError, PolicyError) as error:
            self.problems += error.problems
            return None, None

    def _with_secrets(self) -> SecretEnvironment:
        policy = self._policy
        sources = {} if policy is None else policy.secrets
        rules = () if policy is None else (*policy.rules, policy.tests)
        return SecretEnvironment(os.environ, sources, root=self.workflow.root, rules=rules)

    def _find_pin(self, settings: PolicySettings) -> Pin | None:
        try:
            return demanded_pin(self.workflow, settings.trusted)
        except PinError as error:
            self.problems.append(Problem(message=str(error)))
            self._pin_differs = True
            return None

    def _find_earlier(self, *, only: bool) -> Onward | None:
        try:
            signers = pinned_signers(self._policy)
            return onward(self._session.config, self.workflow, only=only, signers=signers)
        except PreflightError as error:
            self.problems += error.problems
            return None

    def _find_rejected(self) -> Sequence[RunId]:
        if self._onward is not None or self.problems:
            return ()
        try:
            runs = rejected_before(self.workflow)
        except PreflightError as error:
            self.problems += error.problems
            return ()
        if runs and (problem := rejection_problem(runs, terminal_problem=self._terminal_problem())) is not None:
            self.problems.append(Problem(path=self.workflow.file, message=problem))
        return runs

    def _find_glass(self, *, only: bool) -> StepId | None:
        if not self._session.config.getoption("workflow_break_glass"):
            return None
        from ._glass import glass_problem, glass_to_break

        try:
            gate = glass_to_break(self._session.config, self.workflow, only=only)
        except PreflightError as error:
            self.problems += error.problems
            return None
        if gate is None or self._policy is None:
            return None
        problem = glass_problem(gate, self._policy, terminal_problem=self._terminal_problem())
        if problem is not None:
            self.problems.append(Problem(path=self.workflow.file, message=problem))
        return gate

    def _look(self) -> Present | None:
        if self._onward is None or self._inputs is None or self._policy is None:
            return None
        from pytest_workflow_exec.run import Present

        return Present(
            inputs=plain_inputs(self._inputs),
            policy=self._policy,
            repository=repository_facts(self.workflow.root),
            now=datetime.now(timezone.utc),
            anchored_through=self._onward.anchored_through,
            doubt_of_records=self._onward.doubt_of_records,
        )

    def _work_out(self) -> Resumption | None:
        if self._onward is None or self._present is None:
            return None
        resumption = self._onward.resumption(self.workflow, self._present)
        said = problems_of(self._onward, resumption, self.workflow, terminal_problem=self._terminal_problem)
        self.problems += [Problem(path=self.workflow.file, message=message) for message in said]
        return resumption

    def _check(self) -> None:
        if self._inputs is None or self._policy is None:
            return
        if (problem := self._start_problem(self._policy)) is not None:
            self.problems.append(Problem(message=f"--workflow-sign-start: {problem}"))
        if (problem := witness_problem(self._session)) is not None:
            self.problems.append(Problem(message=f"--workflow-witness: {problem}"))
        carried = () if self._resumption is None else self._resumption.carried
        if self._policy.rules:
            # Only here: without a rule there is no program, and nothing of what looks at them is loaded.
            from pytest_workflow_exec.sandbox import pin_programs

            self._programs = pin_programs(self._policy)
        steps = [
            step
            for step in steps_until(self.workflow, self._session.until.get(self.workflow.name))
            if step.id not in carried and (step.always or not self._only_finally)
        ]
        if may_ask(self.workflow):
            # Only here: a workflow that asks no model loads nothing that could.
            from ._ai import asking_problems

            self.problems += asking_problems(self._session.config, self.workflow, steps)
        if any(step.evidence_type is not None for step in steps):
            from ._evidence_types import evidence_type_problems

            self.problems += evidence_type_problems(steps)
        self.problems += preflight(
            self.workflow,
            steps=steps,
            values=known_values(self.workflow, plain_inputs(self._inputs), self._inputs.groups),
            policy=self._policy,
            texts=input_texts(self._inputs),
            environment=self._environment,
            terminal_problem=self._terminal_problem,
            python_timeouts=self._session.config.pluginmanager.hasplugin("timeout"),
            signers_known=not self._pin_differs,
            filesystem=self._filesystem,
        )

    def _secrets(self) -> Mapping[str, str]:
        inputs, policy = self._ready()
        names = {name for rule in policy.rules for name in rule.secrets}
        of_rules = {name: os.environ[name] for name in names if name in os.environ}
        return {**of_rules, **self._environment.read} | {
            secret.variable: secret.value for secret in inputs.secrets.values()
        }


def _moved(workflow: Workflow, inputs: Inputs) -> list[Problem]:
    return [
        Problem(path=workflow.file, message=f"input {name!r} is not what it was when the steps were counted; run again")
        for name, value in workflow.listed.items()
        if inputs.values[name] != value
    ]


def _plugin_versions(config: pytest.Config) -> Mapping[str, str]:
    return dict(named_version_of(distribution) for _, distribution in config.pluginmanager.list_plugin_distinfo())
