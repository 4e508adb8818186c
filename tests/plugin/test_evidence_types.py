"""Evidence as a pydantic model: `evidence: module:Model` and `@step(evidence=Model)`, in a real session."""

from __future__ import annotations

import pytest

from .conftest import Project

MODELS = """\
from pydantic import BaseModel, Field, RootModel

class Ticket(BaseModel, extra="forbid"):
    number: int = Field(ge=1)
    titles: list[str]
    note: str = ""

class Hosts(RootModel[list[str]]):
    pass

def plain():
    pass

OTHER = 3
"""
AFTER = "  - {id: after, run: [touch, ran-after]}\n"
CALLED = "steps:\n  - {id: ticket, call: 'facts:left', evidence: 'models:%s'}\n" + AFTER
TWICE = (
    CALLED.replace("{id: ticket,", "{id: ticket, idempotent: true,") % "Ticket" + "  - {id: broken, run: ['false']}\n"
)
RUN = """\
steps:
  - id: ticket
    run: [echo, "no %s of site"]
    outputs: {number: {stdout: 'no (\\d+)', type: integer}, titles: {stdout: 'of (\\w+)', type: list}}
    evidence: models:Ticket
"""
PYTHON = """\
from pydantic import BaseModel
from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow()

class Ticket(BaseModel):
    number: int
    titles: list[str]

@step(evidence=Ticket)
def ticket():
    return %s

@step
def after(workflow):
    (workflow.root / "ran-after").touch()
"""


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        ("{'number': 0, 'titles': ['a']}", "is not its evidence, Ticket: number: Input should be greater than"),
        ("{'number': 'x', 'titles': ['a']}", "is not its evidence, Ticket: number: Input should be a valid integer"),
        ("{'number': 1}", "is not its evidence, Ticket: titles: Field required"),
        ("{'number': 1, 'titles': []}", "the step left 'titles' empty, which is its evidence"),
        ("{'number': 1, 'titles': ['a'], 'more': 1}", "more: Extra inputs are not permitted"),
        ("None", "number: Field required; titles: Field required"),
        ("['a']", "is not its evidence, Ticket"),
    ],
)
def test_what_the_model_does_not_take_fails_the_step(project: Project, left: str, reason: str) -> None:
    """Wrong, missing or empty: the step fails, and nothing runs after it."""
    project.write("wf/models.py", MODELS)
    project.write("wf/facts.py", f"def left():\n    return {left}\n")
    project.write("wf/a.workflow.yaml", CALLED % "Ticket")

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert reason in session.text
    assert project.outcomes() == {"ticket": "failed", "after": "blocked"}
    assert not (project.root / "ran-after").exists()


@pytest.mark.parametrize(
    ("left", "model", "status"),
    [
        ("{'number': 7, 'titles': ['a']}", "Ticket", 0),
        ("['web1']", "Hosts", 0),
        ("[]", "Hosts", 1),
        ("[1]", "Hosts", 1),
    ],
)
def test_what_it_takes_passes(project: Project, left: str, model: str, status: int) -> None:
    """Fields with a default may be empty; a root model judges a bare value."""
    project.write("wf/models.py", MODELS)
    project.write("wf/facts.py", f"def left():\n    return {left}\n")
    project.write("wf/a.workflow.yaml", CALLED % model)

    session = project.pytest("wf")

    assert session.status == status, session.text
    assert (project.root / "ran-after").exists() == (status == 0)


@pytest.mark.parametrize(("number", "status"), [("7", 0), ("0", 1)])
def test_of_a_command_its_declared_outputs_count(project: Project, number: str, status: int) -> None:
    """A model that forbids more sees neither stdout nor the exit status, which every command leaves."""
    project.write("wf/models.py", MODELS)
    project.write("wf/a.workflow.yaml", RUN % number + AFTER)

    session = project.pytest("wf")

    assert session.status == status, session.text
    assert (project.root / "ran-after").exists() == (status == 0)


@pytest.mark.parametrize(
    ("left", "status"),
    [("{'number': 7, 'titles': ['a']}", 0), ("{'number': 7, 'titles': []}", 1), ("{'number': 7}", 1), ("None", 1)],
)
def test_model_of_a_python_step(project: Project, left: str, status: int) -> None:
    """`@step(evidence=Model)` says the same."""
    project.write("wf/workflow_a.py", PYTHON % left)

    session = project.pytest("wf")

    assert session.status == status, session.text
    assert (project.root / "ran-after").exists() == (status == 0)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("models:Tickets", "models.py defines no 'Tickets' at its top level (did you mean 'Ticket'?)"),
        ("model:Ticket", "there is no model.py beside this file"),
        ("models:plain", "it is a function"),
        ("models:OTHER", "the evidence of step 'ticket' is to be OTHER, which is no pydantic model in models.py"),
        ("a b:C", "write module:Model"),
    ],
)
def test_what_is_no_model_is_refused_before_the_first_step(project: Project, name: str, reason: str) -> None:
    """By its name when the file is read; by what it is before anything runs."""
    project.write("wf/models.py", MODELS)
    project.write("wf/facts.py", "def left():\n    return {}\n")
    project.write("wf/a.workflow.yaml", (CALLED % "Ticket").replace("models:Ticket", name))

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert reason in " ".join(session.text.split())
    assert project.untouched


def test_class_that_is_no_model_is_refused(project: Project) -> None:
    """`@step(evidence=int)` is exit 4, in the author's own line."""
    project.write("wf/workflow_a.py", (PYTHON % "{}").replace("@step(evidence=Ticket)", "@step(evidence=int)"))

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "evidence must be a list of texts or a pydantic model, not the class int" in session.text
    assert project.untouched


def test_changed_model_runs_its_step_again(project: Project) -> None:
    """What counts as evidence is part of what the step is: under another model nothing is carried."""
    project.write("wf/models.py", MODELS)
    project.write("wf/facts.py", "def left():\n    return {'number': 7, 'titles': ['a']}\n")
    project.write("wf/a.workflow.yaml", TWICE)
    assert project.pytest("wf").status == 1

    project.write("wf/models.py", MODELS.replace("ge=1", "ge=8"))
    session = project.pytest("wf", "--workflow-resume")

    assert session.status == 1, session.text
    assert "number: Input should be greater than or equal to 8" in session.text
    assert project.outcomes() == {"ticket": "failed", "after": "blocked", "broken": "blocked"}
