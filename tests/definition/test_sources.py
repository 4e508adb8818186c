"""Rules of digests: what changes a step's, and what does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.digests import digest_of_file
from pytest_workflow_exec.model import Workflow

from ._samples import read

BASE = """\
inputs:
  version: {default: '1.0'}
vars:
  tag: v${inputs.version}
  note: ${vars.tag}!
steps:
  - id: a
    name: A
    run: [git, tag, "${vars.note}"]
    timeout: 5m
    expect: {stdout: x}
    outputs: {o: {stdout: y}}
  - id: b
    call: {function: 'checks:mentions', with: {version: "1"}}
  - id: c
    verify: ../smoke
  - id: d
    gate: {question: Go?, show: [a]}
"""


def changed(before: Workflow, after: Workflow) -> str:
    """Return the ids of the steps whose digest differs."""
    pairs = zip(before.steps, after.steps, strict=True)
    return "".join(one.id for one, other in pairs if one.digest != other.digest)


def test_layout_and_comments_do_not_change_a_step(project: Path) -> None:
    """Comments, the order of keys, quotes and lines are not part of what a step does."""
    text = """\
# a comment
inputs: {version: {default: "1.0"}}
vars: {tag: "v${inputs.version}", note: "${vars.tag}!"}
steps:
  - {run: ["git", 'tag', "${vars.note}"], outputs: {o: {stdout: y}}, expect: {stdout: x}, timeout: 300s, name: A, id: a}

  - {id: b, call: {with: {version: '1'}, function: "checks:mentions"}}   # another
  - {id: c, verify: {path: ../smoke}}
  - {id: d, gate: {show: [a], question: "Go?", meaning: approve}}
"""
    before, after = read(project, BASE), read(project, text)

    assert changed(before, after) == ""
    assert before.digest != after.digest


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        ("[git, tag", "[git, tags", "a"),
        ("name: A", "name: B", "a"),
        ("timeout: 5m", "timeout: 6m", "a"),
        ("{stdout: x}", "{stderr: x}", "a"),
        ("{stdout: y}", "{stdout: z}", "a"),
        ("tag: v", "tag: w", "a"),
        ("note: ${vars.tag}!", "note: ${vars.tag}", "a"),
        ('version: "1"', "version: 1", "b"),
        ("verify: ../smoke", "verify: {path: ../smoke, skips: allow}", "c"),
        ("Go?", "Go now?", "d"),
        ("show: [a]", "show: [a.o]", "d"),
    ],
)
def test_what_a_step_says_changes_its_digest(project: Path, old: str, new: str, steps: str) -> None:
    """A change of a step, or of a variable that it uses however indirectly, changes its digest and no other."""
    assert old in BASE

    assert changed(read(project, BASE), read(project, BASE.replace(old, new))) == steps


@pytest.mark.parametrize(
    ("file", "steps"),
    [("wf/checks.py", "b"), ("smoke/test_smoke.py", "c"), ("smoke/new_module.py", "c"), ("conftest.py", "c")],
)
def test_source_of_a_step_changes_its_digest(project: Path, file: str, steps: str) -> None:
    """A change of a called module, or of Python files of tests, changes the steps that run them."""
    before = read(project, BASE)
    with (project / file).open("a", encoding="utf-8") as target:
        target.write("\n# changed\n")

    assert changed(before, read(project, BASE)) == steps


def test_caches_of_python_are_no_source(project: Path) -> None:
    """What Python writes beside the tests while they run does not change their step."""
    before = read(project, BASE)
    (project / "smoke" / "__pycache__" / "x.py").write_text("x", encoding="utf-8")

    assert changed(before, read(project, BASE)) == ""


def test_moved_project_has_the_same_digests(tmp_path: Path) -> None:
    """Digests count paths from the project, so that two checkouts have the same plan."""
    from ._samples import make_project

    first, second = make_project(tmp_path / "one" / "x"), make_project(tmp_path / "two" / "y")

    assert read(first, BASE).digest == read(second, BASE).digest


def test_sources_are_all_files_that_the_run_trusts(project: Path) -> None:
    """The workflow, called modules and each conftest.py down to the workflow's folder are digested by their path."""
    (project / "wf" / "conftest.py").write_text("# mine\n", encoding="utf-8")
    (project / "smoke" / "conftest.py").write_text("# of the tests\n", encoding="utf-8")
    (project.parent / "conftest.py").write_text("# not the project's\n", encoding="utf-8")

    sources = read(project, BASE).sources

    assert set(sources) == {"conftest.py", "wf/checks.py", "wf/conftest.py", "wf/release.workflow.yaml"}
    assert all(digest == digest_of_file(project / name) for name, digest in sources.items())
