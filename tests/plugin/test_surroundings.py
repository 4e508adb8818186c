"""Rules of folders, variables, standard input and secrets in a real session."""

from __future__ import annotations

from .conftest import Project

POLICY = '[policy]\nsandbox = "none"\ncommands = ["pwd", "cat", "printenv *", "touch *"]\n'
FLOW = """\
inputs: {api-token: {type: secret}}
steps:
  - {id: first, run: [touch, ran-first]}
  - {id: shown, run: [printenv, TOKEN], env: {TOKEN: "${inputs.api-token}"}, cwd: wf}
  - {id: read, run: [cat], stdin: "key ${inputs.api-token}", expect: {stdout: nothing}}
"""
SECRET = "correct horse battery"  # noqa: S105 - stands for one


def test_secret_is_in_nothing_that_a_session_leaves(project: Project) -> None:
    """A secret input reaches the commands, and neither terminal, JUnit nor evidence, also when its step fails."""
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/flow.workflow.yaml", FLOW)
    project.environment["API_TOKEN"] = SECRET

    session = project.pytest("wf", "--junitxml=junit.xml")

    assert session.status == 1
    assert project.outcomes() == {"first": "passed", "shown": "passed", "read": "failed"}
    assert "found 'key [secret API_TOKEN]'" in session.text
    assert SECRET not in session.text
    left = [file for file in project.root.rglob("*") if file.is_file() and SECRET.encode() in file.read_bytes()]
    assert not left
    [shown] = [each["data"] for each in project.of_type("step.finished") if each["step"] == "shown"]
    assert shown["outputs"]["stdout"] == "[secret API_TOKEN]"


def test_secret_that_is_not_set_is_refused_before_the_first_step(project: Project) -> None:
    """Without its variable, or with a value typed on the command line, nothing runs."""
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/flow.workflow.yaml", FLOW)

    missing = project.pytest("wf")
    typed = project.pytest("wf", "--workflow-input", f"api-token={SECRET}")

    assert (missing.status, typed.status) == (4, 4)
    assert "input 'api-token' is a secret, and the environment does not hold it" in missing.text
    assert "Set the environment variable API_TOKEN" in missing.text
    assert "a command line is no place for one" in typed.text
    assert project.untouched


def test_python_steps_give_commands_the_same(project: Project) -> None:
    """`sandbox.run` takes a folder, variables and standard input; a variable that injects code is refused and recorded."""
    project.write("workflow-exec.toml", POLICY)
    project.write(
        "wf/workflow_py.py",
        "from pytest_workflow_exec import CommandRefusedError, Workflow, step\n"
        "import pytest\n"
        "WORKFLOW = Workflow(inputs={'token': {'type': 'secret'}})\n"
        "@step\n"
        "def ask(workflow, sandbox):\n"
        "    assert sandbox.run(['pwd'], cwd='wf').stdout.strip().endswith('/wf')\n"
        "    assert sandbox.run(['printenv', 'A'], env={'A': 'b'}).stdout == 'b\\n'\n"
        "    assert sandbox.run(['cat'], stdin='some text').stdout == 'some text'\n"
        "    assert 'token' not in workflow.inputs\n"
        "    with pytest.raises(CommandRefusedError, match='LD_PRELOAD'):\n"
        "        sandbox.run(['pwd'], env={'LD_PRELOAD': 'x'})\n",
    )
    project.environment["TOKEN"] = SECRET

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert len(project.of_type("command.started")) == 3
    [refused] = project.of_type("command.refused")
    assert "'LD_PRELOAD' can't be set" in refused["data"]["reason"]
