"""`workflow-exec list`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pytest_workflow_exec.cli import main

PYTHON = """
from pytest_workflow_exec import Workflow, gate, step
open(__file__ + ".ran", "w")
WORKFLOW = Workflow(name="audit")
@step(timeout="5m")
def pack(workflow): ...
@gate
def approve(workflow): ...
def helper(): ...
class TestSite:
    def test_page(self): ...
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a folder for workflows, and the working directory in it."""
    (tmp_path / "workflow-exec.toml").touch()
    (tmp_path / "wf").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_workflows_are_listed_and_nothing_is_imported(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a workflow: its name, steps and file; fragments and other projects are left out, and no code runs."""
    text = "inputs: {hosts: {type: list}}\nsteps: [{id: a, foreach: {h: '${inputs.hosts}'}, run: [x]}, {id: b, run: [x]}]\n"
    (project / "wf" / "site.workflow.yaml").write_text(text)
    (project / "wf" / "_part.workflow.yaml").write_text(text)
    (project / "wf" / "workflow_audit.py").write_text(PYTHON)
    other = project / "other"
    other.mkdir()
    (other / "workflow-exec.toml").touch()
    (other / "theirs.workflow.yaml").write_text(text)
    before = sorted(project.rglob("*"))

    assert main(["list"]) == 0

    assert capsys.readouterr().out == (
        "workflow  steps  file\nsite      2      wf/site.workflow.yaml\naudit     3      wf/workflow_audit.py\n"
    )
    assert sorted(project.rglob("*")) == before


def test_file_that_can_not_be_used_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken file is listed with what is wrong with it, and the exit code says so."""
    assert main(["list"]) == 0
    assert capsys.readouterr().out == "there are no workflows\n"
    (project / "wf" / "site.workflow.yaml").write_text("steps: [{id: a, run: git}]\n")
    (project / "wf" / "workflow_audit.py").write_text("def f(:\n")

    assert main(["list"]) == 1

    printed = capsys.readouterr().out
    assert "site      ?      wf/site.workflow.yaml\n  problem: " in printed
    assert ":1:22: takes a list of arguments" in printed
    assert "audit     ?      wf/workflow_audit.py\n  problem: " in printed


def test_workflows_are_listed_for_machines(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """JSON has the same, and what is wrong; also of a project without workflows it is a list."""
    assert main(["list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    (project / "wf" / "bad.workflow.yaml").write_text("steps: [{id: a, run: git}]\n")
    (project / "wf" / "workflow_audit.py").write_text(PYTHON)
    before = sorted(project.rglob("*"))

    assert main(["list", "--json"]) == 1

    bad, audit = json.loads(capsys.readouterr().out)
    assert audit == {"workflow": "audit", "steps": 3, "file": "wf/workflow_audit.py", "problem": None}
    assert (bad["workflow"], bad["steps"], bad["file"]) == ("bad", None, "wf/bad.workflow.yaml")
    assert "takes a list of arguments" in bad["problem"]
    assert sorted(project.rglob("*")) == before
