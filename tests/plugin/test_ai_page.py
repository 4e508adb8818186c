"""The page on steps that ask a model is true: its snippets are read, asked and executed."""

from __future__ import annotations

import json
import textwrap

from tests._pages import blocks_of
from tests._published import ROOT

from .conftest import Project, code_at, finish

QUESTION, PLAN, ACTION, EARLY, SIGNING, TALK, TALKING, PYTHON = blocks_of(ROOT / "docs" / "ai.md")
IMPORTS = "from typing import Literal\n\nfrom pydantic import BaseModel, computed_field\n\n\n"


def test_steps_of_the_page_ask_and_execute(project: Project) -> None:
    """Its question, its gate and its plan are one workflow, with a type as the page derives it."""
    project.environment["CI"] = ""
    steps = "- {id: reproduce, run: [echo, broken]}\n" + QUESTION.text + PLAN.text
    project.write("wf/flow.workflow.yaml", "steps:\n" + textwrap.indent(steps, "  "))
    project.write(
        "wf/diagnosis.py",
        "from pytest_workflow_exec import CommandPlan\n\n\nclass Diagnosis(CommandPlan):\n    cause: str\n",
    )
    plan = {"cause": "x", "commands": [{"argv": ["touch", "ran-it"], "why": "y"}]}
    project.write("answers.json", json.dumps({"diagnose": [plan]}))

    child = project.terminal("wf", "-s", "--workflow-ai-answers=answers.json")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert (project.root / "ran-it").exists()


def test_actions_of_the_page_become_commands(project: Project) -> None:
    """Its type with computed commands is executed, where the policy allows them."""
    project.environment["CI"] = ""
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["echo restart web"]\n')
    project.write("wf/actions.py", IMPORTS + ACTION.text.replace("systemctl", "echo"))
    project.write(
        "wf/flow.workflow.yaml",
        "steps:\n  - {id: ask, ai: {prompt: Which?, output: 'actions:Restart'}}\n"
        "  - {id: go, gate: {question: Go?, show: [ask]}}\n"
        '  - {id: do, execute: "${steps.ask.commands}"}\n',
    )
    project.write("answers.json", json.dumps({"ask": [{"service": "web"}]}))

    child = project.terminal("wf", "-s", "--workflow-ai-answers=answers.json")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert [each["data"]["argv"] for each in project.of_type("command.started")] == [["echo", "restart", "web"]]


def test_code_of_the_page_asks(project: Project) -> None:
    """Its Python workflow returns what was accepted."""
    project.environment["CI"] = ""
    project.write(
        "wf/workflow_review.py",
        "from pydantic import BaseModel\nfrom pytest_workflow_exec import Workflow, step\n\n\n"
        "class Review(BaseModel):\n    safe: bool\n\n\ndef read_diff() -> str:\n    return '</data>'\n\n\n"
        + PYTHON.text,
    )
    project.write("answers.json", json.dumps({"review": [{"safe": True}]}))

    session = project.pytest("wf", "--workflow-ai-answers=answers.json")

    assert session.status == 0, session.text
    [end] = project.of_type("step.finished")
    assert end["data"]["outputs"] == {"safe": True}


def test_conversations_of_the_page_are_held(project: Project) -> None:
    """Its session, and its code that talks, end in a conclusion that a person confirms."""
    project.environment["CI"] = ""
    steps = TALK.text.replace("${inputs.design}", "the design")
    project.write("wf/talk.workflow.yaml", "steps:\n" + textwrap.indent(steps, "  "))
    project.write("wf/review.py", "from pydantic import BaseModel\n\n\nclass Review(BaseModel):\n    verdict: str\n")
    project.write(
        "wf/workflow_code.py",
        "from pydantic import BaseModel\nfrom pytest_workflow_exec import Workflow, step\n\n"
        'WORKFLOW = Workflow(name="code", mode="interactive")\n\n\nclass Review(BaseModel):\n    verdict: str\n\n\n'
        + TALKING.text,
    )
    project.write("typed.json", json.dumps({"review": ["Is that bad?", "/done"]}))
    scripts = ("--workflow-ai-answers=answers.json", "--workflow-session-input=typed.json")

    for name, answers in (("talk.workflow.yaml", ["Hi.", "Yes."]), ("workflow_code.py", ["Hi.", "No.", "Yes."])):
        project.write("answers.json", json.dumps({"review": [*answers, {"verdict": "revise"}]}))
        child = project.terminal(f"wf/{name}", "-s", *scripts)
        child.sendline(code_at(child))
        session = finish(child)

        assert session.status == 0, session.text
