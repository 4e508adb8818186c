"""Rules of digests: what changes a step's, and what does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_workflow_exec.definition._sources import _WHEN_SAID, with_digest
from pytest_workflow_exec.digests import Json, digest_of, digest_of_bytes, digest_of_file
from pytest_workflow_exec.model import Location, Template, Workflow

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


EVERYTHING = (
    BASE.replace("    gate: {question: Go?, show: [a]}\n", "")
    + """\
    gate: {question: "Go ${inputs.version}?", show: [a], form: {why: {type: string, pattern: ".+"}, sure: {type: boolean, default: false}}}
  - {id: e, run: [git, push], when: "inputs.version != '2'", retry: {attempts: 3, for: [transient]}}
  - {id: f, run: [git, push], cwd: sub, env: {A: "${steps.a.o}"}, stdin: "x", check: {run: [git, status]}, idempotent: true}
  - {id: g, manual: {instruction: "Do\u00e9 it", checklist: [one, two]}}
  - {id: h, pause: {for: 5m}}
finally:
  - {id: z, run: [git, status], max_age: 7d}
"""
)


def as_data(value: object, root: Path) -> Json:  # noqa: PLR0911  # one for each kind
    """Return a part of a definition as the value whose canonical JSON is its spelling."""
    if isinstance(value, Template):
        return {"template": value.text}
    if isinstance(value, Path):
        return value.relative_to(root).as_posix()
    if isinstance(value, bytes):
        return digest_of_bytes(value)
    if isinstance(value, tuple):
        return [as_data(item, root) for item in value]
    if isinstance(value, Mapping):
        return {key: as_data(item, root) for key, item in value.items()}
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        said: dict[str, Json] = {"kind": type(value).__name__}
        return said | {
            name: as_data(item, root)
            for name, item in fields.items()
            if name != "digest" and not isinstance(item, Location) and (item or name not in _WHEN_SAID)
        }
    assert value is None or isinstance(value, (bool, int, float, str))
    return value


def test_digest_is_that_of_the_canonical_json_of_all_that_a_step_is(project: Path) -> None:
    """However it is made, the spelling of a step is the one that any other tool would make of the same value."""
    workflow = read(project, EVERYTHING)
    sources = {"b": "2", "a\u00e9": "1"}

    for step in workflow.steps:
        made = with_digest(step, root=workflow.root, variables={}, sources=sources)
        definition: dict[str, Json] = {"step": as_data(step, workflow.root), "variables": {}, "sources": dict(sources)}
        assert made.digest == digest_of(definition)

    assert len(workflow.steps) == 9
