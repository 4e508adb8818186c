"""Concurrency groups: of the workflows that share something, one run at a time goes on."""

from __future__ import annotations

import time

from pytest_workflow_exec.evidence import runs_directory

from .conftest import PATIENCE_S, Project

_DEPLOY = """
workflow: deploy
concurrency: db-${inputs.target}
inputs: {target: {type: string, default: live}}
steps: [{id: go, run: [sleep, "1000"]}]
"""
_PYTHON = """
from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow(name="migrate", inputs={"target": {"type": "string"}}, concurrency="db-${inputs.target}")

@step
def go(workflow):
    print("moved to", workflow.inputs["target"])
"""


def test_a_second_run_of_the_group_is_refused_while_the_first_goes_on(project: Project) -> None:
    """It is exit 4 before anything is made, and says who holds the group; another value of an input is another group."""
    project.write("wf/deploy.workflow.yaml", _DEPLOY)
    project.write("wf/workflow_migrate.py", _PYTHON)
    first = project.start("wf/deploy.workflow.yaml")
    try:
        deadline = time.monotonic() + PATIENCE_S
        while "step.started" not in _logs(project) and time.monotonic() < deadline:
            time.sleep(0.05)

        second = project.pytest("wf/workflow_migrate.py", "--workflow-input", "target=live")
        runs = len(list(runs_directory(project.root).iterdir()))
        other = project.pytest("wf/workflow_migrate.py", "--workflow-input", "target=test")
    finally:
        first.terminate()
        first.wait()

    assert second.status == 4
    assert "workflow 'migrate' must wait: a run of its concurrency group 'db-live' is under way here" in second.text
    assert f"(workflow deploy, run {_run(project)}, process {first.pid})" in second.text
    assert runs == 1
    assert other.status == 0, other.text


def test_workflows_of_a_group_run_one_after_the_other_and_not_on_workers(project: Project) -> None:
    """One session runs both; with several workers nothing runs, and a name that is none is said before the first step."""
    for name in ("one", "two"):
        project.write(
            f"wf/{name}.workflow.yaml",
            f"workflow: {name}\nconcurrency: '${{inputs.group}}'\ninputs: {{group: {{type: string, default: db}}}}\n"
            "steps: [{id: go, run: [echo, x]}]\n",
        )

    spread = project.pytest("wf", "-n2")
    unnamed = project.pytest("wf", "--workflow-input", "one:group=../x")
    nothing = not (project.root / ".workflow-exec" / "runs").exists()
    both = project.pytest("wf")

    assert spread.status == 4
    assert "the workflows one, two share the concurrency group 'db'" in spread.text
    assert "Add -n0." in spread.text
    assert unnamed.status == 4
    assert "the concurrency group '../x' is no name" in unnamed.text
    assert nothing
    assert both.status == 0, both.text
    assert '"concurrency":"db"' in _logs(project)


def _logs(project: Project) -> str:
    return "".join(path.read_text() for path in runs_directory(project.root).glob("*/evidence.jsonl"))


def _run(project: Project) -> str:
    [path] = [
        path for path in runs_directory(project.root).iterdir() if '"deploy"' in (path / "evidence.jsonl").read_text()
    ]
    return path.name
