"""Rules of the values of inputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_workflow_exec import bounded_matching
from pytest_workflow_exec.definition import Inputs, resolve_inputs
from pytest_workflow_exec.errors import PreflightError

from ._samples import MINIMAL, contents, read


def resolve(project: Path, declared: str, given: Mapping[str, str]) -> Inputs:
    """Return the values of these inputs."""
    return resolve_inputs(read(project, f"inputs:\n  {declared}\n{MINIMAL}"), given)


def problems(project: Path, declared: str, given: Mapping[str, str]) -> list[str]:
    """Return why the inputs can't be used."""
    workflow = read(project, f"inputs:\n  {declared}\n{MINIMAL}")
    before = contents(project)
    with pytest.raises(PreflightError) as caught:
        resolve_inputs(workflow, given)
    assert contents(project) == before
    return [problem.message for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("declared", "text", "value", "spelled"),
    [
        ("x: {}", "a b", "a b", "a b"),
        ("x: {}", "", "", ""),
        ("x: {type: integer}", "-3", -3, "-3"),
        ("x: {type: number}", "1.50", 1.5, "1.5"),
        ("x: {type: number}", "3", 3, "3"),
        ("x: {type: boolean}", "true", True, "true"),
        ("x: {type: boolean}", "false", False, "false"),
        ("x: {type: enum, values: [minor, major]}", "major", "major", "major"),
        ("x: {type: list}", "web1, web2", ("web1", "web2"), "web1,web2"),
        ("x: {type: list}", '["a,b", "c"]', ("a,b", "c"), '["a,b", "c"]'),
        ("x: {type: list}", "", (), "[]"),
        ("x: {type: path}", "dist/new", "dist/new", "dist/new"),
        ("x: {type: file}", "pyproject.toml", "pyproject.toml", "pyproject.toml"),
        ("x: {pattern: '\\d+'}", "12", "12", "12"),
    ],
)
def test_given_text_becomes_a_value_of_the_inputs_type(
    project: Path, declared: str, text: str, value: object, spelled: str
) -> None:
    """What the command line gives is converted by the declared type, and is spelled so that it can be given again."""
    inputs = resolve(project, declared, {"x": text})

    assert inputs.values["x"] == value
    assert type(inputs.values["x"]) is type(value)
    assert inputs.text(("x",)) == spelled
    assert resolve(project, declared, {"x": spelled}).values == inputs.values


@pytest.mark.parametrize(
    ("declared", "text", "fragment"),
    [
        ("x: {}", "a\nb", "line break or another control character"),
        ("x: {}", "a\x1b[2J", "control character"),
        ("x: {}", "a\udcff", "control character"),
        ("x: {}", "a\u2028b", "control character"),
        ("x: {type: list}", '["a\\n"]', "control character"),
        ("x: {type: integer}", "3.0", "must be a whole number"),
        ("x: {type: integer}", "٣", "must be a whole number"),
        ("x: {type: integer}", "9" * 5000, "must be a whole number"),
        ("x: {type: number}", "nan", "must be a number"),
        ("x: {type: number}", "1e999", "must be a number"),
        ("x: {type: boolean}", "yes", "must be true or false"),
        ("x: {type: enum, values: [minor, major]}", "mino", "did you mean 'minor'?"),
        ("x: {type: list}", "[1]", "must be a list of texts"),
        ("x: {type: list}", "[a", "is no JSON list"),
        ("x: {type: path}", "../x", "without '..'"),
        ("x: {type: path}", "/etc/passwd", "without '..'"),
        ("x: {type: path}", "", "without '..'"),
        ("x: {type: path}", "out/x", "leads out of the project"),
        ("x: {type: file}", "none.txt", "no such file"),
        ("x: {type: file}", "wf", "no such file"),
        ("x: {type: file}", "out/outside.py", "leads out of the project"),
        ("x: {pattern: '\\d+'}", "12a", "does not match"),
        ("x: {pattern: '\\d+'}", "12\n", "control character"),
        ("x: {pattern: '\\d+'}", "٣", "does not match"),
    ],
)
def test_value_that_is_not_allowed_is_refused(project: Path, declared: str, text: str, fragment: str) -> None:
    """A value that its declaration does not allow is refused, with the option that gives another."""
    (project / "out").symlink_to(project.parent)

    [message] = problems(project, declared, {"x": text})

    assert fragment in message
    assert message.endswith("Give --workflow-input x=VALUE")


