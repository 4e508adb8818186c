"""What a step expects of the JSON that its command prints: values by path, each with a type of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from pytest_workflow_exec.model import ArgumentValue, JsonMatcher, MatchOperator, Template

from ._calls import read_argument
from ._json_paths import JsonPathError, parse_json_path
from ._names import quoted
from ._problems import Where
from ._regexes import RegexError, compile_template
from ._texts import Texts
from ._validation import validated

_ORDER = ("lt", "le", "gt", "ge")
_PATTERNS = ("matches", "not_matches")


def read_json_expectation(declared: Mapping[str, object], where: Where, texts: Texts) -> tuple[JsonMatcher, ...]:
    """Return what is expected of the JSON that a command prints, after adding what is wrong with it."""
    if not declared:
        texts.problems.at(where, "expects nothing; write a path with its value: {$.status: ok}")
    return tuple(
        matcher
        for path, expected in declared.items()
        if check_path(path, (*where, path), texts, at_key=True)
        for matcher in _matchers(path, expected, (*where, path), texts)
    )


def check_path(text: str, where: Where, texts: Texts, *, at_key: bool = False) -> bool:
    """Return whether a text is a path into JSON, after adding why it is none."""
    say = texts.problems.at_key if at_key else texts.problems.at
    if "${" in text:
        say(where, "a path into JSON can't hold references; they would be read as part of it")
        return False
    try:
        parse_json_path(text)
    except JsonPathError as error:
        say(where, f"{quoted(text)} {error}")
        return False
    return True


def _matchers(path: str, expected: object, where: Where, texts: Texts) -> Iterator[JsonMatcher]:
    from ._schema_commands import JsonMatchModel

    if not isinstance(expected, Mapping):
        yield JsonMatcher(path=path, operator="equals", operands=(read_argument(expected, where, texts),))
        return
    if not expected:
        texts.problems.at(where, "holds no matcher")
    model = validated(JsonMatchModel, expected, where, texts.problems)
    said = () if model is None else [field for field in type(model).model_fields if field in model.model_fields_set]
    for field in said:
        operator = cast("MatchOperator", field.rstrip("_"))
        raw: object = getattr(model, field)
        place = (*where, operator)
        operands = tuple(_listed(raw, place, texts)) if operator == "in" else (read_argument(raw, place, texts),)
        for operand in operands:
            _check(operator, operand, place, texts)
        yield JsonMatcher(path=path, operator=operator, operands=operands)


def _listed(raw: object, where: Where, texts: Texts) -> Iterator[ArgumentValue]:
    if isinstance(raw, list):
        yield from (read_argument(item, (*where, index), texts) for index, item in enumerate(raw))


def _check(operator: MatchOperator, operand: ArgumentValue, where: Where, texts: Texts) -> None:
    is_reference = isinstance(operand, Template) and bool(operand.references)
    is_number = isinstance(operand, (int, float)) and not isinstance(operand, bool)
    if operator in _ORDER and not (is_number or is_reference):
        shown = operand.text if isinstance(operand, Template) else repr(operand)
        texts.problems.at(where, f"{operator} compares numbers, and {quoted(shown)} is none")
    if operator not in _PATTERNS:
        return
    if not isinstance(operand, Template):
        texts.problems.at(where, "must be a text; put quotes around it")
        return
    try:
        compile_template(operand)
    except RegexError as error:
        texts.problems.at(where, str(error))
