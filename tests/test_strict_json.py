"""JSON that every reader understands alike."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.strict_json import StrictJsonError, encode, parse


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no JSON"),
        ('{"a": 1} x', "no JSON"),
        ('{"a": 1, "a": 1}', "a key twice"),
        ('{"a": {"b": 1, "b": 2}}', "a key twice"),
        ("NaN", "NaN"),
        ("-Infinity", "-Infinity"),
        ("1e999", "too large"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_what_readers_could_understand_differently_is_refused(text: str, why: str) -> None:
    """Two values of one key, and what is no number in other languages, are no value at all."""
    with pytest.raises(StrictJsonError, match=why):
        parse(text)


def test_what_is_plain_is_read_as_it_was_written() -> None:
    """A value comes back from its own text."""
    value = {"a": [1, 2.5, None, True, "ü"], "b": {}}

    assert parse(encode(value)) == value
