"""Where an answer's type is no object: models answer by calling a tool, whose input is always one."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json

STRUCTURED_OUTPUT = "StructuredOutput"
"""The tool whose input is the answer."""
WRAPPED = "answer"
"""The only property of the object that is put around an answer."""
_TITLE = "The answer, in an object of its own"


def wrap_schema(schema: Mapping[str, Json]) -> dict[str, Json]:
    """Return the schema of an object that holds nothing but a value of `schema`."""
    return {
        "title": _TITLE,
        "type": "object",
        "properties": {WRAPPED: schema},
        "required": [WRAPPED],
        "additionalProperties": False,
    }


def is_wrapped(schema: object) -> bool:
    """Return whether `wrap_schema` made it."""
    return (
        isinstance(schema, Mapping)
        and schema.get("title") == _TITLE
        and list(schema.get("properties", ())) == [WRAPPED]
    )
