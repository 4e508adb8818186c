"""Files of values for inputs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.definition import input_file
from pytest_workflow_exec.errors import PreflightError

GOOD = {
    "v.yaml": "version: 3.10\nhosts: [web1, 'a, b']\nfast: no\n",
    "v.yml": "version: '3.10'\nhosts: [web1, 'a, b']\nfast: no\n",
    "v.json": '{"version": "3.10", "hosts": ["web1", "a, b"], "fast": "no"}',
    "v.toml": 'version = "3.10"\nhosts = ["web1", "a, b"]\nfast = "no"\n',
    "v.env": '\ufeff# of the release\n\nversion = 3.10\nhosts=["web1", "a, b"]\nfast="no"\n',
    ".env": 'version=\'3.10\'\r\nhosts=["web1", "a, b"]\r\nfast=no\r\n',
}
BAD = {
    ("v.ini", "version=1"): "must be one of .toml, .json, .yaml, .yml, .env",
    ("v.yaml", "version: [a"): "can't be read",
    ("v.yaml", "- version\n"): "must give values by the names of inputs",
    ("v.yaml", "version: 1\nversion: 2\n"): "version",
    ("v.yaml", "version: {a: b}"): "input 'version' can't be a",
    ("v.json", '{"version": 1, "version": 2}'): "can't be read: it has a key twice",
    ("v.json", '{"version": null}'): "input 'version' can't be a NoneType",
    ("v.json", '{"version": NaN}'): "can't be read: it holds NaN",
    ("v.json", '{"version": [1]}'): "must be a list of texts",
    ("v.json", "[" * 100_000): "can't be read",
    ("v.json", '"x"'): "must give values by the names of inputs",
    ("v.toml", "version = 2030-01-01"): "input 'version' can't be a date",
    ("v.toml", "version"): "can't be read",
    ("v.env", "version"): "must be lines of NAME=VALUE; line 1 is none",
    ("v.env", "a=1\n=2"): "line 2 is none",
    ("v.env", "a=1\na=2"): "gives 'a' a second time in line 2",
    ("v.env", "a='b' c"): "has quotes in line 1",
    ("v.env", 'a="b\\n"'): "has quotes in line 1",
    ("v.env", "a='"): "has quotes in line 1",
}


@pytest.mark.parametrize(("name", "content"), GOOD.items(), ids=GOOD)
def test_each_kind_says_the_same(tmp_path: Path, name: str, content: str) -> None:
    """Whatever the file's kind, an input is given the text that stands there, never what YAML would make of it."""
    (tmp_path / name).write_text(content, encoding="utf-8", newline="")

    assert input_file(tmp_path / name) == {"version": "3.10", "hosts": '["web1", "a, b"]', "fast": "no"}


def test_data_is_given_as_it_would_be_typed(tmp_path: Path) -> None:
    """Numbers, flags and plain lists of a typed file are the texts that a command line would give."""
    (tmp_path / "v.json").write_text('{"n": 3, "x": 1.5, "b": true, "l": ["a", "b"], "none": []}')

    assert input_file(tmp_path / "v.json") == {"n": "3", "x": "1.5", "b": "true", "l": "a,b", "none": "[]"}


@pytest.mark.parametrize(("file", "message"), BAD.items(), ids=map(str, range(len(BAD))))
def test_what_is_no_such_file_is_refused(tmp_path: Path, file: tuple[str, str], message: str) -> None:
    """Each mistake is said with the file's name, and never as a traceback."""
    name, content = file
    (tmp_path / name).write_text(content)

    with pytest.raises(PreflightError, match=name) as caught:
        input_file(tmp_path / name)

    assert message in str(caught.value)


def test_missing_file_and_other_bytes_are_refused(tmp_path: Path) -> None:
    """A folder, nothing at all, and bytes that are no UTF-8 are no file of values."""
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "v.env").write_bytes(b"a=\xff")

    for name, message in (("folder.yaml", "not a file"), ("none.yaml", "not a file"), ("v.env", "can't be read")):
        with pytest.raises(PreflightError, match=message):
            input_file(tmp_path / name)
