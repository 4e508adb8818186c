"""An author's schema fitted to what the program takes: never stricter than the type, as Python has the final word."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import cast

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._schema_wrap import wrap_schema

MAX_SCHEMA_BYTES = 100_000
"""It stands in one argument of the program, and Linux takes no argument beyond 128 KiB."""

# Where a keyword is unknown to the program it ends before it asks anything. What judges by negation or by a condition
# (`not`, `if`) would get stricter as soon as anything in it is left out, so it is left out as a whole.
_KEPT = frozenset({
    "type", "title", "description", "default", "enum", "const", "properties", "required", "additionalProperties",
    "propertyNames", "minProperties", "maxProperties", "items", "minItems", "maxItems", "uniqueItems", "anyOf", "allOf",
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "format",
    "$ref", "$defs",
})  # fmt: skip
_OF_NAMES = frozenset({"properties", "$defs"})
_OF_VALUES = frozenset({"default", "enum", "const", "required"})
_LOCAL = re.compile(r"#/\$defs/[^/]+")
_MAX_DEPTH = 200


class SchemaRefusedError(ValueError):
    """A type of answers can't be asked for, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedSchema:
    """A schema as the program takes it.

    Attributes:
        schema: The fitted schema, of an object.
        wrapped: Whether the answer stands in an object of its own, because its type is none.
    """

    schema: Mapping[str, Json]
    wrapped: bool


def fit_schema(schema: Mapping[str, Json]) -> FittedSchema:
    """Return a schema that the program takes, and that lets everything through that `schema` does.

    Tagged unions, tuples, recursive types, patterns and types that are no objects are rewritten.

    Raises:
        SchemaRefusedError: It can't be done: a reference leads out of the schema, or it is too large or too deep.
    """
    fitted = cast("dict[str, Json]", _fitted(schema, 0))
    definitions = cast("Mapping[str, Json]", fitted.pop("$defs", {}))
    root = _root(fitted, definitions)
    wrapped = root.get("type") != "object"
    whole = wrap_schema(root) if wrapped else root
    if definitions:
        whole["$defs"] = definitions
    size = len(canonical_json(whole))
    if size > MAX_SCHEMA_BYTES:
        raise SchemaRefusedError(
            f"the type of the answer has a schema of {size} bytes, and {MAX_SCHEMA_BYTES} is the most: ask for less at once"
        )
    return FittedSchema(schema=whole, wrapped=wrapped)


def _root(schema: dict[str, Json], definitions: Mapping[str, Json]) -> dict[str, Json]:
    seen: set[str] = set()
    while isinstance(reference := schema.get("$ref"), str):
        target = definitions.get(reference.rpartition("/")[2])
        if reference in seen or not isinstance(target, Mapping):
            raise SchemaRefusedError(f"the type of the answer refers to {reference}, which leads nowhere")
        seen.add(reference)
        schema = {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _fitted(schema: Json, depth: int) -> Json:
    if depth > _MAX_DEPTH:
        raise SchemaRefusedError("the type of the answer is nested too deeply")
    if not isinstance(schema, Mapping):
        return schema
    fitted: dict[str, Json] = {}
    for key, value in schema.items():
        if key not in _KEPT:
            continue
        if key in _OF_VALUES or not isinstance(value, Mapping | list | tuple):
            fitted[key] = value
        elif key in _OF_NAMES:
            fitted[key] = {name: _fitted(each, depth + 1) for name, each in cast("Mapping[str, Json]", value).items()}
        elif isinstance(value, Mapping):
            fitted[key] = _fitted(value, depth + 1)
        else:
            fitted[key] = [_fitted(each, depth + 1) for each in value]
    _refuse_far(fitted.get("$ref"))
    _say_instead(schema, fitted, depth)
    return fitted


def _refuse_far(reference: Json) -> None:
    if reference is not None and not (isinstance(reference, str) and _LOCAL.fullmatch(reference)):
        raise SchemaRefusedError(f"the type of the answer refers to {reference}, which is outside of its schema")


def _say_instead(schema: Mapping[str, Json], fitted: dict[str, Json], depth: int) -> None:
    """Put in other words what can't be said as it stands: looser for the program, the same for the model."""
    if isinstance(choices := schema.get("oneOf"), Sequence) and "anyOf" not in fitted:
        # What was left out of its branches may have been what told them apart.
        fitted["anyOf"] = [_fitted(each, depth + 1) for each in choices]
    if isinstance(places := schema.get("prefixItems"), Sequence):
        _say_places(places, fitted, depth)
    if isinstance(pattern := schema.get("pattern"), str):
        # Python's regular expressions are not those of the program.
        _describe(fitted, f"Matches the regular expression {pattern}")
    if isinstance(named := schema.get("patternProperties"), Mapping) and "additionalProperties" not in fitted:
        _describe(fitted, f"Its keys match {' or '.join(named)}")
        values = [_fitted(each, depth + 1) for each in named.values()]
        fitted["additionalProperties"] = {"anyOf": values} if values else True
    elif isinstance(schema.get("patternProperties"), Mapping):
        fitted.pop("additionalProperties", None)


def _say_places(places: Sequence[Json], fitted: dict[str, Json], depth: int) -> None:
    # A list of schemas under `items` would be what the program understands; but the API refuses it.
    each = [_fitted(place, depth + 1) for place in places]
    rest = fitted.get("items")
    if places and rest is not True:
        fitted["items"] = {"anyOf": [*each, *([rest] if isinstance(rest, Mapping) else [])]}
    if each:
        _describe(fitted, "Its items are, in this order: " + ", ".join(canonical_json(place) for place in each))


def _describe(fitted: dict[str, Json], words: str) -> None:
    before = fitted.get("description")
    fitted["description"] = f"{before} {words}." if isinstance(before, str) else f"{words}."
