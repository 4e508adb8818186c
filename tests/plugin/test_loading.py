"""What a run loads: nothing that asks, judges signatures or verifies, where nothing of it is needed."""

from __future__ import annotations

from .conftest import Project

_WORKFLOW = "workflow: flow\nsteps:\n  - {id: one, call: 'beside:made'}\n"
_TELLS = """
import sys

def pytest_unconfigure():
    names = sorted({".".join(name.split(".")[:2]) for name in sys.modules if name.startswith("pytest_workflow_exec.")})
    print("loaded:", *names)
"""


_NOT_NEEDED = {f"pytest_workflow_exec.{package}" for package in ("ai", "approval", "context", "verify")}


def test_run_without_gates_loads_nothing_that_asks_or_verifies(project: Project) -> None:
    """A new run whose steps need no person loads neither what asks one nor what reads an earlier run."""
    project.write("wf/beside.py", "def made() -> None:\n    pass\n")
    project.write("wf/flow.workflow.yaml", _WORKFLOW)
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = []\n')
    project.write("conftest.py", _TELLS)

    session = project.pytest("wf")

    assert session.status == 0, session.text
    loaded = next(line for line in session.text.splitlines() if line.startswith("loaded:")).split()
    assert "pytest_workflow_exec.run" in loaded
    assert not _NOT_NEEDED & set(loaded)


def test_run_of_a_python_workflow_loads_no_reader_of_yaml(project: Project) -> None:
    """A workflow in Python needs neither YAML nor the models of steps in it."""
    project.write(
        "wf/workflow_flow.py",
        "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='flow')\n"
        "@step\ndef one() -> None:\n    pass\n",
    )
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = []\n')
    project.write(
        "conftest.py",
        "import sys\n\ndef pytest_unconfigure():\n"
        "    print('loaded:', *(n for n in sys.modules if n == 'yaml' or n.startswith('pytest_workflow_exec.definition.')))\n",
    )

    session = project.pytest("wf")

    assert session.status == 0, session.text
    loaded = next(line for line in session.text.splitlines() if line.startswith("loaded:")).split()
    assert "pytest_workflow_exec.definition._python_workflow" in loaded
    assert not {"yaml", *(f"pytest_workflow_exec.definition.{name}" for name in ("_yaml_tree", "_schema"))} & set(
        loaded
    )


_OF_WHAT_IS_NOT_THERE = {
    "pytest_workflow_exec.definition._schema_people",
    "pytest_workflow_exec.plugin._collect_fragments",
    "pytest_workflow_exec.run._carry",
    "pytest_workflow_exec.run._gate",
    "pytest_workflow_exec.run._gatekeeper",
    "pytest_workflow_exec.sandbox._confinement",
    "pytest_workflow_exec.sandbox._runner",
    "pytest_workflow_exec.settings._tables",
}


def test_run_loads_nothing_of_what_its_workflow_and_configuration_do_not_have(project: Project) -> None:
    """Gates, commands, earlier runs, fragments in Python and tables of rules are loaded for who has them."""
    project.write("wf/beside.py", "def made() -> None:\n    pass\n")
    project.write("wf/flow.workflow.yaml", _WORKFLOW)
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = []\n')
    project.write("conftest.py", _TELLS.replace('".".join(name.split(".")[:2])', "name"))

    session = project.pytest("wf")

    assert session.status == 0, session.text
    loaded = next(line for line in session.text.splitlines() if line.startswith("loaded:")).split()
    assert "pytest_workflow_exec.run._run_parts" in loaded
    assert not _OF_WHAT_IS_NOT_THERE & set(loaded)


def test_run_with_a_command_loads_what_runs_it(project: Project) -> None:
    """What is left out above is there, under these names, where the workflow has a command."""
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {id: one, run: [echo, hello]}\n")
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\n[[policy.command]]\nrule = "echo hello"\n')
    project.write("conftest.py", _TELLS.replace('".".join(name.split(".")[:2])', "name"))

    session = project.pytest("wf")

    assert session.status == 0, session.text
    loaded = next(line for line in session.text.splitlines() if line.startswith("loaded:")).split()
    assert {
        f"pytest_workflow_exec.{name}" for name in ("sandbox._confinement", "sandbox._runner", "settings._tables")
    } <= set(loaded)