def test_value_whose_pattern_comes_to_no_end_is_refused(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether such a value is allowed nobody knows, and so it is not."""
    monkeypatch.setattr(bounded_matching, "_MAX_CPU_S", 0.05)

    [message] = problems(project, "x: {pattern: '(a+)+'}", {"x": "a" * 60 + "b"})

    assert "can't be compared with its pattern: the regular expression '(a+)+' came to no end" in message


def test_missing_and_unknown_inputs_are_reported_together(project: Path) -> None:
    """All that is wrong with the inputs is said at once, unknown names with the nearest known one."""
    found = problems(project, "version: {}\n  kind: {type: enum, values: [a]}", {"versoin": "1", "kind": "b"})

    assert len(found) == 3
    assert "no input 'versoin' (did you mean 'version'?)" in found[0]
    assert "input 'version' has no value. Give --workflow-input version=VALUE" in found[1]
    assert "input 'kind' can't be 'b'" in found[2]


def test_named_groups_of_a_pattern_are_values(project: Path) -> None:
    """The groups of a pattern's full match can be named; one that took no part is empty."""
    inputs = resolve(project, "x: {pattern: '(?P<series>\\d+\\.\\d+)\\.\\d+(?P<rc>rc\\d)?'}", {"x": "1.2.3"})

    assert inputs.text(("x", "series")) == "1.2"
    assert inputs.text(("x", "rc")) == ""
    with pytest.raises(KeyError):
        inputs.text(("x", "other"))


def test_given_value_goes_before_the_default(project: Path) -> None:
    """A default stands only for what was not given."""
    assert resolve(project, "x: {default: a}", {}).values == {"x": "a"}
    assert resolve(project, "x: {default: a}", {"x": "b"}).values == {"x": "b"}


@pytest.mark.parametrize(
    ("name", "content", "declared", "value"),
    [
        ("d.toml", 'a.b = "1.10"', "", "1.10"),
        ("d.toml", "a.b = 3", "type: integer, ", 3),
        ("d.toml", 'a.b = ["x"]', "type: list, ", ("x",)),
        ("d.json", '{"a": {"b": true}}', "type: boolean, ", True),
        ("d.json", '{"a": {"b": 1.5}}', "type: number, ", 1.5),
        ("d.yaml", "a: {b: 3.10}", "", "3.10"),
        ("d.yml", "a: {b: [no, on]}", "type: list, ", ("no", "on")),
    ],
)
def test_default_is_read_from_a_file(project: Path, name: str, content: str, declared: str, value: object) -> None:
    """A default may stand in a TOML, JSON or YAML file, where it keeps its own type; YAML is source text."""
    (project / name).write_text(content, encoding="utf-8")

    assert resolve(project, f"x: {{{declared}default: {{from: {name}, key: a.b}}}}", {}).values == {"x": value}


@pytest.mark.parametrize(
    ("name", "content", "fragment"),
    [
        ("d.toml", 'a.c = "x"', "has no key 'a.b'"),
        ("d.toml", 'a = "x"', "has no key 'a.b'"),
        ("d.toml", "a.b = 3", "must be of type string, not '3'"),
        ("d.toml", "a.b = 2020-01-01", "must be of type string"),
        ("d.toml", 'a.b = """x\ny"""', "control character"),
        ("d.toml", "a b", "can't be read"),
        ("d.json", "{", "can't be read"),
        ("d.json", "[" * 100_000, "can't be read"),
        ("d.json", b"\xff", "can't be read"),
        ("d.yaml", "a: {b: x}\na: {b: y}", "stands twice"),
        ("d.yaml", "a: {b: !!python/object:os.system x}", "tag"),
        ("d.yaml", "a: [", "is not valid YAML"),
        ("d.toml", "#" * ((1 << 20) + 1), "larger than 1 MiB"),
        ("d.toml", None, "is not a file"),
    ],
)
def test_default_that_can_not_be_read_is_refused(
    project: Path, name: str, content: str | bytes | None, fragment: str
) -> None:
    """A default from a file that is missing, broken, or holds another kind of value is no value."""
    if content is not None:
        (project / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    [message] = problems(project, f"x: {{default: {{from: {name}, key: a.b}}}}", {})

    assert fragment in message
    assert "--workflow-input x=VALUE" in message


def test_default_behind_a_link_out_of_the_project_is_refused(project: Path) -> None:
    """A default is read from the project, not from what a link in it leads to."""
    (project.parent / "secret.toml").write_text('a = "x"', encoding="utf-8")
    (project / "d.toml").symlink_to(project.parent / "secret.toml")

    [message] = problems(project, "x: {default: {from: d.toml, key: a}}", {})

    assert "leads out of the project" in message


def test_secret_comes_from_its_variable(project: Path) -> None:
    """A secret is what the variable with its name in capitals holds, or the one that it names; values have only a word."""
    workflow = read(
        project, f"inputs: {{api-token: {{type: secret}}, b: {{type: secret, default: {{env: X}}}}}}\n{MINIMAL}"
    )

    inputs = resolve_inputs(workflow, {}, environment={"API_TOKEN": "one secret", "X": "other secret"})

    assert dict(inputs.values) == {"api-token": "secret", "b": "secret"}
    assert [(each.variable, each.value) for each in inputs.secrets.values()] == [
        ("API_TOKEN", "one secret"),
        ("X", "other secret"),
    ]
    assert "one secret" not in repr(inputs)


@pytest.mark.parametrize(
    ("given", "held", "message"),
    [
        ({}, {}, "the environment does not hold it. Set the environment variable X"),
        ({}, {"X": "short"}, "has fewer than 8 bytes"),
        ({}, {"X": "12345678\udcff"}, "no UTF-8"),
        ({"x": "typed-value"}, {"X": "one secret"}, "a command line is no place for one"),
    ],
)
def test_secret_that_could_not_be_kept_is_refused(
    project: Path, given: Mapping[str, str], held: Mapping[str, str], message: str
) -> None:
    """A secret that is missing, typed, or can't be masked is refused, and its value is not repeated."""
    workflow = read(project, f"inputs: {{x: {{type: secret}}}}\n{MINIMAL}")

    with pytest.raises(PreflightError) as caught:
        resolve_inputs(workflow, given, environment=held)

    assert message in str(caught.value)
    assert not any(value in str(caught.value) for value in [*given.values(), *held.values()])
