"""Rules of names: which files are workflows."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.definition import is_fragment, is_workflow_file


@pytest.mark.parametrize("name", ["a.workflow.yaml", "a.workflow.yml", "workflow_a.py"])
def test_workflow_files_are_told_by_their_names(name: str) -> None:
    """The three spellings of the contract are workflows, and no fragments."""
    assert is_workflow_file(Path("x") / name)
    assert not is_fragment(Path("x") / name)


@pytest.mark.parametrize("name", ["_a.workflow.yaml", "_a.workflow.yml", "_workflow_a.py"])
def test_fragments_are_no_workflows(name: str) -> None:
    """A leading underscore makes a fragment, which is never a workflow of its own."""
    assert is_fragment(Path("x") / name)
    assert not is_workflow_file(Path("x") / name)


@pytest.mark.parametrize(
    "name", ["a.yaml", "workflow.yaml", "workflow.py", "test_a.py", "a.workflow.json", "_a.py", "xworkflow_a.py"]
)
def test_other_files_are_neither(name: str) -> None:
    """Every other file is left to whoever it belongs to."""
    assert not is_workflow_file(Path(name))
    assert not is_fragment(Path(name))
