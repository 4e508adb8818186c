"""The same models as pydantic's, for whoever wants what only it can make of them: a JSON Schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Union, get_args, get_origin

import pydantic

from ._marks import (
    UNSET,
    AfterValidator,
    BeforeValidator,
    FieldMark,
    PlainValidator,
    StringConstraints,
)
from ._model import FieldInfo, Model


class _Strict(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, strict=True)


_MADE: dict[type[Model], type[pydantic.BaseModel]] = {}


def as_pydantic(model: type[Model]) -> type[pydantic.BaseModel]:
    """Return the model as one of pydantic's, with the same names, defaults and validators; always the same one."""
    if model not in _MADE:
        _MADE[model] = _made(model)
    return _MADE[model]


def _made(model: type[Model]) -> type[pydantic.BaseModel]:
    fields: dict[str, Any] = {name: _declared(field) for name, field in model.model_fields.items()}
    judges: dict[str, Any] = {
        judge: pydantic.field_validator(field)(classmethod(getattr(model, judge).__func__))
        for field, judge in model.__lean_validators__.items()
    }
    return pydantic.create_model(
        model.__name__, __base__=_Strict, __doc__=model.__doc__, __validators__=judges, **fields
    )


def _declared(field: FieldInfo) -> tuple[Any, Any]:
    if field.make is not None:
        other: Any = field.make
        make = as_pydantic(other) if isinstance(other, type) and issubclass(other, Model) else other
        return _annotation(field.annotation), pydantic.Field(default_factory=make)
    return _annotation(field.annotation), ... if field.default is UNSET else field.default


def _annotation(annotation: Any) -> Any:  # noqa: ANN401  # any annotation
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        plain, *marks = arguments
        return _annotated(_annotation(plain), [_mark(mark) for mark in marks])
    if origin in (list, dict, tuple):
        return origin[tuple(map(_annotation, arguments))]
    if type(None) in arguments or origin is Union:
        return Union[tuple(map(_annotation, arguments))]  # noqa: UP007  # made at run time
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return as_pydantic(annotation)
    return annotation


def _annotated(plain: Any, marks: list[object]) -> Any:  # noqa: ANN401
    made = (plain, *marks)
    return Annotated[made]


def _mark(mark: object) -> object:
    if isinstance(mark, BeforeValidator):
        return pydantic.BeforeValidator(mark.func)
    if isinstance(mark, AfterValidator):
        return pydantic.AfterValidator(mark.func)
    if isinstance(mark, PlainValidator):
        return pydantic.PlainValidator(mark.func)
    if isinstance(mark, StringConstraints):
        return pydantic.StringConstraints(**_said(mark._asdict()))
    if isinstance(mark, FieldMark):
        return pydantic.Field(**_said(mark._asdict()))
    raise TypeError(f"pydantic is not told of {mark!r}")


def _said(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value not in (None, UNSET, False)}
