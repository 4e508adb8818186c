"""Rules of `evidence:` and of `defaults` in Python, in a real session."""

from __future__ import annotations

import pytest

from .conftest import Project

YAML = """\
steps:
  - id: ticket
    run: [echo, "%s"]
    outputs: {number: {stdout: 'no ?(.*)'}}
    evidence: [number]
  - {id: after, run: [touch, ran-after]}
"""
PYTHON = """\
from pytest_workflow_exec import Workflow, step
WORKFLOW = Workflow(defaults={"timeout": "5m", "idempotent": True})
@step(evidence=["number"])
def ticket():
    return %s
@step(idempotent=False)
def after(workflow):
    (workflow.root / "ran-after").touch()
"""


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("wf/a.workflow.yaml", YAML % "no", "the step left 'number' empty, which is its evidence"),
        ("wf/workflow_a.py", PYTHON % '{"number": []}', "the step left 'number' empty, which is its evidence"),
        ("wf/workflow_a.py", PYTHON % "{}", "the step left no 'number', which is its evidence (it left nothing)"),
        ("wf/workflow_a.py", PYTHON % "None", "the step left no 'number', which is its evidence (it left nothing)"),
    ],
)
def test_step_without_its_evidence_fails(project: Project, name: str, text: str, reason: str) -> None:
    """A step that leaves no such value, or an empty one, fails, and nothing runs after it."""
    project.write(name, text)

    session = project.pytest("wf")

    assert session.status == 1
    assert reason in session.text
    assert project.outcomes() == {"ticket": "failed", "after": "blocked"}
    assert not (project.root / "ran-after").exists()


def test_step_with_its_evidence_passes_and_has_the_defaults(project: Project) -> None:
    """Evidence that is there lets the step pass; the plan shows that `idempotent` came from the defaults."""
    project.write("wf/workflow_a.py", PYTHON % '{"number": 0}')

    session = project.pytest("wf")

    assert session.status == 0, session.text
    steps = project.of_type("run.started")[0]["data"]["plan"]["steps"]
    assert [(step["id"], step["repeatable"]) for step in steps] == [("ticket", True), ("after", False)]


def test_python_defaults_of_commands_are_refused(project: Project) -> None:
    """A folder or a variable as default of a Python workflow is refused, and nothing runs."""
    project.write("wf/workflow_a.py", (PYTHON % "None").replace('"timeout": "5m"', '"cwd": "wf"'))

    session = project.pytest("wf")

    assert session.status == 4
    assert "cwd belongs to run steps; in Python, give it to sandbox.run" in session.text
    assert project.untouched
