"""What a command printed, read as JSON: strictly, and found by path."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from typing import NoReturn

from pytest_workflow_exec.bounded_matching import search
from pytest_workflow_exec.definition import JsonPathError, parse_json_path
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import ExpectationError, OutputError
from pytest_workflow_exec.model import ArgumentValue, JsonMatcher, Template
from pytest_workflow_exec.redaction import holds_mask
from pytest_workflow_exec.run._values import Values, is_altered
from pytest_workflow_exec.sandbox import CommandResult

_SHOWN_CHARACTERS = 300


class NoJsonError(ValueError):
    """What a command printed is no JSON that can be read in one way only."""


def read_json(text: str) -> Json:
    """Return the JSON that a text is.

    Raises:
        NoJsonError: It is none, or names a key twice, or holds a number that JSON has not.
    """
    try:
        value: Json = json.loads(text, object_pairs_hook=_unambiguous, parse_constant=_refused, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        message = "held a secret, which is not kept" if holds_mask(text) else str(error)
        raise NoJsonError(message) from error
    return value


def json_output(path: str, result: CommandResult, *, as_list: bool) -> Json:
    """Return the value that a path leads to.

    Args:
        as_list: Whether everything that it leads to is wanted, if it can be several.

    Raises:
        OutputError: There is no JSON, nothing is found, or several values where one is wanted.
    """
    if result.truncated:
        message = "the command printed more than is kept"
        raise OutputError(message)
    try:
        parsed = parse_json_path(path)
        found = parsed.find(read_json(result.stdout))
    except (NoJsonError, JsonPathError) as error:
        message = f"stdout can't be read as JSON: {error}"
        raise OutputError(message) from error
    if as_list and not parsed.is_singular:
        return found
    if len(found) != 1:
        message = f"{path} leads to {len(found) or 'no'} value{'s' * (len(found) != 1)}"
        raise OutputError(message)
    return found[0]


def check_json(matchers: tuple[JsonMatcher, ...], result: CommandResult, values: Values) -> None:
    """Return if the JSON that a command printed is as expected.

    Raises:
        ExpectationError: It is not, or there is none.
        OutputError: A value in the expectation is not there.
    """
    if not matchers:
        return
    if result.truncated:
        raise ExpectationError(
            argv=result.argv, what="JSON", expected="that could be compared", found="more output than is kept"
        )
    try:
        document = read_json(result.stdout)
    except NoJsonError as error:
        raise ExpectationError(argv=result.argv, what="JSON", expected="on stdout", found=f"none: {error}") from error
    for matcher in matchers:
        _check(matcher, document, result, values)


def _check(matcher: JsonMatcher, document: Json, result: CommandResult, values: Values) -> None:
    wanted = [values.argument_value(operand) for operand in matcher.operands]
    shown = " or ".join(_shown(each) for each in wanted)
    expected = shown if matcher.operator in ("equals", "in") else f"{matcher.operator.replace('_', ' ')} {shown}"
    try:
        path = parse_json_path(matcher.path)
        found = path.find(document)
    except JsonPathError as error:
        raise ExpectationError(argv=result.argv, what=matcher.path, expected=expected, found=str(error)) from error
    several = not path.is_singular and matcher.operator == "equals" and isinstance(wanted[0], list)
    if not several and len(found) != 1:
        what = f"{len(found)} values" if found else "nothing there"
        raise ExpectationError(argv=result.argv, what=matcher.path, expected=expected, found=what)
    value: Json = found if several else found[0]
    if is_altered(value):
        said = "a value that held a secret, or bytes that are no text"
        raise ExpectationError(argv=result.argv, what=matcher.path, expected=expected, found=said)
    if not _holds(matcher, value, wanted, values):
        raise ExpectationError(argv=result.argv, what=matcher.path, expected=expected, found=_shown(value))


def _holds(matcher: JsonMatcher, found: Json, wanted: list[Json], values: Values) -> bool:
    if matcher.operator in ("matches", "not_matches"):
        hit = isinstance(found, str) and search(_pattern(matcher.operands[0], values), found) is not None
        # Of a value that is no text nobody can say what it does not match.
        return hit if matcher.operator == "matches" else isinstance(found, str) and not hit
    if matcher.operator in _NUMBERS:
        return _compare(_NUMBERS[matcher.operator], found, wanted[0])
    if matcher.operator == "contains":
        return _contains(found, wanted[0])
    equal = any(same(found, each) for each in wanted)
    return not equal if matcher.operator == "not" else equal


def same(left: Json, right: Json) -> bool:
    """Return whether two JSON values are the same: `1` is `1.0`, but neither is `true` or `"1"`."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and left == right


def _contains(found: Json, wanted: Json) -> bool:
    if isinstance(found, str):
        return isinstance(wanted, str) and wanted in found
    return isinstance(found, (list, tuple)) and any(same(item, wanted) for item in found)


_NUMBERS: dict[str, Callable[[float, float], bool]] = {
    "lt": lambda found, wanted: found < wanted,
    "le": lambda found, wanted: found <= wanted,
    "gt": lambda found, wanted: found > wanted,
    "ge": lambda found, wanted: found >= wanted,
}


def _compare(holds: Callable[[float, float], bool], found: Json, wanted: Json) -> bool:
    if isinstance(found, bool) or isinstance(wanted, bool):
        return False
    return isinstance(found, (int, float)) and isinstance(wanted, (int, float)) and holds(found, wanted)


def _pattern(operand: ArgumentValue, values: Values) -> str:
    return values.pattern(operand) if isinstance(operand, Template) else ""


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        # Read as an infinity, it would be greater than whatever it is compared with.
        message = f"{text[:30]} is larger than a number can be here"
        raise ValueError(message)
    return number


def _unambiguous(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found = dict(pairs)
    if len(found) != len(pairs):
        message = "a key stands twice in one object"
        raise ValueError(message)
    return found


def _refused(constant: str) -> NoReturn:
    message = f"{constant} is no number in JSON"
    raise ValueError(message)


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "..."
