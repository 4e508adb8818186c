"""Types that pydantic knows and no model can be asked for: found in pydantic's own picture of them, before asking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

from pydantic import TypeAdapter

from pytest_workflow_exec.digests import Json

_NOT_IN_JSON = {
    "is-subclass": "it holds a class, and JSON has none",
    "callable": "it holds a function, and JSON has none",
    "generator": "it holds an iterable whose items are checked only when they are used; ask for a list",
}
_NO_KEYS = frozenset(
    {"tuple", "list", "set", "frozenset", "dict", "model", "model-fields", "typed-dict", "dataclass", "dataclass-args"}
)
_OUTCOME = "outcome"


def unaskable(adapter: TypeAdapter[object], schema: Mapping[str, Json]) -> str | None:
    """Return why nobody can be asked for a type, or None if somebody can.

    Args:
        schema: Its JSON Schema, for what is proposed.
    """
    if any(each.get("writeOnly") is True for each in _parts_of(schema)):
        return "it holds a secret, which would be gone after its round trip through JSON; a model is told no secret"
    for part in _parts_of(adapter.core_schema):
        kind = part.get("type")
        if isinstance(kind, str) and kind in _NOT_IN_JSON:
            return _NOT_IN_JSON[kind]
        keys = part.get("keys_schema") if kind == "dict" else None
        if isinstance(keys, Mapping) and keys.get("type") in _NO_KEYS:
            return "it holds a mapping whose keys are no texts, and JSON has no other keys"
    # What it computes is an output, too.
    left = cast("Mapping[str, Json]", adapter.json_schema(mode="serialization", by_alias=False))
    if any(_OUTCOME in _fields_of(each) for each in (schema, left)):
        return "each step has a value 'outcome'; rename the field"
    return None


def _fields_of(schema: Mapping[str, Json]) -> Mapping[str, Json]:
    definitions, reference = schema.get("$defs"), schema.get("$ref")
    if isinstance(reference, str) and isinstance(definitions, Mapping):
        root = definitions.get(reference.rpartition("/")[2])
        schema = root if isinstance(root, Mapping) else schema
    fields = schema.get("properties")
    return fields if isinstance(fields, Mapping) else {}


def _parts_of(schema: object) -> Iterator[Mapping[str, object]]:
    """Give every mapping in a picture of a type, however it is nested; what refers to itself does so by name."""
    waiting: list[object] = [schema]
    seen: set[int] = set()
    while waiting:
        part = waiting.pop()
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, Mapping):
            yield cast("Mapping[str, object]", part)
            waiting.extend(part.values())
        elif isinstance(part, (list, tuple)):
            waiting.extend(part)
