"""Gated commands in a real session: only behind a decision that listed them, and only as the plan has them."""

from __future__ import annotations

from .conftest import CONFIGURATION, Project, code_at, finish

_GATED = CONFIGURATION.replace(', "touch *"', "") + (
    '[[policy.command]]\nrule = "touch {:ran-[a-z/]+}"\ngated = {assurance = 1}\n'
)
_FLOW = """
steps:
  - {id: make, run: [echo, made]}
  - {id: approve, gate: Go on?}
  - {id: put, run: [touch, "ran-${steps.make.stdout}/put"]}
"""


def test_a_gated_command_runs_behind_its_decision_and_asks_again_when_resumed(project: Project) -> None:
    """The question lists the command; a decision that was used lets nothing run in a later session."""
    project.write("workflow-exec.toml", _GATED)
    project.write("wf/flow.workflow.yaml", _FLOW)

    child = project.terminal("wf", "-s")
    code = code_at(child)
    assert "['touch', 'ran-made/put']" in str(child.before)
    assert project.of_type("gate.used") == []
    child.sendline(code)
    assert finish(child).status == 1
    types = [(record["type"], record["step"]) for record in project.records()]
    assert types.index(("gate.used", "approve")) < types.index(("command.started", "put"))

    (project.root / "ran-made").mkdir()
    child = project.terminal("wf", "-s", "--workflow-resume")
    code = code_at(child)
    assert not (project.root / "ran-made" / "put").exists()
    child.sendline(code)
    session = finish(child)
    assert session.status == 0, session.text
    assert (project.root / "ran-made" / "put").exists()


def test_a_workflow_that_leads_around_the_gate_does_not_start(project: Project) -> None:
    """Without a gate, in finally or in a check a gated command is exit 4, and nothing is run or written."""
    project.write("workflow-exec.toml", _GATED)
    project.write("wf/bare.workflow.yaml", "steps:\n  - {id: put, run: [touch, ran-bare]}\n")
    project.write(
        "wf/end.workflow.yaml",
        "steps:\n  - {id: one, run: [echo, a]}\nfinally:\n  - {id: end, run: [touch, ran-end]}\n",
    )
    project.write("wf/check.workflow.yaml", "steps:\n  - {id: one, run: [echo, a], check: {run: [touch, ran-check]}}\n")

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert "'put': rule 'touch {:ran-[a-z/]+}' is gated, but no gate stands before the step" in session.text
    assert "'end': rule 'touch {:ran-[a-z/]+}' is gated, but steps of finally run whatever is decided" in session.text
    assert "'one': rule 'touch {:ran-[a-z/]+}' is gated, but a check runs when no gate has listed it" in session.text
    assert project.untouched


def test_python_code_never_runs_a_gated_command(project: Project) -> None:
    """Behind an approval too: neither another command than the plan's nor the very same one, from a fixture."""
    project.write("workflow-exec.toml", _GATED)
    project.write(
        "wf/conftest.py",
        "import pytest\n\n"
        "from pytest_workflow_exec import CommandRefusedError\n\n"
        "@pytest.fixture(autouse=True)\n"
        "def early(request):\n"
        "    if request.node.name != 'put':\n"
        "        return\n"
        "    sandbox = request.getfixturevalue('sandbox')\n"
        "    for name in ('ran-made', 'ran-other'):\n"
        "        with pytest.raises(CommandRefusedError):\n"
        "            sandbox.run(['touch', name])\n"
        "        assert not (request.config.rootpath / name).exists()\n",
    )
    project.write("wf/flow.workflow.yaml", _FLOW.replace("/put", ""))

    child = project.terminal("wf", "-s")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert len(project.of_type("command.refused")) == 2
    assert (project.root / "ran-made").exists()
    assert not (project.root / "ran-other").exists()
