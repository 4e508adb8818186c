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


CHECKED = """\
steps:
  - id: ticket
    run: [sleep, '60']
    outputs: {number: {stdout: '(.*)'}}
    evidence: %s
    check: {run: [test, -e, made]}
  - {id: after, run: [touch, ran-after]}
"""


@pytest.mark.parametrize("evidence", ["[number]", "models:Ticket"])
def test_no_check_stands_in_for_evidence(project: Project, evidence: str) -> None:
    """A check finds the effect, and not what the step has to leave: a person decides, and without one nothing runs."""
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["sleep *", "test -e *", "touch *"]\n')
    project.write("wf/models.py", "from pydantic import BaseModel\nclass Ticket(BaseModel):\n    number: str\n")
    project.write("wf/a.workflow.yaml", CHECKED % evidence)
    child = project.start("wf")
    project.wait_for("command.started", 1)
    child.kill()
    child.wait()
    (project.root / "made").touch()
    before = project.records()

    session = project.pytest("wf", "--workflow-resume")

    assert session.status == 4, session.text
    assert "a person must say that it may run again" in session.text
    assert project.records() == before
    assert not (project.root / "ran-after").exists()


def test_python_step_with_a_check_has_no_evidence(project: Project) -> None:
    """Without its body nobody has what it returns."""
    project.write(
        "wf/workflow_a.py",
        (PYTHON % "{}").replace('@step(evidence=["number"])', '@step(evidence=["number"], check=["test"])'),
    )

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "a step with a check leaves no evidence" in session.text
    assert project.untouched
