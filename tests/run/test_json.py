"""Rules of JSON that commands print: what is expected of it, and what is taken from it."""

from __future__ import annotations

import json

import pytest

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import ExpectationError, OutputError
from pytest_workflow_exec.run import Run

from .conftest import Project

DOCUMENT = {
    "state": "ready",
    "count": 3,
    "ratio": 1.0,
    "ok": True,
    "nothing": None,
    "tags": ["a", "b"],
    "items": [{"name": "x", "size": 1}, {"name": "y", "size": 2}],
}


def step(keys: str) -> str:
    """Return a workflow whose step prints what stands in a file."""
    return f"inputs: {{n: {{type: integer, default: 3}}}}\nsteps:\n  - id: a\n    run: [cat, doc.json]\n    {keys}\n"


def done(project: Project, keys: str, document: object = DOCUMENT) -> Run:
    """Return a run whose step printed the document."""
    (project.root / "workflow-exec.toml").write_text('[policy]\nsandbox = "none"\ncommands = ["cat *"]\n')
    text = document if isinstance(document, str) else json.dumps(document)
    (project.root / "doc.json").write_text(text)
    run = project.open(step(keys))
    try:
        project.perform(run, "a")
    finally:
        run.close(interrupted=False)
    return run


@pytest.mark.parametrize(
    "expected",
    [
        "$.state: ready",
        "$.count: 3",
        "$.count: '${inputs.n}'",
        "$.ratio: 1",
        "$.ok: true",
        "$.nothing: null",
        "$.tags: [a, b]",
        "'$.items[*].name': [x, y]",
        "'$.items[?@.size > 5]': []",
        "'$.items[?@.name == \"y\"].size': 2",
        "$.count: {in: [2, 3]}",
        "$.count: {ge: 3, lt: 4, not: 5}",
        "$.state: {matches: '^re', not_matches: z, contains: ead}",
        "$.tags: {contains: b}",
    ],
)
def test_json_as_expected_passes(project: Project, expected: str) -> None:
    """A value has the type that its author wrote; a path to several gives them as a list."""
    done(project, f"expect: {{json: {{{expected}}}}}")


@pytest.mark.parametrize(
    ("expected", "found"),
    [
        ("$.state: 'Ready'", 'expected $.state "Ready", found "ready"'),
        ("$.count: '3'", 'expected $.count "3", found 3'),
        ("$.ok: 1", "expected $.ok 1, found true"),
        ("$.nothing: ''", 'expected $.nothing "", found null'),
        ("$.missing: {not: x}", "found nothing there"),
        ("'$.items[*].name': x", "found 2 values"),
        ("'$.items[*].name': [x]", 'found ["x", "y"]'),
        ("$.ok: {le: 3}", "expected $.ok le 3, found true"),
        ("$.count: {not_matches: x}", "found 3"),
        ("$.count: {contains: 3}", "found 3"),
        ("$.count: {in: ['3', 4]}", 'expected $.count "3" or 4'),
    ],
)
def test_json_otherwise_fails(project: Project, expected: str, found: str) -> None:
    """Another value or type, a missing value and several where one is expected fail the step, whatever the matcher."""
    with pytest.raises(ExpectationError) as caught:
        done(project, f"expect: {{json: {{{expected}}}}}")

    assert found in str(caught.value)


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ("no json", "Expecting value"),
        ("", "Expecting value"),
        ('{"a": 1} 2', "Extra data"),
        ('{"a": 1, "a": 2}', "a key stands twice"),
        ('{"a": NaN}', "NaN is no number"),
        ('{"a": 1e999}', "1e999 is larger"),
        ('{"a": -1e999}', "-1e999 is larger"),
        ("[" * 100_000, "recursion"),
    ],
)
def test_what_is_no_json_fails(project: Project, document: str, reason: str) -> None:
    """Text that is no JSON, or could be read in two ways, fulfils no expectation and gives no output."""
    with pytest.raises(ExpectationError, match=reason):
        done(project, "expect: {json: {$.a: {not: 5}}}", document)
    with pytest.raises(OutputError, match=reason):
        done(project, "outputs: {o: {json: $.a}}", document)


def test_cut_off_json_fails(project: Project) -> None:
    """Where a command printed more than is kept, neither expectation nor output is read."""
    document = json.dumps({"a": 1}) + " " * (1 << 21)

    with pytest.raises(ExpectationError, match="more output than is kept"):
        done(project, "expect: {json: {$.a: 1}}", document)
    with pytest.raises(OutputError, match="more than is kept"):
        done(project, "outputs: {o: {json: $.a}}", document)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        ("{json: $.state}", "ready"),
        ("{json: $.count, type: integer}", 3),
        ("{json: $.tags, type: list}", ["a", "b"]),
        ("{json: '$.items[*].size', type: list}", [1, 2]),
        ("{json: '$.items[0]'}", {"name": "x", "size": 1}),
        ("{stdout: '\"count\": ([0-9]+)', type: integer}", 3),
        ("{stdout: '\"ok\": (true|false)', type: boolean}", True),
        ('{stdout: \'"name": "(.)"\', type: list}', ["x", "y"]),
    ],
)
def test_output_is_what_its_rule_says(project: Project, rule: str, value: Json) -> None:
    """An output from JSON keeps its type; one from text becomes what `type` says."""
    assert done(project, f"outputs: {{o: {rule}}}").values.outputs["a"].values["o"] == value


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("{json: $.missing}", "leads to no value"),
        ("{json: '$.items[*].size'}", "leads to 2 values"),
        ("{json: $.state, type: integer}", "must be of type integer"),
        ("{json: $.ok, type: number}", "must be of type number"),
        ('{stdout: \'"state": "(.*?)"\', type: integer}', "must be a whole number, not 'ready'"),
    ],
)
def test_output_that_is_not_as_declared_fails(project: Project, rule: str, reason: str) -> None:
    """A value that is missing, several, or of another type fails the step that declares it."""
    with pytest.raises(OutputError, match=reason):
        done(project, f"outputs: {{o: {rule}}}")
