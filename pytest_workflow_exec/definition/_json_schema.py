"""The JSON Schema of workflow files, made of the models that read them: for editors, and for checks without pytest.

It never refuses what is read. It can't know what hangs on other parts of the file: references, rules, files.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, cast

from pydantic.json_schema import GenerateJsonSchema, models_json_schema
from pydantic_core import core_schema

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.durations import DURATION
from pytest_workflow_exec.lazy_models import Later

from . import (
    _schema,
    _schema_basics,
    _schema_blocks,
    _schema_commands,
    _schema_defaults,
    _schema_forms,
    _schema_inputs,
    _schema_people,
)
from ._belongings import KEYS_OF_KINDS
from ._key_texts import key_text
from ._names import MAX_NAME_LENGTH, STEP_ID, VALUE_NAME

DIALECT = "https://json-schema.org/draft/2020-12/schema"

_Schema: TypeAlias = dict[str, Any]
"""A schema under construction: pydantic's own type for one."""

_SCALAR = ["string", "number", "boolean", "null"]
"""Scalars are read as they are written, so that `3.10`, `true` and `null` are texts."""


def _anchored(pattern: re.Pattern[str]) -> str:
    # ECMAScript, which schemas are read with, spells named groups in another way.
    return f"^(?:{re.sub(r'[?]P<[a-z]+>', '', pattern.pattern)})$"


_TEXT: _Schema = {"type": _SCALAR}
_LINE: _Schema = {"type": _SCALAR, "pattern": r"\S"}
_NAME: _Schema = {
    "type": ["string", "boolean", "null"],
    "pattern": _anchored(STEP_ID),
    "maxLength": MAX_NAME_LENGTH,
}
_VALUE_NAMES: _Schema = {"pattern": _anchored(VALUE_NAME), "maxLength": MAX_NAME_LENGTH}
_DURATION: _Schema = {"type": "string", "pattern": f"^(?=.*[1-9]){_anchored(DURATION).removeprefix('^')}"}
_WHOLE: _Schema = {
    "anyOf": [{"type": "integer", "minimum": 0, "maximum": 999999999}, {"type": "string", "pattern": "^[0-9]{1,9}$"}]
}
_FLAG: _Schema = {"anyOf": [{"type": "boolean"}, {"enum": ["true", "false"]}]}
_AS_TEXTS: Mapping[Callable[..., object], _Schema] = {
    _schema_basics.as_text: _TEXT,
    _schema_basics.as_line: _LINE,
    _schema_basics.as_name: _NAME,
    _schema_basics.as_duration: _DURATION,
    _schema_basics.as_whole: _WHOLE,
    _schema_basics.as_flag: _FLAG,
}
"""What is read by these functions, whatever comes of it."""

_SHORT = "x-short-for"
_TABLES = (
    _schema.FileModel,
    _schema.StepModel,
    _schema_blocks.BlockModel,
    _schema_blocks.IncludeModel,
    _schema_blocks.FragmentModel,
    _schema_inputs.InputModel,
    _schema_inputs.DefaultModel,
    _schema_inputs.DefaultEnvModel,
    _schema_defaults.DefaultsModel,
    _schema_commands.JsonMatchModel,
)
"""What stands in a file; the rest is reached from these."""


def _ref(name: str) -> _Schema:
    return {"$ref": f"#/$defs/{name}"}


def _either(key: str, name: str, otherwise: _Schema) -> _Schema:
    return {"if": {"required": [key]}, "then": _ref(name), "else": otherwise}


def _by_name(schema: _Schema, **more: int) -> _Schema:
    return {"type": "object", "propertyNames": _VALUE_NAMES, "additionalProperties": schema, **more}


_WORKFLOW = {
    "title": "Workflow of pytest-workflow-exec",
    "description": "A workflow: steps that pytest runs in order.",
}
_FRAGMENT = {
    "title": "Fragment of pytest-workflow-exec",
    "description": "Steps that workflows include: a file whose name begins with an underscore.",
}
_ANY_VALUE: _Schema = {"type": [*_SCALAR, "array"]}
_STEPS: _Schema = {"type": "array", "minItems": 1, "items": _ref("Entry")}
_PIECES: Mapping[tuple[str, str], _Schema] = {
    ("File", "inputs"): _by_name(_ref("Input")),
    ("File", "vars"): _by_name(_TEXT),
    ("File", "defaults"): _ref("Defaults"),
    ("Fragment", "inputs"): _by_name(_ref("Input")),
    ("Fragment", "vars"): _by_name(_TEXT),
    ("Fragment", "defaults"): _ref("Defaults"),
    ("Fragment", "outputs"): _by_name(_TEXT),
    ("File", "outputs"): _by_name(_TEXT),
    ("Fragment", "steps"): _STEPS,
    ("Fragment", "finally"): _STEPS,
    ("File", "steps"): _STEPS,
    ("File", "finally"): _STEPS,
    ("Block", "steps"): _STEPS,
    ("Block", "finally"): _STEPS,
    ("Block", "foreach"): _by_name(_ANY_VALUE, minProperties=1),
    ("Step", "foreach"): _by_name(_ANY_VALUE, minProperties=1),
    ("Include", "foreach"): _by_name(_ANY_VALUE, minProperties=1),
    ("Step", "outputs"): _by_name(_ref("Output")),
    ("Gate", "form"): _by_name(_ref("FormField"), minProperties=1),
    ("Manual", "form"): _by_name(_ref("FormField"), minProperties=1),
    ("Ai", "output"): {"anyOf": [_LINE, _by_name(_ref("FormField"), minProperties=1)]},
    ("Step", "evidence"): {
        "anyOf": [
            {"type": "array", "minItems": 1, "items": _LINE},
            {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_.]*:[A-Za-z_][A-Za-z0-9_]*$"},
        ]
    },
    ("Session", "output"): {"anyOf": [_LINE, _by_name(_ref("FormField"), minProperties=1)]},
    ("Input", "default"): {"anyOf": [_ANY_VALUE, _ref("Default"), _ref("DefaultEnv")]},
    ("Expect", "json"): {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"anyOf": [_ANY_VALUE, {**_ref("JsonMatch"), "minProperties": 1}]},
    },
}
"""What is read piece by piece, and not by the model that it stands in."""


