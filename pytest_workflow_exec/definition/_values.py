"""Values of inputs: reading what was given as text, and judging whether a declaration allows it."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from pytest_workflow_exec.bounded_matching import full_match
from pytest_workflow_exec.errors import EndlessMatchError
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import InputSpec, InputType, InputValue

from ._names import quoted, suggestion

_INTEGER = lazy_pattern(r"[+-]?[0-9]{1,100}")
_NUMBER = lazy_pattern(r"[+-]?[0-9]{1,100}(\.[0-9]{1,100})?([eE][+-]?[0-9]{1,4})?")
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})


class ValueProblemError(ValueError):
    """A value is not one that the input's declaration allows; the message continues "input 'x' ..."."""


def read_value(spec: InputSpec, raw: object) -> InputValue:
    """Return a value of the input's type from a text, or from what a TOML, JSON or Python value already is.

    Raises:
        ValueProblemError: The value is not of the input's type, or not one of those that it allows.
    """
    value = _FROM_TEXT[spec.type](raw) if isinstance(raw, str) else _from_data(spec.type, raw)
    _check_characters(value)
    if spec.type == "enum" and value not in spec.values:
        raise ValueProblemError(f"can't be {quoted(str(value))}{suggestion(str(value), spec.values)}")
    if spec.type in ("path", "file"):
        _check_path(str(value))
    if spec.pattern is not None and _whole_match(spec.pattern, str(value)) is None:
        raise ValueProblemError(f"is {quoted(str(value))}, which does not match {spec.pattern}")
    return value


def value_of_type(kind: InputType, text: str) -> InputValue:
    """Return what a text is as a value of a type.

    Raises:
        ValueProblemError: It is none.
    """
    return _FROM_TEXT[kind](text)


def check_inside(root: Path, spec: InputSpec, value: InputValue) -> None:
    """Check the files behind an input of type `path` or `file`.

    Raises:
        ValueProblemError: The path leads out of the project, or a `file` does not exist.
    """
    if spec.type not in ("path", "file"):
        return
    try:
        target = (root / str(value)).resolve()
        inside, is_file = target.is_relative_to(root.resolve()), target.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueProblemError(f"is {quoted(str(value))}, which can't be looked at: {error}") from error
    if not inside:
        raise ValueProblemError(f"is {quoted(str(value))}, which leads out of the project")
    if spec.type == "file" and not is_file:
        raise ValueProblemError(f"is {quoted(str(value))}, but there is no such file in the project")


def groups_of(spec: InputSpec, value: InputValue) -> Mapping[str, str]:
    """Return the named groups of the input's pattern; a group that took no part is empty."""
    if spec.pattern is None:
        return {}
    match = _whole_match(spec.pattern, str(value))
    return {} if match is None else {name: text or "" for name, text in match.groupdict().items()}


def _whole_match(pattern: str, text: str) -> re.Match[str] | None:
    try:
        return full_match(pattern, text, re.ASCII)
    except EndlessMatchError as error:
        raise ValueProblemError(f"can't be compared with its pattern: {error}") from error


def value_text(value: object) -> str:
    """Return a value as it stands in a text: the spelling in which it can be given again."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        plain = all(isinstance(item, str) and item and item == item.strip() and "," not in item for item in value)
        unambiguous = plain and bool(value) and not value[0].startswith("[")
        return ",".join(value) if unambiguous else json.dumps(list(value), ensure_ascii=False)
    return str(value)


def _integer(text: str) -> int:
    if _INTEGER.fullmatch(text) is None:
        raise ValueProblemError(f"must be a whole number, not {quoted(text)}")
    return int(text)


def _number(text: str) -> int | float:
    # A whole number stays one: `${inputs.count}` is 3, not 3.0.
    if _INTEGER.fullmatch(text) is not None:
        return int(text)
    value = float(text) if _NUMBER.fullmatch(text) else math.inf
    if not math.isfinite(value):
        raise ValueProblemError(f"must be a number, not {quoted(text)}")
    return value


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueProblemError(f"must be true or false, not {quoted(text)}")
    return text == "true"


def read_list(text: str) -> tuple[str, ...]:
    """Return the texts of a list as it is given in one text: with commas between them, or as JSON.

    Raises:
        ValueProblemError: It starts like JSON and is no list of texts.
    """
    if not text.lstrip().startswith("["):
        return tuple(item.strip() for item in text.split(",")) if text.strip() else ()
    try:
        items = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueProblemError(f"is no JSON list: {quoted(text)}") from error
    return _texts(items)


def _texts(items: object) -> tuple[str, ...]:
    if not isinstance(items, (list, tuple)) or not all(isinstance(item, str) for item in items):
        raise ValueProblemError("must be a list of texts")
    return tuple(items)


_FROM_TEXT: Mapping[InputType, Callable[[str], InputValue]] = {
    "string": str,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "enum": str,
    "list": read_list,
    "path": str,
    "file": str,
    "secret": str,
}


def _from_data(kind: InputType, raw: object) -> InputValue:
    if kind == "list":
        return _texts(raw)
    if kind == "boolean" and isinstance(raw, bool):
        return raw
    if kind == "integer" and isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    if kind == "number" and isinstance(raw, (int, float)) and not isinstance(raw, bool) and math.isfinite(raw):
        return raw
    raise ValueProblemError(f"must be of type {kind}, not {quoted(repr(raw))}")


def _check_characters(value: InputValue) -> None:
    for text in value if isinstance(value, tuple) else (value,):
        if isinstance(text, str) and any(unicodedata.category(character) in _CONTROLS for character in text):
            raise ValueProblemError(f"holds a line break or another control character: {quoted(text)}")


def _check_path(text: str) -> None:
    path = PurePosixPath(text)
    if not text or path.is_absolute() or ".." in path.parts:
        raise ValueProblemError(f"must be a path from the project's root, without '..', not {quoted(text)}")
