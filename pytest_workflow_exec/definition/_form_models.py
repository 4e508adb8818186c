"""A form that is given as a pydantic model: its fields, as a mapping would declare them."""

from __future__ import annotations

import enum
import types
from collections.abc import Mapping
from typing import Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

_TYPES: Mapping[object, str] = {str: "string", int: "integer", float: "number", bool: "boolean"}
_KNOWN_LIMITS = frozenset({"pattern"})


class FormModelError(ValueError):
    """A model asks for something that a form can't; the message continues "form ..."."""


def declared_by(model: type) -> Mapping[str, object]:
    """Return what a mapping would say for the same fields.

    Raises:
        FormModelError: It is no model, or checks more than a form can: what it would refuse, a person could fill in.
    """
    if not issubclass(model, BaseModel):
        raise FormModelError(f"{model.__name__} is no pydantic model")
    decorators = model.__pydantic_decorators__
    if decorators.field_validators or decorators.validators or decorators.model_validators:
        raise FormModelError(f"{model.__name__} has validators of its own, which can't be used")
    return {name: _declared(name, field) for name, field in model.model_fields.items()}


def _declared(name: str, field: FieldInfo) -> Mapping[str, object]:
    said: dict[str, object] = _type(name, field.annotation)
    if field.default_factory is not None:
        raise FormModelError(f"field {name!r} has a default_factory, which can't be used; write a default")
    if field.description:
        said["description"] = field.description
    if not field.is_required():
        said["default"] = field.default.value if isinstance(field.default, enum.Enum) else field.default
    for limit in field.metadata:
        said |= _limit(name, limit)
    return said


def _type(name: str, annotation: object) -> dict[str, object]:
    if annotation in _TYPES:
        return {"type": _TYPES[annotation]}
    if get_origin(annotation) in (list, tuple) and get_args(annotation) in ((str,), (str, ...)):
        return {"type": "list"}
    choices: tuple[object, ...] = ()
    if get_origin(annotation) is Literal:
        choices = get_args(annotation)
    elif _is_class(annotation) and issubclass(annotation, enum.Enum):
        choices = tuple(member.value for member in annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        return {"type": "enum", "values": list(choices)}
    raise FormModelError(
        f"field {name!r} is of type {_spelled(annotation)}; a form asks for str, int, float, bool, list[str] or a "
        f"Literal of texts"
    )


def _spelled(annotation: object) -> str:
    if get_origin(annotation) in (Union, types.UnionType):
        return " | ".join(map(_spelled, get_args(annotation)))
    return annotation.__name__ if _is_class(annotation) else repr(annotation)


def _is_class(annotation: object) -> TypeGuard[type]:
    # Python 3.10 takes `list[str]` for a class, too.
    return isinstance(annotation, type) and get_origin(annotation) is None


def _limit(name: str, limit: object) -> Mapping[str, object]:
    # pydantic keeps a pattern in an object whose attributes are its limits, others as objects of annotated-types.
    said = {key: value for key, value in vars(limit).items() if value is not None} if hasattr(limit, "__dict__") else {}
    if not said or said.keys() - _KNOWN_LIMITS or not isinstance(said.get("pattern"), str):
        raise FormModelError(f"field {name!r} has the limit {limit!r}; a form knows only a pattern")
    return said