def made_of_models(*, fragment: bool) -> Mapping[str, Json]:
    """Return the JSON Schema (2020-12) of a workflow in YAML, or of a fragment that workflows include."""
    models = [(model, "validation") for model in _TABLES]
    _, whole = models_json_schema(cast("Any", models), schema_generator=_Generator)
    defs = {name.removesuffix("Model"): table for name, table in _renamed(whole["$defs"]).items()}
    _shorten(defs)
    for name, table in defs.items():
        _finish(name, table)
    _say_kinds(defs["Step"])
    defs["FormField"] = _form_field(defs["Input"])
    # Said by a condition, so that an editor complains of what is wrong in a step, not that it is no block.
    defs["Entry"] = _either("include", "Include", _either("steps", "Block", _ref("Step")))
    file, part = defs.pop("File"), defs.pop("Fragment")
    root = {**part, **_FRAGMENT} if fragment else {**file, **_WORKFLOW}
    return {"$schema": DIALECT, **root, "$defs": {name: defs[name] for name in sorted(defs)}}


class _Generator(GenerateJsonSchema):
    """Says what may be written, where pydantic would say what comes of it."""

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> _Schema:
        function, inner = schema["function"]["function"], schema["schema"]
        if function in _AS_TEXTS:
            return copy.deepcopy(_AS_TEXTS[function])
        if isinstance(function, _schema_forms.Short):
            return {_SHORT: function.key, "anyOf": [self.generate_inner(inner)]}
        if function is _schema_defaults.as_attempts:
            return {_SHORT: "attempts", "anyOf": [self.generate_inner(inner)]}
        if function is _schema_commands._match:  # noqa: SLF001
            return {"anyOf": [_TEXT, {**self.generate_inner(inner), "minProperties": 1}]}
        if function is _schema_people._required:  # noqa: SLF001
            return {"anyOf": [_WHOLE, {"type": "object", "minProperties": 1, "additionalProperties": _WHOLE}]}
        return self.generate_inner(inner)

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> _Schema:
        function: object = schema["function"]["function"]
        if not isinstance(function, Later):
            return super().function_plain_schema(schema)
        function.model.model_rebuild()
        return self.generate_inner(function.model.__pydantic_core_schema__)

    def nullable_schema(self, schema: core_schema.NullableSchema) -> _Schema:
        # A file can't say None: a `null` in it is a text.
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> _Schema:
        inner, default = self.generate_inner(schema["schema"]), schema.get("default")
        said = isinstance(default, bool) or (isinstance(default, (str, int, list)) and default)
        return {**inner, "default": default} if said and "$ref" not in inner else inner


def _finish(name: str, table: _Schema) -> None:
    """Add to one model's schema what pydantic does not know."""
    table["title"] = name
    for key, said in table.get("properties", {}).items():
        if (name, key) in _PIECES:
            said.pop("type", None)
            said.pop("items", None)
            said.update(copy.deepcopy(_PIECES[name, key]))
        text = key_text(name, key)
        if text is not None:
            table["properties"][key] = {"description": text, **said}


def _shorten(defs: Mapping[str, _Schema]) -> None:
    """Let short forms be what the key that they stand for may be."""
    for table in defs.values():
        for key, said in table.get("properties", {}).items():
            short = said.pop(_SHORT, None)
            if short is not None:
                [whole] = said["anyOf"]
                target = defs[whole["$ref"].rsplit("/", 1)[-1]]
                table["properties"][key]["anyOf"] = [copy.deepcopy(target["properties"][short]), whole]


def _say_kinds(step: _Schema) -> None:
    step["oneOf"] = [{"required": [kind]} for kind in _schema.KINDS]
    step["dependentSchemas"] = {
        key: {"anyOf": [{"required": [kind]} for kind in kinds]} for key, kinds in KEYS_OF_KINDS.items()
    }


def _form_field(declared: _Schema) -> _Schema:
    said = copy.deepcopy(declared)
    choices = {**said["properties"]["values"], "description": key_text("FormField", "enum")}
    said["properties"]["enum"] = choices
    return {**said, "title": "FormField", "description": "What a person is asked for."}


def _renamed(value: Any) -> Any:  # noqa: ANN401 - any part of a schema
    """Return a part of the schema with references by our names, and no titles made of keys."""
    if isinstance(value, dict):
        return {
            key: item.removesuffix("Model") if key == "$ref" else _renamed(item)
            for key, item in value.items()
            if key != "title" or not isinstance(item, str)
        }
    return [_renamed(item) for item in value] if isinstance(value, list) else value
