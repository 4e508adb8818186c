"""A project with one workflow, and a run of it, without pytest in between."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.definition import read_yaml_workflow, resolve_inputs
from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.evidence import Record, read_log
from pytest_workflow_exec.model import Command, Gate, Outcome, Step
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import Run, RunSettings, StepOutputs, perform_command
from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.settings import load_settings

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
    ) -> Run:
        """Return a run of a workflow with these steps, as its YAML file would say them."""
        file = self.root / "flow.workflow.yaml"
        file.write_text(steps, encoding="utf-8")
        workflow = read_yaml_workflow(file, root=self.root)
        resolved = resolve_inputs(workflow, inputs or {})
        policy = compile_policy(load_settings(self.root).policy, workflow=workflow.name, environment=os.environ)
        run = Run.open(
            RunSettings(
                workflow=workflow,
                policy=policy,
                inputs={name: value for name, value in resolved.values.items() if not isinstance(value, tuple)},
                input_groups=resolved.groups,
                input_texts={name: value for name, value in resolved.values.items() if isinstance(value, str)},
                environment=os.environ,
                redactor=Redactor({}),
                command_line=["flow.workflow.yaml"],
                plugins={},
                approver=approver,
            )
        )
        self.runs.append(run)
        return run

    def perform(self, run: Run, name: str) -> None:
        """Run one step to its end, as the plugin would."""
        step = run.workflow.step(name)
        run.start(step)
        run.finish(name, Outcome.PASSED, outputs=_outputs(run, step))

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
