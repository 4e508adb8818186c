"""Values for inputs, from files and typed, spoiled at random: a value that the declaration allows, or a problem."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_workflow_exec.definition import input_file, inputs_at_hand, read_yaml_workflow
from pytest_workflow_exec.errors import PreflightError

from .test_fuzz import SPEED

DECLARED = """\
inputs:
  text: {pattern: '(?P<a>[a-z]+)-(?P<b>\\d+)'}
  count: {type: integer}
  size: {type: number}
  dry: {type: boolean}
  kind: {type: enum, values: [minor, major]}
  hosts: {type: list}
  folder: {type: path}
  notes: {type: file}
  token: {type: secret}
steps: [{id: one, run: [echo, '${inputs.text.a}', '${inputs.hosts[*]}']}]
"""
FILES = {
    "yaml": "text: a-1\ncount: 3\nsize: 2.5\ndry: true\nkind: minor\nhosts: [a, b]\nfolder: dist\n",
    "json": '{"text": "a-1", "count": 3, "size": 2.5, "dry": true, "kind": "minor", "hosts": ["a", "b"]}\n',
    "toml": 'text = "a-1"\ncount = 3\nsize = 2.5\ndry = true\nkind = "minor"\nhosts = ["a", "b"]\n',
    "env": "# values\ntext=a-1\nexport count=3\nsize='2.5'\ndry=\"true\"\nkind=minor\nhosts=a,b\n",
}
NAMES = ["text", "count", "size", "dry", "kind", "hosts", "folder", "notes", "token", "other", ""]
TYPED = st.text(max_size=30) | st.sampled_from(
    ["", " ", "a-1", "3", "3.0", "1e999", "nan", "-0", "+7", "9" * 200, "٣", "true", "True", "a,b", "[", '["a", 1]', '["a"]',
     "[" * 5000, "..", "../x", "/etc/passwd", "~", "a/../../b", "a" * 70_000, "\0", "\n", "\u2028", "\ud800", "-x", "--", "${run.id}"]
)  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_what_is_spoiled_is_good(tmp_path: Path, kind: str) -> None:
    """Spoiling says something only if the files are good to begin with."""
    (tmp_path / f"values.{kind}").write_text(FILES[kind])

    assert input_file(tmp_path / f"values.{kind}")["count"] == "3"


@SPEED
@given(
    kind=st.sampled_from(list(FILES)),
    start=st.integers(0, 200),
    length=st.integers(0, 30),
    instead=st.binary(max_size=8)
    | st.sampled_from(
        [
            b"\xff",
            b"\0",
            b"*a",
            b"&a ",
            b"!!python/object:os.system",
            b"[" * 300,
            b"{",
            b"1e400",
            b"NaN",
            b"<<: ",
            b"\t",
        ]
    ),
)
def test_any_spoiled_file_of_values_is_read_or_refused(
    tmp_path: Path, kind: str, start: int, length: int, instead: bytes
) -> None:
    """In each of the four kinds of files."""
    content = FILES[kind].encode()
    start %= len(content)
    file = tmp_path / f"values.{kind}"
    file.write_bytes(content[:start] + instead + content[start + length :])
    try:
        texts = input_file(file)
    except PreflightError as error:
        problems = error.problems
    else:
        assert all(isinstance(text, str) for text in texts.values())
        return
    assert problems
    assert all(problem.message.strip() for problem in problems)


@SPEED
@given(given_=st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=5), TYPED, max_size=9))
def test_any_typed_values_are_allowed_or_refused(project: Path, given_: dict[str, str]) -> None:
    """What is typed behind `--workflow-input` is a value of the declared type, or a problem that names the input."""
    path = project / "wf" / "w.workflow.yaml"
    path.write_text(DECLARED, encoding="utf-8")
    workflow = read_yaml_workflow(path, root=project)

    inputs, problems = inputs_at_hand(workflow, given_, environment={"TOKEN": given_.get("text", "")})

    assert all(problem.message.strip() for problem in problems)
    assert inputs.values.get("count") is None or isinstance(inputs.values["count"], int)
    assert set(inputs.values) <= {spec.name for spec in workflow.inputs}
    for name in ("folder", "notes"):
        assert ".." not in str(inputs.values.get(name, "")).split("/")
