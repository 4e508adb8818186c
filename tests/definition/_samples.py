"""Workflows and projects that the tests of reading them share."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.errors import DefinitionError, Problem
from pytest_workflow_exec.model import Workflow

MARK = "it-ran"
_LEAVE_A_MARK = f'open(__file__ + ".{MARK}", "w").close()\n'

CHECKS = (
    _LEAVE_A_MARK
    + """
import os

def mentions(workflow, version, *, strict=True): ...
async def later(): ...
def lazy(): yield
def anything(*args): ...
def everything(**kwargs): ...
def positional(a, /): ...
def twice(): ...
def twice(): ...
def replaced(): ...
replaced = os.getcwd
if os.name:
    def conditional(): ...
def asks(server): ...
"""
)

MINIMAL = "steps:\n  - id: one\n    run: [git, status]\n"


def make_project(root: Path) -> Path:
    """Make the project and return its root."""
    folder = root / "wf"
    for place in (folder / "lib", root / "smoke" / "__pycache__"):
        place.mkdir(parents=True)
    (folder / "checks.py").write_text(CHECKS, encoding="utf-8")
    (folder / "broken.py").write_text("def f(:\n", encoding="utf-8")
    (folder / "lib" / "deep.py").write_text("def check(workflow): ...\n", encoding="utf-8")
    (root / "conftest.py").write_text("", encoding="utf-8")
    (root / "smoke" / "test_smoke.py").write_text(_LEAVE_A_MARK, encoding="utf-8")
    (root.parent / "outside.py").write_text("def f(): ...\n", encoding="utf-8")
    (root / "pyproject.toml").write_text('[project]\nversion = "1.2.3"\ncount = 3\n', encoding="utf-8")
    return root


def write_workflow(project: Path, text: str | bytes, name: str = "release.workflow.yaml") -> Path:
    """Write a workflow file and return its path."""
    path = project / "wf" / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read(project: Path, text: str | bytes, name: str = "release.workflow.yaml") -> Workflow:
    """Return the workflow that the text is."""
    return read_yaml_workflow(write_workflow(project, text, name), root=project)


def problems_of(project: Path, text: str | bytes, name: str = "release.workflow.yaml") -> tuple[Problem, ...]:
    """Return everything that is wrong with the text."""
    path = write_workflow(project, text, name)
    before = contents(project)
    with pytest.raises(DefinitionError) as caught:
        read_yaml_workflow(path, root=project)
    assert contents(project) == before, "reading a bad file wrote something"
    assert all(problem.path == path for problem in caught.value.problems)
    return caught.value.problems


def places(problems: tuple[Problem, ...]) -> list[str]:
    """Return where the problems are, as `line:column`."""
    return [f"{problem.line}:{problem.column}" for problem in problems]


def contents(project: Path) -> Mapping[str, bytes]:
    """Return every file of the project, so that a test can see that nothing was written."""
    return {str(path): path.read_bytes() for path in sorted(project.rglob("*")) if path.is_file()}
