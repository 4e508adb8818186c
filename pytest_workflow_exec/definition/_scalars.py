"""Scalars of YAML where a value has a type of its own: numbers, true, false and null, and texts that only look like one."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.lazy_patterns import lazy_pattern

from ._names import quoted
from ._problems import Problems, Where
from ._yaml_text import QUOTES, Plain

_JSON_NUMBER = lazy_pattern(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_MAX_EXACT_DIGITS = 15
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}


def typed_scalar(value: str, where: Where, problems: Problems) -> str | int | float | bool | None:
    """Return the number, truth value or null that a scalar without quotes is, else its text."""
    text = str(value)
    if not isinstance(value, Plain):
        return text
    if not text:
        problems.at(where, 'has no value; write null, or "" for an empty text')
    if text in _WORDS:
        return _WORDS[text]
    return text if _JSON_NUMBER.fullmatch(text) is None else _number(text, where, problems)


def _number(text: str, where: Where, problems: Problems) -> int | float:
    # 3.10 is more often a version than a number, and a number of many digits more often a name.
    exact = len(text) <= _MAX_EXACT_DIGITS
    number = (int(text) if text.lstrip("-").isdigit() else float(text)) if exact else 0
    if exact and str(number) == text:
        return number
    instead = f"would be read as the number {number}" if exact else "has more digits than a number keeps"
    problems.at(where, f"{quoted(text)} {instead}; if it is a text, {QUOTES}")
    return number
