"""What a model is asked for, as one thing that gives the schema, judges proposals and makes values of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cached_property
from typing import Annotated, Any, Literal, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    create_model,
)
from pydantic_core import PydanticSerializationError

from pytest_workflow_exec.ai._unaskable import unaskable
from pytest_workflow_exec.approval import escape_line
from pytest_workflow_exec.bounded_matching import full_match
from pytest_workflow_exec.digests import Json, canonical_json, digest_of
from pytest_workflow_exec.errors import EndlessMatchError, ValueRefusedError, WorkflowExecError
from pytest_workflow_exec.evidence import refuse_unkeepable
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import InputSpec

MAX_ANSWER_BYTES = 1 << 20
"""A longer proposal is refused: somebody has to read what comes of it."""
_MAX_ERRORS = 20
_MAX_ERROR_CHARACTERS = 400
_TAKEN = "outcome"


class AnswerKindError(WorkflowExecError):
    """A model can't be asked for values of a type."""


@dataclass(frozen=True)
class AnswerKind:
    """A type of answers."""

    name: str
    """As its author calls it."""
    adapter: TypeAdapter[Any]
    schema: Mapping[str, Json] = field(hash=False)

    @classmethod
    def of(cls, annotation: object, *, name: str) -> AnswerKind:
        """Return the kind of answers that a pydantic model or another annotation stands for.

        Raises:
            AnswerKindError: Nobody can be asked for that, with the reason.
        """
        if inspect.isroutine(annotation):
            # pydantic would take a function's parameters for a type, and call it.
            raise AnswerKindError(f"a model can't be asked for {name}: it is a function, not a type")
        try:
            adapter = TypeAdapter[Any](cast("Any", annotation))
            schema = cast("Mapping[str, Json]", adapter.json_schema(mode="validation"))
            canonical_json(schema)
            reason = unaskable(adapter, schema)
        except Exception as error:  # a type is its author's code, and may raise anything
            said = str(error).partition("\n")[0] or type(error).__name__
            raise AnswerKindError(f"a model can't be asked for {name}: {escape_line(said)}") from error
        if reason is not None:
            raise AnswerKindError(f"a model can't be asked for {name}: {reason}")
        return cls(name=name, adapter=adapter, schema=schema)

    @cached_property
    def schema_digest(self) -> str:
        """SHA-256 of the schema, in hex."""
        return digest_of(self.schema)

    def problems(self, value: Json) -> tuple[str, ...]:
        """Return what is wrong with a proposal, one message each; none if it is a value of this kind."""
        try:
            spelled = canonical_json(value)
        except (TypeError, ValueError, RecursionError) as error:
            return (f"it is no JSON: {escape_line(str(error), max_chars=_MAX_ERROR_CHARACTERS)}",)
        if len(spelled) > MAX_ANSWER_BYTES:
            return (f"it has {len(spelled)} bytes, and {MAX_ANSWER_BYTES} are the most",)
        try:
            refuse_unkeepable(value, "answer")
            outputs = self._outputs(spelled)
            refuse_unkeepable(outputs, "answer")
        except ValidationError as error:
            return tuple(_said(error))
        except (ValueRefusedError, PydanticSerializationError, TypeError, ValueError, RecursionError) as error:
            return (escape_line(str(error), max_chars=_MAX_ERROR_CHARACTERS),)
        if _TAKEN in outputs:
            return (f"it has a key {_TAKEN!r}, which is the name of something else here: leave it out",)
        return ()

    def instance(self, value: Json) -> object:
        """Return the accepted value as its type has it."""
        made: object = self.adapter.validate_json(canonical_json(value))
        return made

    def outputs(self, value: Json) -> Mapping[str, Json]:
        """Return the accepted value as the outputs of a step: what its type computes is in them, too."""
        return self._outputs(canonical_json(value))

    def _outputs(self, spelled: str) -> Mapping[str, Json]:
        # As JSON, so that dates and decimals may be texts, and what JSON has no types for is judged as declared.
        made = self.adapter.dump_python(self.adapter.validate_json(spelled), mode="json", by_alias=False)
        canonical_json(made)
        return made if isinstance(made, Mapping) else {"value": made}


def kind_of_form(fields: Iterable[InputSpec], *, name: str) -> AnswerKind:
    """Return the kind of answers that fields of a form stand for."""
    made = cast("dict[str, Any]", {each.name: _field(each) for each in fields})
    model: type[BaseModel] = create_model("Answer", __config__=ConfigDict(extra="forbid", strict=True), **made)
    return AnswerKind.of(model, name=name)


_TYPES: Mapping[str, object] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "list": list[str],
}


def _field(spec: InputSpec) -> tuple[object, object]:
    kind: Any = Literal[spec.values] if spec.type == "enum" else _TYPES[spec.type]
    said = spec.description
    if spec.pattern is not None:
        # In words: what a regular expression means differs between Python and what checks a JSON Schema.
        said = f"{said} It must match the whole of {spec.pattern}".strip()
        kind = Annotated[kind, AfterValidator(_Matching(spec.pattern))]
    default = spec.default
    plain = list(default) if isinstance(default, tuple) else default
    return kind, Field(... if plain is None else plain, description=said or None)


@dataclass(frozen=True)
class _Matching:
    pattern: str

    def __call__(self, text: str) -> str:
        try:
            matched = full_match(self.pattern, text)
        except EndlessMatchError as error:
            raise ValueError(str(error)) from error
        if matched is None:
            message = f"must match the whole of {self.pattern}"
            raise ValueError(message)
        return text


def _said(error: ValidationError) -> Iterable[str]:
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    for detail in errors[:_MAX_ERRORS]:
        place = ".".join(map(str, detail["loc"]))
        message = f"{place}: {detail['msg']}" if place else detail["msg"]
        # A key is the model's own word, and a message may quote one.
        yield escape_line(message, max_chars=_MAX_ERROR_CHARACTERS)
    if len(errors) > _MAX_ERRORS:
        yield f"and {len(errors) - _MAX_ERRORS} more"
