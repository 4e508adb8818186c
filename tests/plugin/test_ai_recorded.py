"""Runs whose models were recorded, through the real program and without it."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import pytest

from pytest_workflow_exec.ai.testing import FakeClaude

from .conftest import Project
from .test_recorded_sessions import told

pytestmark = pytest.mark.skipif(find_spec("claude_agent_sdk") is None, reason="needs the extra `ai`")

FLOW = """
workflow: count
steps:
  - id: ask
    ai:
      prompt: {prompt}
      output: {{n: {{type: integer}}}}
      model: claude-sonnet-4-5
"""


def answers(project: Project) -> list[dict[str, Any]]:
    """Return what the newest run says of its answers."""
    return [dict(record["data"]) for record in project.of_type("ai.response")]


def forget(project: Project) -> None:
    """Remove the runs, so that the next one is the only one."""
    import shutil

    shutil.rmtree(project.root / ".workflow-exec")


def test_recorded_run_is_repeated_without_a_model(project: Project, fake_claude: FakeClaude) -> None:
    """What was recorded from the real program is given again, with the same evidence; a changed prompt says how to record."""
    flow = project.write("wf/count.workflow.yaml", FLOW.format(prompt="How many?"))
    fake_claude.answers({"n": "many"}, {"n": 1})

    recorded = project.pytest(str(flow), "--workflow-ai=record")
    assert recorded.status == 0, recorded.text
    [live] = answers(project)
    evidence = told(project)
    forget(project)
    fake_claude.close()
    replayed = project.pytest(str(flow), "--workflow-ai=replay")
    assert replayed.status == 0, replayed.text
    [again] = answers(project)
    assert told(project) == evidence
    forget(project)
    project.write("wf/count.workflow.yaml", FLOW.format(prompt="How much?"))
    changed = project.pytest(str(flow), "--workflow-ai=replay")

    assert {**live, "source": "replay"} == again
    assert len(fake_claude.requests) == 2
    assert changed.status == 1, changed.text
    assert "something else was recorded: the prompt (from line 1 on) changed since" in changed.text
    assert "--workflow-ai=record" in changed.text


def test_tools_that_a_model_wanted_are_evidence(project: Project, fake_claude: FakeClaude) -> None:
    """It has none, so nothing runs; what it asked for stands in the log, and on the screen as text that acts on nothing."""
    evil = "touch ran-evil; \x1b[2J\u202e"
    fake_claude.answers(
        fake_claude.calls(("Bash", {"command": evil}), ("Read", {"file_path": "/etc/passwd"})), {"n": 1}
    )
    flow = project.write("wf/count.workflow.yaml", FLOW.format(prompt="How many?"))

    session = project.pytest(str(flow), "--workflow-ai=live")

    assert session.status == 0, session.text
    assert "the model asked for the tool Bash, which it does not have" in session.text
    assert "\x1b[2J" not in session.text
    [answer] = answers(project)
    assert [call["tool"] for call in answer["refused_calls"]] == ["Bash", "Read"]
    assert answer["refused_calls"][0]["arguments"] == ascii({"command": evil})
    assert not list(project.root.glob("ran-*"))
    assert project.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1]).status == 0


def test_api_that_is_overloaded_fails_the_step_as_transient(project: Project, fake_claude: FakeClaude) -> None:
    """The step has the class of the fault, one line, and what it cost in the log."""
    fake_claude.answers(*[fake_claude.error(529)] * 3)
    flow = project.write("wf/count.workflow.yaml", FLOW.format(prompt="How many?"))

    session = project.pytest(str(flow), "--workflow-ai=live")

    assert session.status == 1, session.text
    assert "step 'ask' has no answer from the model: HTTP 529" in session.text
    assert "Traceback" not in session.text
    [ended] = project.of_type("step.finished")
    assert (ended["data"]["outcome"], ended["data"]["class"]) == ("failed", "transient")
