"""`policy: {only: [...]}`: a workflow keeps its own commands to less than the project allows, and never to more."""

from __future__ import annotations

import json

import pytest

from .conftest import Project

POLICY = """
[policy]
sandbox = "none"
commands = ["touch *", "echo **"]
"""
FLOW = """
workflow: flow
policy:
  only: {only}
inputs: {{name: {{type: string, default: ran-two}}}}
steps:
  - {{id: one, run: [touch, ran-one]}}
  - {{id: two, run: [touch, "${{inputs.name}}"]}}
  - {{id: three, run: [echo, "${{steps.one.exit}}"]}}
"""
PYTHON = """
from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow(name="py", policy={"only": ["touch ran-one"]})

@step
def one(sandbox):
    sandbox.run(["touch", "ran-one"])

@step
def two(sandbox):
    sandbox.run(["touch", "ran-two"])
"""


@pytest.fixture(autouse=True)
def policy(project: Project) -> None:
    """A policy that allows more than the workflows want."""
    project.write("workflow-exec.toml", POLICY)


def flow(project: Project, only: str) -> None:
    """Write the workflow with what it keeps itself to."""
    project.write("wf/flow.workflow.yaml", FLOW.format(only=only))


def test_commands_within_it_run(project: Project) -> None:
    """What both allow runs, by the policy's rule; the plan has what the workflow says, so that its digest holds it."""
    flow(project, '[touch ran-one, "touch {name}", "echo *"]')
    plans = [project.pytest("wf", "--workflow-plan-json", "-q").text]
    session = project.pytest("wf")

    flow(project, '["touch *", "echo *"]')
    plans.append(project.pytest("wf", "--workflow-plan-json", "-q").text)
    said = [json.loads(text[text.index("{") : text.rindex("}") + 1])["plans"][0] for text in plans]

    assert session.status == 0, session.text
    assert [record["data"]["rule"] for record in project.of_type("command.started")] == [
        "touch *",
        "touch *",
        "echo **",
    ]
    assert said[0]["policy"] == {"only": ["touch ran-one", "touch {name}", "echo *"]}
    assert said[0]["digest"] != said[1]["digest"]


@pytest.mark.parametrize(
    ("only", "words"),
    [
        ('[touch ran-one, "echo *"]', "nearest rule 'touch ran-one': argument 1 is 'ran-two'"),
        ("[]", "it has no command"),
        ('["touch *"]', "nearest rule 'touch *': the program is 'echo'"),
    ],
)
def test_command_outside_it_is_refused_before_anything_runs(project: Project, only: str, words: str) -> None:
    """The policy would allow it; the workflow said that it does not run such commands."""
    flow(project, only)

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "the workflow's own policy.only does not have it" in session.text
    assert words in session.text
    assert project.untouched


def test_it_grants_nothing(project: Project) -> None:
    """A rule of the workflow is none of the policy."""
    project.write("workflow-exec.toml", POLICY.replace('"touch *", ', ""))
    flow(project, '["touch *", "echo *"]')

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "nearest rule 'echo **': the program is 'touch'" in session.text
    assert project.untouched


def test_rule_that_is_none_is_an_error(project: Project) -> None:
    """What can't be read as a rule narrows nothing in silence."""
    flow(project, '["touch  *"]')

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "policy.only of the workflow: rule 'touch  *': tokens are separated by exactly one space" in session.text
    assert project.untouched


def test_python_code_is_held_to_it(project: Project) -> None:
    """A command that only Python knows is refused when it is asked for, and not run."""
    project.write("wf/workflow_py.py", PYTHON)

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert project.outcomes() == {"one": "passed", "two": "failed"}
    assert sorted(path.name for path in project.root.glob("ran-*")) == ["ran-one"]
    [refused] = project.of_type("command.refused")
    assert "policy.only" in refused["data"]["reason"]


def test_fragment_has_none(project: Project) -> None:
    """A fragment does not say what the workflow that includes it may run."""
    project.write("wf/_part.workflow.yaml", "policy: {only: []}\nsteps:\n  - {id: one, run: [touch, ran-one]}\n")
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {include: _part.workflow.yaml}\n")

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "'policy' belongs to a workflow, and this is a fragment" in session.text
    assert project.untouched
