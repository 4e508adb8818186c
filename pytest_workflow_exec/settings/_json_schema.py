"""The JSON Schema of `workflow-exec.toml`, made of the models that read it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lazy_models import Later

from . import _file, _limits, _tables
from ._key_texts import KEY_TEXTS

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_Schema: TypeAlias = dict[str, Any]
"""A schema under construction: pydantic's own type for one."""

_TEXTS: _Schema = {"type": "array", "items": {"type": "string"}}
_TEXT_OR_TEXTS: _Schema = {"anyOf": [{"type": "string", "minLength": 1}, _TEXTS]}

_LIMITS: Mapping[object, _Schema] = {
    _limits._size: {"type": "string", "pattern": f"^{_limits._SIZE.pattern}$"},  # noqa: SLF001
    _limits._seconds: {"type": "string", "pattern": "^[0-9dhms.]+$"},  # noqa: SLF001
    _limits._count: {"type": "integer", "minimum": 1},  # noqa: SLF001
}
"""What is read by these functions, which all know a word for no limit."""


def made_of_models() -> Mapping[str, Json]:
    """Return the JSON Schema (2020-12) of a `workflow-exec.toml`."""
    whole = _renamed(_file._File.model_json_schema(schema_generator=_Generator))  # noqa: SLF001 - the other half of it
    defs = whole.pop("$defs")
    for name, table in {"File": whole, **defs}.items():
        table["title"] = name
        for key, said in table["properties"].items():
            text = KEY_TEXTS.get(name, {}).get(key)
            table["properties"][key] = {**({} if text is None else {"description": text}), **said}
    title = "Configuration of pytest-workflow-exec"
    return {"$schema": DIALECT, **whole, "title": title, "$defs": {name: defs[name] for name in sorted(defs)}}


class _Generator(GenerateJsonSchema):
    """Says what may be written, where pydantic would say what comes of it."""

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> _Schema:
        function: object = schema["function"]["function"]
        if isinstance(function, Later):
            function.model.model_rebuild()
            return self.generate_inner(function.model.__pydantic_core_schema__)
        # Examples and arguments are a text, or a list of them.
        return dict(_TEXT_OR_TEXTS)

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> _Schema:
        inner = self.generate_inner(schema["schema"])
        if schema["function"]["function"] in _LIMITS:
            return {"anyOf": [dict(_LIMITS[schema["function"]["function"]]), {"const": _limits.NO_LIMIT}]}
        if schema["function"]["function"] in (_tables.as_list, _tables.as_programs):
            return {"anyOf": [{"type": "string", "minLength": 1}, inner]}
        return inner

    def nullable_schema(self, schema: core_schema.NullableSchema) -> _Schema:
        # TOML has no null.
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> _Schema:
        inner, default = self.generate_inner(schema["schema"]), schema.get("default")
        said = isinstance(default, bool) or (isinstance(default, (str, list)) and default)
        return {**inner, "default": default} if said and "$ref" not in inner else inner


def _renamed(value: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a part of the schema with names of models as everybody sees them, and no titles made of keys."""
    if isinstance(value, dict):
        return {
            key.lstrip("_"): item.replace("/_", "/") if key == "$ref" else _renamed(item)
            for key, item in value.items()
            if key != "title" or not isinstance(item, str)
        }
    return [_renamed(item) for item in value] if isinstance(value, list) else value
