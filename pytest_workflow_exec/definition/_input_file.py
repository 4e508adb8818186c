"""A file of values for inputs: the texts that it holds, as if each had been typed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from pytest_workflow_exec.errors import PreflightError, Problem

from ._data_files import DATA_READERS, checked_size
from ._names import quoted, suggestion
from ._values import ValueProblemError, value_text

_VARIABLES = ".env"
_KINDS = (*DATA_READERS, _VARIABLES)
_QUOTES = ("'", '"')


def input_file(path: Path) -> Mapping[str, str]:
    """Return the texts by input name that a file gives: YAML, JSON, TOML, or lines of `NAME=VALUE` in `*.env`.

    A number, `true` or a list is the text in which it can be typed; what an input makes of it, its declaration says.

    Raises:
        PreflightError: The file can't be read, or holds something else; all its problems.
    """
    try:
        data = _read(path)
    except ValueProblemError as error:
        raise PreflightError([Problem(path=path, message=f"{error}")]) from error
    if not isinstance(data, Mapping):
        raise PreflightError([Problem(path=path, message="must give values by the names of inputs")])
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    for name, value in data.items():
        try:
            texts[str(name)] = _text(value)
        except ValueProblemError as error:
            problems.append(Problem(path=path, message=f"input {quoted(str(name))} {error}"))
    if problems:
        raise PreflightError(problems)
    return texts


def _read(path: Path) -> object:
    kind = _VARIABLES if path.name.endswith(_VARIABLES) else path.suffix
    if kind not in _KINDS:
        raise ValueProblemError(f"must be one of {', '.join(_KINDS)}{suggestion(kind, _KINDS)}")
    try:
        content = checked_size(path).read_bytes()
        return _variables(content) if kind == _VARIABLES else DATA_READERS[kind](path, content)
    except (OSError, RuntimeError, ValueError) as error:
        if isinstance(error, ValueProblemError):
            raise
        # UnicodeDecodeError, TOMLDecodeError and JSONDecodeError are ValueErrors; deep nesting is a RuntimeError.
        raise ValueProblemError(f"can't be read: {error}") from error


def _text(value: object) -> str:
    if isinstance(value, str):
        return str(value)
    if isinstance(value, (list, tuple)):
        if not all(isinstance(item, str) for item in value):
            raise ValueProblemError("must be a list of texts; put quotes around each")
        return value_text(tuple(str(item) for item in value))
    if isinstance(value, (bool, int)) or (isinstance(value, float) and math.isfinite(value)):
        return value_text(value)
    raise ValueProblemError(f"can't be a {type(value).__name__}; give a text, a number, true, false or a list of texts")


def _variables(content: bytes) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for number, line in enumerate(content.decode("utf-8-sig").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, value = (part.strip() for part in line.removeprefix("export ").partition("="))
        if not equals or not name:
            raise ValueProblemError(f"must be lines of NAME=VALUE; line {number} is none")
        if name in found:
            raise ValueProblemError(f"gives {quoted(name)} a second time in line {number}")
        found[name] = _unquoted(value, number)
    return found


def _unquoted(value: str, number: int) -> str:
    if not value.startswith(_QUOTES):
        return value
    inner = value[1:-1]
    # What a shell would make of the rest depends on the shell.
    if len(value) == 1 or value[-1] != value[0] or value[0] in inner or "\\" in inner:
        raise ValueProblemError(f"has quotes in line {number} that don't stand around one plain text")
    return inner
