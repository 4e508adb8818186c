"""What stands in `Annotated[...]` beside a type, and what a class says of its fields."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

_F = TypeVar("_F", bound=Callable[..., Any])

UNSET: Any = object()
"""What no value is."""


class BeforeValidator(NamedTuple):
    """Makes of a value what the type then judges."""

    func: Callable[[Any], object]


class AfterValidator(NamedTuple):
    """Has the last word on a value that the type accepts."""

    func: Callable[[Any], object]


class PlainValidator(NamedTuple):
    """Judges a value instead of the type."""

    func: Callable[[Any], object]


class StringConstraints(NamedTuple):
    """What a text must be."""

    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    """It may end in `$`, which is the very end of the text and not, as for `re`, a newline before it."""


class FieldMark(NamedTuple):
    """What `Field` says."""

    default: Any = UNSET
    default_factory: Callable[[], object] | None = None
    alias: str | None = None
    min_length: int | None = None
    ge: float | None = None
    le: float | None = None
    validate_default: bool = False


def Field(  # noqa: N802  # as pydantic calls it
    *,
    default_factory: Callable[[], object] | None = None,
    alias: str | None = None,
    min_length: int | None = None,
    ge: float | None = None,
    le: float | None = None,
    validate_default: bool = False,
) -> Any:  # noqa: ANN401  # it stands where a default of any type does
    """Return a mark of a field: its default, its key in the data, its limits."""
    return FieldMark(
        default_factory=default_factory,
        alias=alias,
        min_length=min_length,
        ge=ge,
        le=le,
        validate_default=validate_default,
    )


def field_validator(field: str) -> Callable[[_F], _F]:
    """Let a class method have the last word on a field, knowing what the fields before it are."""

    def marked(function: _F) -> _F:
        plain: Any = getattr(function, "__func__", function)
        plain.lean_field = field
        return function

    return marked
