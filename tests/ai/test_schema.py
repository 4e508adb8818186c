"""Schemas fitted to the program: whatever the author's type takes gets through, and the model is told the rest."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_workflow_exec.ai import SchemaRefusedError, fit_schema
from pytest_workflow_exec.ai._schema_wrap import is_wrapped


def fitted(schema: dict[str, Any], **definitions: Any) -> Any:
    """Return what becomes of a property's schema."""
    whole: dict[str, Any] = {"type": "object", "properties": {"x": schema}}
    if definitions:
        whole["$defs"] = definitions
    return fit_schema(whole).schema["properties"]["x"]  # type: ignore[index, call-overload]  # a mapping


@pytest.mark.parametrize(
    "key", ["$schema", "discriminator", "examples", "x-own", "contentMediaType", "not", "if", "contains"]
)
def test_unknown_keyword_is_left_out(key: str) -> None:
    """The program ends where it does not know a keyword, and what judges by negation gets stricter with less in it."""
    assert fitted({"type": "string", key: {"const": 1}}) == {"type": "string"}


@pytest.mark.parametrize("name", ["discriminator", "pattern", "not", "$schema", "examples"])
def test_property_with_the_name_of_a_keyword_stays(name: str) -> None:
    """Names of fields are no keywords, at any depth."""
    inner = {"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}

    assert fitted(inner) == inner
    assert fitted({"$ref": "#/$defs/X"}, X=inner) == {"$ref": "#/$defs/X"}


def test_values_are_not_read_as_schemas() -> None:
    """Defaults and choices may look like anything."""
    schema = {"default": {"pattern": "x", "x-own": [{"not": 1}]}, "enum": [{"oneOf": 1}], "const": {"prefixItems": 1}}

    assert fitted(schema) == schema


def test_tuple_is_told_in_words() -> None:
    """Neither the program nor the API knows how to say it; both take the loose form."""
    schema = {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "minItems": 2, "maxItems": 2}

    assert fitted(schema) == {
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": {"anyOf": [{"type": "integer"}, {"type": "string"}]},
        "description": 'Its items are, in this order: {"type":"integer"}, {"type":"string"}.',
    }


def test_tuple_with_more_behind_it_takes_more() -> None:
    """What may follow the named places stays possible."""
    schema = {"type": "array", "prefixItems": [{"type": "integer"}], "items": {"type": "null"}}

    assert fitted(schema)["items"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}


def test_pattern_is_told_in_words() -> None:
    """Python's regular expressions may end the program; the model reads them all the same."""
    assert fitted({"type": "string", "pattern": "(?P<a>x)", "description": "A word"}) == {
        "type": "string",
        "description": "A word Matches the regular expression (?P<a>x).",
    }


def test_patterns_of_keys_become_any_key() -> None:
    """A mapping with keys of a form takes any keys, with values of theirs."""
    got = fitted({"type": "object", "patternProperties": {"^a": {"type": "integer"}}})

    assert got == {
        "type": "object",
        "additionalProperties": {"anyOf": [{"type": "integer"}]},
        "description": "Its keys match ^a.",
    }


def test_patterns_of_keys_are_not_closed_by_what_else_is_refused() -> None:
    """Left out, the form of the keys must not leave a mapping that takes none."""
    got = fitted({"type": "object", "patternProperties": {"^a": {"type": "integer"}}, "additionalProperties": False})

    assert got == {"type": "object"}


def test_choice_of_exactly_one_becomes_a_choice_of_any() -> None:
    """What told the branches apart may have been left out."""
    got = fitted({"oneOf": [{"type": "string", "pattern": "a"}, {"type": "string", "pattern": "b"}]})

    assert [branch["type"] for branch in got["anyOf"]] == ["string", "string"]
    assert "oneOf" not in got


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "array", "items": {"type": "integer"}},
        {"anyOf": [{"type": "object"}, {"type": "null"}]},
        {"$ref": "#/$defs/L", "$defs": {"L": {"type": "array", "items": {"$ref": "#/$defs/L"}}}},
        {},
    ],
)
def test_answer_that_is_no_object_is_wrapped(schema: dict[str, Any]) -> None:
    """Its definitions stay where references look for them."""
    got = fit_schema(schema)

    assert got.wrapped
    assert is_wrapped(got.schema)
    assert got.schema.get("$defs") == schema.get("$defs")
    assert "$defs" not in str(got.schema["properties"]).replace("#/$defs", "")


def test_recursive_type_has_an_object_at_its_root() -> None:
    """The program and the API want to see that it is one."""
    node: dict[str, Any] = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}

    got = fit_schema({"$ref": "#/$defs/Node", "$defs": {"Node": node}})

    assert not got.wrapped
    assert got.schema == {**node, "$defs": {"Node": node}}


def test_schema_is_not_changed() -> None:
    """The author's own stays as it is."""
    schema = {
        "type": "object",
        "properties": {"x": {"prefixItems": [{"type": "string"}], "pattern": "x"}},
        "title": "T",
    }
    before = str(schema)

    fit_schema(schema)  # type: ignore[arg-type]  # it is JSON

    assert str(schema) == before


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"$ref": "https://example.org/x"}, "outside of its schema"),
        ({"type": "object", "properties": {"x": {"$ref": "#"}}}, "outside of its schema"),
        ({"type": "object", "properties": {"x": {"$ref": "other.json#/$defs/X"}}}, "outside of its schema"),
        ({"$ref": "#/$defs/Gone"}, "leads nowhere"),
        ({"$ref": "#/$defs/A", "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}}}, "leads nowhere"),
        ({"type": "object", "title": "x" * 200_000}, "bytes"),
    ],
)
def test_schema_that_can_not_be_asked_for_is_refused(schema: dict[str, Any], words: str) -> None:
    """With a reason that says what about the type it is."""
    with pytest.raises(SchemaRefusedError, match=words):
        fit_schema(schema)


def test_schema_that_is_nested_too_deeply_is_refused() -> None:
    """Before it breaks anything."""
    schema: dict[str, Any] = {"type": "object"}
    for _ in range(400):
        schema = {"type": "object", "properties": {"x": schema}}

    with pytest.raises(SchemaRefusedError, match="nested too deeply"):
        fit_schema(schema)
