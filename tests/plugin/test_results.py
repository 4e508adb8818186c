"""What a run leaves is recorded when it has passed, and only then."""

from __future__ import annotations

import json

from .conftest import Project

FLOW = """
workflow: w
inputs: {{n: {{type: integer, default: 3}}}}
outputs: {{file: "${{steps.make.made}}", n: "${{inputs.n}}", text: "v${{inputs.n}}"}}
steps:
  - {{id: make, run: [touch, made.txt], outputs: {{made: {{glob: made.txt}}}}}}
  - {{id: last, {last}}}
"""


def test_outputs_of_a_workflow_are_recorded_and_shown(project: Project) -> None:
    """They keep their types, stand in the plan and in `run.finished`, and `show` tells them."""
    project.write("wf/w.workflow.yaml", FLOW.format(last="run: [echo, hello]"))

    session = project.pytest("wf")

    assert session.status == 0, session.text
    [end] = project.of_type("run.finished")
    assert end["data"]["outputs"] == {"file": "made.txt", "n": 3, "text": "v3"}
    [start] = project.of_type("run.started")
    assert start["data"]["plan"]["outputs"]["text"] == "v${inputs.n}"
    assert 'output    file = "made.txt"' in project.run("workflow-exec", "show", "latest").text
    shown = json.loads(project.run("workflow-exec", "show", "latest", "--json").text)
    assert shown["outputs"] == {"file": "made.txt", "n": 3, "text": "v3"}
    verified = project.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 0, verified.text


def test_run_that_failed_leaves_nothing(project: Project) -> None:
    """Not even what was there already."""
    project.write("wf/w.workflow.yaml", FLOW.format(last='run: ["false"]'))

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert "outputs" not in project.of_type("run.finished")[0]["data"]


def test_run_whose_output_changed_has_not_passed(project: Project) -> None:
    """A file that is not what its step made is no result: every step passed, and pytest exits 1."""
    project.write("wf/w.workflow.yaml", FLOW.format(last='call: "spoil:spoil"'))
    project.write("wf/spoil.py", "def spoil(workflow):\n    (workflow.root / 'made.txt').write_text('other')\n")
    (project.root / "tell").write_text(f'#!/bin/sh\ncat >> "{project.root}/told"\n')
    (project.root / "tell").chmod(0o755)
    configuration = (project.root / "workflow-exec.toml").read_text()
    told = json.dumps([str(project.root / "tell")])
    project.write("workflow-exec.toml", f'{configuration}\n[[notify]]\ncommand = {told}\non = ["finished"]\n')

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert "workflow w: NOT passed, output 'file' of the workflow" in session.text
    [end] = project.of_type("run.finished")
    assert (end["data"]["result"], "outputs" in end["data"]) == ("failed", False)
    assert "changed since its step made it" in end["data"]["outputs_problem"]
    assert project.run("workflow-exec", "verify", "latest").status == 4
    # Who is told elsewhere hears what the log says.
    assert json.loads((project.root / "told").read_text())["result"] == "failed"


def test_outputs_of_a_workflow_in_python_are_recorded(project: Project) -> None:
    """What its steps returned, by the names that the declaration gives."""
    project.write(
        "wf/workflow_py.py",
        "from pytest_workflow_exec import Workflow, step\n"
        "WORKFLOW = Workflow(outputs={'n': '${steps.one.n}', 'text': 'is ${steps.one.n}'})\n"
        "@step\ndef one() -> dict: return {'n': 3}\n",
    )
    project.write("bad/workflow_bad.py", (project.root / "wf/workflow_py.py").read_text().replace("one.n", "one.m"))

    session, bad = project.pytest("wf"), project.pytest("bad")

    assert session.status == 0, session.text
    assert bad.status == 1, bad.text
    ends = [json.loads(log.read_text().splitlines()[-1]) for log in project.logs()]
    assert [end["data"].get("outputs") for end in ends] == [{"n": 3, "text": "is 3"}, None]
    assert "output 'n' of the workflow" in bad.text
