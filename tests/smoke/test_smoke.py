"""The shortest proof that the package works as installed: one run, from its first record to a verdict."""

from __future__ import annotations

import os
from importlib import metadata
from pathlib import Path
from typing import NoReturn

import pytest

import pytest_workflow_exec
from pytest_workflow_exec.definition import read_yaml_workflow, resolve_inputs
from pytest_workflow_exec.errors import CommandRefusedError
from pytest_workflow_exec.model import Command, Outcome
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import Run, RunSettings, perform_command
from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.settings import load_settings
from pytest_workflow_exec.verify import verify_log

WORKFLOW = """
workflow: hello
steps:
  - id: greet
    run: [echo, hello]
    expect: {stdout: hello}
"""
CONFIGURATION = """
[policy]
sandbox = "none"
commands = ["echo hello"]
"""


def nobody(asked: object, timeout_s: float) -> NoReturn:
    """Fail: the smoke workflow asks nobody."""
    raise AssertionError((asked, timeout_s))


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A run of the workflow in a project of its own."""
    (tmp_path / "workflow-exec.toml").write_text(CONFIGURATION)
    (tmp_path / "hello.workflow.yaml").write_text(WORKFLOW)
    workflow = read_yaml_workflow(tmp_path / "hello.workflow.yaml", root=tmp_path)
    return Run.open(
        RunSettings(
            workflow=workflow,
            policy=compile_policy(load_settings(tmp_path).policy, workflow="hello", environment=os.environ),
            inputs=resolve_inputs(workflow, {}).values,
            input_groups={},
            input_texts={},
            environment=os.environ,
            redactor=Redactor({}),
            command_line=[],
            plugins={},
            approver=nobody,
            attester=nobody,
        )
    )


def test_public_names_exist() -> None:
    """Every public name of the package can be imported, and the package knows its version."""
    for name in pytest_workflow_exec.__all__:
        assert getattr(pytest_workflow_exec, name) is not None

    assert metadata.version("pytest-workflow-exec")


def test_run_leaves_evidence_that_verifies(run: Run) -> None:
    """A finished run's log verifies against its own head, and only against that."""
    [step] = run.workflow.steps
    assert isinstance(step.body, Command)

    run.start(step)
    outputs = perform_command(run, step, step.body)
    run.finish(step.id, Outcome.PASSED, outputs=outputs)
    run.close(interrupted=False)

    assert outputs.values["stdout"] == "hello"
    assert verify_log(run.log_path, expect_head=run.head.hash).exit_code == 0
    assert verify_log(run.log_path, expect_head="0" * 64).exit_code == 1
    assert verify_log(run.log_path).exit_code == 3


def test_policy_refuses_what_it_does_not_list(run: Run) -> None:
    """A command without a rule is refused and not started."""
    [step] = run.workflow.steps
    run.start(step)

    with pytest.raises(CommandRefusedError):
        run.run_command(step.id, ["touch", "pwned"])

    assert not (run.workflow.root / "pwned").exists()
    run.close(interrupted=False)
