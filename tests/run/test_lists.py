"""Rules of `${…[*]}`: one argument for each value of a list."""

from __future__ import annotations

import os

import pytest

from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.errors import CommandRefusedError, OutputError, Problem
from pytest_workflow_exec.run import known_values, preflight
from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.settings import load_settings

from .conftest import Project

FLOW = """\
inputs: {names: {default: none}, tags: {type: list, default: [x, y z]}}
steps:
  - id: make
    run: [touch, out-1, out-2]
    outputs: {files: {glob: "out-*", type: list}, empty: {stdout: "nothing", default: ""}}
    when: inputs.names == 'all'
  - id: use
    run: [echo, "${inputs.tags[*]}", end]
"""
MADE = """\
steps:
  - id: make
    run: [touch, out-1, out-2]
    outputs: {files: {glob: "out-*", type: list}}
  - id: use
    run: [echo, "${steps.make.files[*]}"]
"""
POLICY = '[policy]\nsandbox = "none"\ncommands = ["touch **", "echo * * end", "echo out-* out-*", "echo **"]\n'


@pytest.fixture(autouse=True)
def policy(project: Project) -> None:
    """A policy that allows what these steps run."""
    (project.root / "workflow-exec.toml").write_text(POLICY)


def test_each_value_is_one_argument(project: Project) -> None:
    """A list gives one argument for each value, never split and in order, between the arguments around it."""
    run = project.open(FLOW)
    run.leave_out(run.workflow.step("make"))
    project.perform(run, "use")

    [record] = [each for each in project.records(run) if each.type == "command.started"]
    assert record.data["argv"] == ["echo", "x", "y z", "end"]
    assert record.data["rule"] == "echo * * end"


@pytest.mark.parametrize(
    ("tags", "reason"),
    [("a,-rf", "holds '-rf', which would be an option"), ('["--all"]', "holds '--all'")],
)
def test_value_can_not_become_an_option(project: Project, tags: str, reason: str) -> None:
    """A value of a list that looks like an option starts nothing."""
    run = project.open(FLOW, inputs={"tags": tags})
    run.leave_out(run.workflow.step("make"))

    with pytest.raises(OutputError, match=reason):
        project.perform(run, "use")

    assert "command.started" not in project.types(run)


def test_text_is_no_list(project: Project) -> None:
    """What is one text is not taken for a list of one."""
    run = project.open(FLOW.replace("inputs.tags[*]", "inputs.names[*]"))
    run.leave_out(run.workflow.step("make"))

    with pytest.raises(OutputError, match="is no list"):
        project.perform(run, "use")


def test_files_of_a_list_are_checked_one_by_one(project: Project) -> None:
    """A file of a list that changed since its step made it can't be an argument."""
    run = project.open(MADE)
    project.perform(run, "make")
    (project.root / "out-2").write_text("changed")

    with pytest.raises(OutputError, match="out-2 is now"):
        project.perform(run, "use")


def checked(project: Project, commands: str, flow: str = MADE) -> list[Problem]:
    """Return what preflight says with these rules."""
    (project.root / "workflow-exec.toml").write_text(f'[policy]\nsandbox = "none"\ncommands = {commands}\n')
    file = project.root / "flow.workflow.yaml"
    file.write_text(flow)
    workflow = read_yaml_workflow(file, root=project.root)
    return preflight(
        workflow,
        steps=workflow.steps,
        values=known_values(workflow, {"names": "all", "tags": ["x", "-y"]}, {}),
        policy=compile_policy(load_settings(project.root).policy, workflow=workflow.name, environment=os.environ),
        texts={},
        environment=os.environ,
        terminal_problem=lambda: None,
        python_timeouts=True,
    )


@pytest.mark.parametrize("rule", ["echo", "echo *", "echo out-* out-*", "echo * * * *", "echo **"])
def test_list_that_is_not_known_yet_may_have_any_length(project: Project, rule: str) -> None:
    """Before the run, a list of unknown length is allowed by any rule that some length of it fits."""
    assert checked(project, f'["touch **", "{rule}"]') == []


def test_command_that_no_length_makes_allowed_is_refused(project: Project) -> None:
    """A list of unknown length excuses no other argument; and a list that is known already is judged as it is."""
    [refused] = checked(project, '["touch **", "echo end *"]', MADE.replace("[echo,", "[echo, begin,"))
    assert "step 'use'" in refused.message
    [known] = checked(project, '["touch **", "echo **"]', FLOW)
    assert "holds '-y', which would be an option" in known.message


def test_unknown_list_is_matched_again_when_it_is_known(project: Project) -> None:
    """What preflight let through is judged exactly when its values are there."""
    (project.root / "workflow-exec.toml").write_text(POLICY.replace(', "echo **"', "").replace("out-* out-*", "out-*"))
    run = project.open(MADE)
    project.perform(run, "make")

    with pytest.raises(CommandRefusedError):
        project.perform(run, "use")
