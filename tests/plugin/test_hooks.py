"""Hooks for other plugins: they hear of everything, and change nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .conftest import Project

_LISTENER = """
import json
from pathlib import Path
from typing import Any

HEARD = Path(__file__).parent / "heard.jsonl"

def _hear(hook, **values):
    with HEARD.open("a") as file:
        file.write(json.dumps({"hook": hook, **values}) + "\\n")

def pytest_workflow_exec_evidence(record):
    _hear("evidence", record=record)

def pytest_workflow_exec_step_started(workflow, run, step):
    _hear("started", workflow=workflow, run=run, step=step)

def pytest_workflow_exec_step_finished(step, outcome, record):
    _hear("finished", step=step, outcome=outcome, seq=record["seq"])

def pytest_workflow_exec_gate_decided(step, decision):
    _hear("decided", step=step, decision=decision)
"""

_TWO_STEPS = """
workflow: release
steps:
  - {id: build, run: [echo, built]}
  - {id: check, run: ["false"]}
  - {id: publish, run: [echo, out]}
"""


def _heard(project: Project) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (project.root / "heard.jsonl").read_text().splitlines()]


def _log(project: Project) -> list[dict[str, Any]]:
    [path] = (project.root / ".workflow-exec" / "runs").glob("*/evidence.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_plugin_hears_of_every_record_in_order(project: Project) -> None:
    """Every record of the log reaches the hooks as it stands there, and the hooks of steps name outcome and run."""
    project.write("conftest.py", _LISTENER)
    project.write("wf/release.workflow.yaml", _TWO_STEPS)

    done = project.pytest("wf")

    heard, log = _heard(project), _log(project)
    assert done.status == 1
    assert [each["record"] for each in heard if each["hook"] == "evidence"] == log
    assert [each["step"] for each in heard if each["hook"] == "started"] == ["build", "check"]
    assert [(each["step"], each["outcome"]) for each in heard if each["hook"] == "finished"] == [
        ("build", "passed"),
        ("check", "failed"),
        ("publish", "blocked"),
    ]
    assert {each["run"] for each in heard if each["hook"] == "started"} == {log[0]["run"]}


def test_a_hook_that_fails_changes_nothing(project: Project, tmp_path: Path) -> None:
    """Hooks that raise, exit or edit what they get are reported once; the other hooks, the steps and the log are the same."""
    project.write("conftest.py", _LISTENER)
    project.write(
        "rude.py",
        """
import pytest

def pytest_workflow_exec_evidence(record):
    record["data"].clear()
    raise ValueError("no room")

def pytest_workflow_exec_step_started(step):
    pytest.exit("enough", returncode=0)

def pytest_workflow_exec_step_finished(step):
    raise SystemExit(0)
""",
    )
    project.write("wf/release.workflow.yaml", _TWO_STEPS)

    done = project.pytest("-p", "rude", "wf")

    assert done.status == 1
    log = _log(project)
    assert [each["record"] for each in _heard(project) if each["hook"] == "evidence"] == log
    assert [record["data"]["outcome"] for record in log if record["type"] == "step.finished"] == [
        "passed",
        "failed",
        "blocked",
    ]
    assert done.text.count("warning: hook pytest_workflow_exec_evidence of rude failed") == 1
    assert f"failed {len(log)} times, first: ValueError: no room. The run is as it would be without it." in done.text
    assert "hook pytest_workflow_exec_step_started of rude failed 2 times, first: Exit: enough" in done.text
    assert "hook pytest_workflow_exec_step_finished of rude failed 3 times, first: SystemExit: 0" in done.text
    verdict = project.run("workflow-exec", "verify", "latest", "--expect-head", done.heads[0])
    assert verdict.status == 4


def test_hooks_hear_of_gates_before_and_after_the_answer(project: Project) -> None:
    """A request reaches the hooks before a person is asked, so that they can be told; so does what was decided."""
    project.write("conftest.py", _LISTENER)
    project.write("wf/release.workflow.yaml", "workflow: release\nsteps:\n  - {id: approve, gate: Go on?}\n")
    child = project.terminal("wf", "-s")
    child.expect("or reject to stop: ")

    asked = [each["record"]["type"] for each in _heard(project) if each["hook"] == "evidence"]
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("not today")
    child.expect("evidence head")
    child.wait()

    assert asked[-1] == "gate.requested"
    assert {"hook": "decided", "step": "approve", "decision": "rejected"} in _heard(project)


def test_a_plugin_may_know_the_class_of_an_error_better(project: Project) -> None:
    """The first plugin with a class is believed everywhere; odd words are reported, and the policy's word stands."""
    project.write("conftest.py", "def pytest_workflow_exec_classify_error(step):\n    raise ValueError(step)\n")
    project.write("odd.py", "def pytest_workflow_exec_classify_error():\n    return 'odd'\n")
    project.write(
        "knows.py",
        """
def pytest_workflow_exec_classify_error(step, attempt, error_type, message, exit, error_class):
    assert (attempt, exit, error_class) == (1, 1, "business"), (attempt, exit, error_class)
    assert error_type.endswith(".ExpectationError") and "expected exit status 0" in message
    return "permission"
""",
    )
    project.write("wf/a.workflow.yaml", 'workflow: a\nsteps:\n  - {id: one, run: ["false"]}\n')
    project.write(
        "wf/workflow_b.py",
        "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='b')\n"
        "@step\ndef two(sandbox):\n    sandbox.run(['rm', 'x'])\n",
    )

    done = project.pytest("-p", "knows", "-p", "odd", "wf")

    ends = [
        json.loads(line)["data"] for log in project.logs() for line in log.read_text().splitlines() if '"class"' in line
    ]
    assert done.status == 1
    assert sorted((end["outcome"], end["class"]) for end in ends) == [("failed", "permission"), ("failed", "policy")]
    assert "step one, attempt 1" in done.text
    assert "class     permission\n" in done.text
    assert "class     policy\n" in done.text
    assert "then:\n          pytest wf/a.workflow.yaml --workflow-resume\n" in done.text
    assert (
        "pytest_workflow_exec_classify_error of odd failed once: ValueError: 'odd' is none of transient," in done.text
    )
    assert "ValueError: one. The run is as it would be without it." in done.text
    assert "ValueError: two" not in done.text
