"""A step's code that asks a model, in a session that watches for processes past the sandbox."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from pytest_workflow_exec.ai.testing import FakeClaude

from .conftest import Project

pytestmark = pytest.mark.skipif(find_spec("claude_agent_sdk") is None, reason="needs the extra `ai`")

FLOW = """
import subprocess

from pytest_workflow_exec import Workflow, step
from pytest_workflow_exec.ai import AiRequest, ClaudeBackend

WORKFLOW = Workflow(name="flow")


def accept(value):
    {judges}
    return ()


@step
def ask():
    request = AiRequest(
        step="ask", model="claude-sonnet-4-5", system="", prompt="How many?", schema={{"type": "object"}}, attempts=1, timeout=60.0
    )
    try:
        assert ClaudeBackend().ask(request, accept, lambda news: None).value == {{"n": 1}}
    except BaseException as error:
        open("error", "w").write(repr(error))
        raise
"""


def test_program_of_the_model_is_the_engines(project: Project, fake_claude: FakeClaude) -> None:
    """It is no process that the step's code started past the sandbox."""
    fake_claude.answers({"n": 1})
    project.write("wf/workflow_flow.py", FLOW.format(judges="pass"))

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert project.outcomes() == {"ask": "passed"}
    assert project.of_type("command.refused") == []


def test_code_that_judges_answers_is_the_steps(project: Project, fake_claude: FakeClaude) -> None:
    """A process that it starts past the sandbox fails the step, although a part of the engine called it."""
    fake_claude.answers({"n": 1})
    project.write("wf/workflow_flow.py", FLOW.format(judges="subprocess.run(['touch', 'ran-it'])"))

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert project.outcomes() == {"ask": "failed"}
    assert not (project.root / "ran-it").exists()
    [refused] = project.of_type("command.refused")
    assert "wf/workflow_flow.py:11" in refused["data"]["reason"]
    assert "ProcessStartError" in (project.root / "error").read_text()
