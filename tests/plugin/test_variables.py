"""Variables of the environment in a session: what they say holds, and one that may say nothing keeps all from running."""

from __future__ import annotations

import pytest

from .conftest import Project

FLOW = """\
workflow: flow
inputs: {version: {type: string, default: "1"}}
steps:
  - id: greet
    run: [echo, "v${inputs.version}"]
"""


@pytest.fixture
def flow(project: Project) -> Project:
    """A project with a workflow of one step and an input."""
    project.write("wf/flow.workflow.yaml", FLOW)
    project.write("two.yaml", 'version: "2"\n')
    return project


def test_settings_of_the_environment_hold_and_are_recorded(flow: Project) -> None:
    """The first record says which variables said what."""
    flow.write("workflow-exec.toml", 'durability = "process"\n[policy]\nsandbox = "none"\ncommands = ["echo *"]\n')
    flow.environment |= {"WORKFLOW_EXEC_DURABILITY": "power", "WORKFLOW_EXEC_SUMMARY": "out/summary.md"}

    session = flow.pytest("wf")

    assert session.status == 0, session.text
    [started] = flow.of_type("run.started")
    assert started["data"]["durability"] == "power"
    assert started["data"]["variables"] == {
        "WORKFLOW_EXEC_DURABILITY": "power",
        "WORKFLOW_EXEC_SUMMARY": "out/summary.md",
    }
    assert "flow" in (flow.root / "out" / "summary.md").read_text()


def test_without_variables_none_are_recorded(flow: Project) -> None:
    """A run whose environment says nothing has no such fact, and no summary."""
    assert flow.pytest("wf").status == 0
    assert "variables" not in flow.of_type("run.started")[0]["data"]


@pytest.mark.parametrize(
    ("options", "value"),
    [((), "2"), (("--workflow-inputs=three.yaml",), "3"), (("--workflow-input=version=4",), "4")],
)
def test_inputs_of_a_variable_stand_between_file_and_command_line(
    flow: Project, options: tuple[str, ...], value: str
) -> None:
    """It goes before the workflow's default, and behind what the command line says."""
    flow.write("three.yaml", 'version: "3"\n')
    flow.environment["WORKFLOW_EXEC_INPUTS"] = "two.yaml"

    session = flow.pytest("wf", *options)

    assert session.status == 0, session.text
    assert flow.of_type("run.started")[0]["data"]["inputs"] == {"version": value}


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("WORKFLOW_EXEC_SUMARY", "a.md", "did you mean WORKFLOW_EXEC_SUMMARY?"),
        ("WORKFLOW_EXEC_SANDBOX", "none", "policy, signers, pin, sandbox and decisions are not for the environment"),
        ("WORKFLOW_EXEC_DURABILITY", "process", "which no variable loosens"),
        ("WORKFLOW_EXEC_SUMMARY", "", "is empty"),
        ("WORKFLOW_EXEC_INPUTS", "none.yaml", "none.yaml"),
    ],
)
@pytest.mark.parametrize("workers", [(), ("-n", "2")], ids=["alone", "workers"])
def test_a_bad_variable_keeps_everything_from_running(
    flow: Project, name: str, value: str, said: str, workers: tuple[str, ...]
) -> None:
    """The session exits 4, and no run was begun."""
    flow.environment[name] = value

    session = flow.pytest("wf", *workers)

    assert session.status == 4, session.text
    assert said in session.text
    assert flow.untouched


def test_ordinary_tests_do_not_mind(flow: Project) -> None:
    """Where no workflow is named, nothing of it is read."""
    flow.environment["WORKFLOW_EXEC_SANDBOX"] = "none"
    flow.write("test_plain.py", "def test_plain(): pass\n")

    assert flow.pytest("test_plain.py").status == 0


def test_plan_says_which_variable_would_keep_the_run_from_starting(flow: Project) -> None:
    """It shows the plan all the same, and runs nothing."""
    flow.environment["WORKFLOW_EXEC_SANDBOX"] = "none"

    session = flow.pytest("wf", "--workflow-plan")

    assert session.status == 0, session.text
    assert "problem the variable WORKFLOW_EXEC_SANDBOX says nothing" in session.text
    assert "greet (run)" in session.text
    assert flow.logs() == []


def test_what_workflows_have_in_common_is_said_once(flow: Project) -> None:
    """A problem of the project, or of an option, is one line, however many workflows it keeps from running."""
    flow.write("wf/other.workflow.yaml", "steps: [{id: one, run: [echo, one]}]\n")
    flow.environment["WORKFLOW_EXEC_SANDBOX"] = "none"

    session = flow.pytest("wf", "--workflow-input", "version=2")

    assert session.status == 4, session.text
    assert session.text.count("the variable WORKFLOW_EXEC_SANDBOX says nothing") == 1
    assert session.text.count("'version=2' does not say which of the workflows it is for") == 1
    assert flow.logs() == []
