"""A project with one workflow, and a run of it, without pytest in between."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.approval import Attestation, Decision, GateRequest, ManualTask
from pytest_workflow_exec.definition import read_yaml_workflow, resolve_inputs
from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.evidence import Record, read_log
from pytest_workflow_exec.model import Call, Command, Gate, Outcome, Step, StepId
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import (
    History,
    Present,
    Redo,
    Run,
    RunSettings,
    StepOutputs,
    perform_check,
    perform_command,
    repository_facts,
    resumption_of,
)
from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.settings import Durability, Pin, load_settings
from pytest_workflow_exec.verify import verify_log

CONFIGURATION = '[policy]\nsandbox = "none"\ncommands = ["echo *", "echo * *", "cp * *", "touch *"]\n'


def approved(request: GateRequest, timeout_s: float) -> Decision:
    """Approve whatever is asked, as a person at a terminal would."""
    return Decision(
        decision="approved",
        reason="",
        approver=Actor(kind="human", id="alice"),
        channel="terminal",
        terminal="/dev/pts/1",
        assurance=1,
    )


def done(task: ManualTask, timeout_s: float) -> Attestation:
    """Say that work by hand was done, as a person at a terminal would."""
    return Attestation(result="done", reason="", notes=(), who=Actor(kind="human", id="alice"), terminal="/dev/pts/1")


def no_call(check: Call) -> object:
    """Refuse to call the function of a check: that is pytest's part."""
    raise NotImplementedError(check.function)


def history_in(log: Path) -> History:
    """Return what a log says of earlier sessions; told by the verifier in passing, it is the same."""
    history, told = History.of(log), History()
    verdict = verify_log(log, fold=told.take)
    told.end(verdict.head)
    assert verdict.torn_bytes or verdict.word == "broken" or told == history
    return history


@dataclass
class Project:
    """A folder that is a project, with one workflow file."""

    root: Path
    runs: list[Run] = field(default_factory=list)

    def open(
        self,
        steps: str,
        *,
        inputs: Mapping[str, str] | None = None,
        approver: Callable[[GateRequest, float], Decision] = approved,
        attester: Callable[[ManualTask, float], Attestation] = done,
        after: Run | None = None,
        redo: StepId | None = None,
        history: History | None = None,
        environment: Mapping[str, str] = os.environ,
        pin: Pin | None = None,
        durability: Durability = "power",
        anchored_through: int = -1,
        **more: Any,
    ) -> Run:
        """Return a run of a workflow with these steps, as its YAML file would say them.

        Args:
            after: The run that goes on; None for a new one.
            redo: The step that a person wants to run again.
            history: What its log was found to say; None to look now.
            environment: The engine's own.
            pin: What holds the policy outside the project.
            durability: What its evidence survives.
            anchored_through: The last record of its log that an anchor covers.
            more: Further settings of the run.
        """
        file = self.root / "flow.workflow.yaml"
        file.write_text(steps, encoding="utf-8")
        workflow = read_yaml_workflow(file, root=self.root)
        resolved = resolve_inputs(workflow, inputs or {}, environment=environment)
        policy = compile_policy(
            load_settings(self.root).policy, workflow=workflow.name, environment=os.environ, pin=pin
        )
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in resolved.values.items()}
        resumption = None
        if after is not None:
            resumption = resumption_of(
                workflow,
                history or history_in(after.log_path),
                Present(
                    inputs=values,
                    policy=policy,
                    repository=repository_facts(self.root),
                    now=datetime.now(timezone.utc),
                    anchored_through=anchored_through,
                ),
                run=after.id,
                redo=None if redo is None else Redo(step=redo, reason="because", who="alice"),
            )
        run = Run.open(
            RunSettings(
                workflow=workflow,
                policy=policy,
                inputs=values,
                input_groups=resolved.groups,
                input_texts={name: value for name, value in resolved.values.items() if isinstance(value, str)},
                secrets={name: secret.value for name, secret in resolved.secrets.items()},
                environment=environment,
                redactor=Redactor({secret.variable: secret.value for secret in resolved.secrets.values()}),
                command_line=["flow.workflow.yaml"],
                plugins={},
                approver=approver,
                attester=attester,
                resumption=resumption,
                durability=durability,
                **more,
            )
        )
        self.runs.append(run)
        return run

    def perform(self, run: Run, name: str) -> None:
        """Run one step to its end, as the plugin would."""
        step = run.workflow.step(name)
        run.start(step)
        there = perform_check(run, step, call=no_call)
        run.finish(name, Outcome.PASSED, outputs=_outputs(run, step) if there is None else there)

    def go_through(self, run: Run) -> dict[str, str]:
        """Run or carry every step in order, end the run, and return how each step ended in this session."""
        for step in run.workflow.steps:
            if run.carries(step):
                run.carry(step)
            else:
                self.perform(run, step.id)
        run.close(interrupted=False)
        return self.last_outcomes(run)

    def last_outcomes(self, run: Run) -> dict[str, str]:
        """Return how each step ended in the last session of a run."""
        outcomes: dict[str, str] = {}
        for record in self.records(run):
            if record.type == "run.resumed":
                outcomes = {}
            if record.type == "step.finished" and record.step is not None:
                outcomes[record.step] = str(record.data["outcome"])
        return outcomes

    def records(self, run: Run) -> list[Record]:
        """Return what the run's log says."""
        return list(read_log(run.log_path))

    def types(self, run: Run) -> list[str]:
        """Return the types of the run's records."""
        return [record.type for record in self.records(run)]


def _outputs(run: Run, step: Step) -> StepOutputs:
    if isinstance(step.body, Gate):
        return run.decide(step, step.body, words="")
    assert isinstance(step.body, Command)
    return perform_command(run, step, step.body)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project with a policy."""
    (tmp_path / "workflow-exec.toml").write_text(CONFIGURATION)
    return Project(tmp_path)
