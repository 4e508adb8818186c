"""Reading a value as a type: what the annotation of a field says, made into functions once."""

from __future__ import annotations

import re
import types
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from ._errors import Complaint, Detail, Place
from ._marks import (
    UNSET,
    AfterValidator,
    BeforeValidator,
    FieldMark,
    PlainValidator,
    StringConstraints,
)

if TYPE_CHECKING:
    from ._model import Model

Reader: TypeAlias = Callable[[Any, Place, "list[Detail]"], Any]
"""Returns what a value is, or `UNSET` after adding what is wrong with it."""

_UNIONS = (Union, types.UnionType)
_NAMES: Mapping[type, str] = {list: "List", dict: "Dictionary"}


def reader_of(  # noqa: PLR0911  # one for each form of a type
    annotation: Any,  # noqa: ANN401  # any annotation
    read_model: Callable[[type[Model]], Reader],
) -> Reader:
    """Return what reads values of that type.

    Args:
        read_model: Returns what reads the data of another model.

    Raises:
        TypeError: The annotation is none that is known here.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _marked(annotation, read_model)
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if origin in _UNIONS:
        return _union({each: reader_of(each, read_model) for each in arguments if each is not type(None)}, arguments)
    if origin is Literal and all(type(each) is str for each in arguments):
        return _literal(arguments)
    if origin is list:
        return _list(reader_of(arguments[0], read_model))
    if origin is dict:
        return _dict(reader_of(arguments[0], read_model), reader_of(arguments[1], read_model))
    if isinstance(annotation, type) and hasattr(annotation, "read_model"):
        return read_model(annotation)
    raise TypeError(f"a lean model can't read {annotation!r}")


def complain(
    details: list[Detail],
    kind: str,
    place: Place,
    message: str,
    value: object,
    **named: object,
) -> Any:  # noqa: ANN401  # returned for a value of any type
    """Add what is wrong with a value, and return that there is none."""
    details.append(Detail(type=kind, loc=place, msg=message, input=value, ctx=named))
    return UNSET


def asked(function: Callable[..., object], value: object, place: Place, details: list[Detail], *more: object) -> Any:  # noqa: ANN401
    """Return what a validator makes of a value."""
    try:
        return function(value, *more)
    except Complaint as error:
        return complain(details, error.kind, place, str(error), value, **error.named)
    except ValueError as error:
        return complain(details, "value_error", place, f"Value error, {error}", value, error=error)


def _any(value: object, _place: Place, _details: list[Detail]) -> object:
    return value


def _text(value: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
    if isinstance(value, str):
        return str(value)
    return complain(details, "string_type", place, "Input should be a valid string", value)


def _whole(value: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    return complain(details, "int_type", place, "Input should be a valid integer", value)


def _number(value: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            return float(value)
        except OverflowError:
            pass
    return complain(details, "float_type", place, "Input should be a valid number", value)


def _flag(value: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
    if isinstance(value, bool):
        return value
    return complain(details, "bool_type", place, "Input should be a valid boolean", value)


_PLAIN: Mapping[Any, Reader] = {object: _any, str: _text, int: _whole, float: _number, bool: _flag}


def _literal(words: Sequence[str]) -> Reader:
    *most, last = [repr(word) for word in words]
    expected = f"{', '.join(most)} or {last}" if most else last
    known = {word: word for word in words}

    def read(value: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
        if isinstance(value, str) and value in known:
            return known[value]
        return complain(details, "literal_error", place, f"Input should be {expected}", value, expected=expected)

    return read


def _list(item: Reader) -> Reader:
    def read(value: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
        if not isinstance(value, list):
            return complain(details, "list_type", place, "Input should be a valid list", value)
        before = len(details)
        items = [item(each, (*place, at), details) for at, each in enumerate(value)]
        return items if len(details) == before else UNSET

    return read


def _dict(key: Reader, item: Reader) -> Reader:
    def read(value: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
        if not isinstance(value, dict):
            return complain(details, "dict_type", place, "Input should be a valid dictionary", value)
        before, items = len(details), {}
        for name, each in value.items():
            here = (*place, name if isinstance(name, (str, int)) else str(name))
            known = key(name, (*here, "[key]"), details)
            kept = item(each, here, details)
            if known is not UNSET and kept is not UNSET:
                items[known] = kept
        return items if len(details) == before else UNSET

    return read


def _union(readers: Mapping[Any, Reader], alternatives: Sequence[object]) -> Reader:
    nothing = type(None) in alternatives
    if len(readers) == 1:
        [only] = readers.values()
        return lambda value, place, details: None if nothing and value is None else only(value, place, details)

    def read(value: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
        if nothing and value is None:
            return None
        found: list[Detail] = []
        for each, read_as in readers.items():
            taken = read_as(value, (*place, _name(each)), found)
            if taken is not UNSET:
                return taken
        details += found
        return UNSET

    return read


def _name(alternative: Any) -> str:  # noqa: ANN401
    return alternative.__name__ if type(alternative) is type else str(alternative).replace(" ", "")


def _marked(annotation: Any, read_model: Callable[[type[Model]], Reader]) -> Reader:  # noqa: ANN401
    plain, *marks = get_args(annotation)
    # What a plain validator judges, nothing else looks at.
    judged = any(isinstance(mark, PlainValidator) for mark in marks)
    read = _any if judged else reader_of(plain, read_model)
    for mark in marks:
        read = _under(mark, read)
    return read


def _under(mark: object, read: Reader) -> Reader:
    if isinstance(mark, (BeforeValidator, PlainValidator)):
        return _before(mark.func, read)
    if isinstance(mark, AfterValidator):
        return _then(read, lambda value, place, details: asked(mark.func, value, place, details))
    if isinstance(mark, StringConstraints):
        return _then(read, _constrained(mark))
    if isinstance(mark, FieldMark):
        return _then(read, _limited(mark)) if (mark.min_length, mark.ge, mark.le) != (None, None, None) else read
    raise TypeError(f"a lean model does not know {mark!r}")


def _before(function: Callable[[Any], object], read: Reader) -> Reader:
    def reading(value: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
        made = asked(function, value, place, details)
        return UNSET if made is UNSET else read(made, place, details)

    return reading


def _then(read: Reader, judge: Reader) -> Reader:
    def reading(value: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
        known = read(value, place, details)
        # Nothing is limited where nothing may stand.
        return known if known is UNSET or known is None else judge(known, place, details)

    return reading


def _constrained(mark: StringConstraints) -> Reader:
    least, most = mark.min_length or 0, mark.max_length
    pattern = None if mark.pattern is None else re.compile(_to_the_very_end(mark.pattern))

    def judge(value: str, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
        if len(value) < least:
            message = f"String should have at least {_count(least, 'character')}"
            return complain(details, "string_too_short", place, message, value, min_length=least)
        if most is not None and len(value) > most:
            message = f"String should have at most {_count(most, 'character')}"
            return complain(details, "string_too_long", place, message, value, max_length=most)
        if pattern is not None and pattern.search(value) is None:
            message = f"String should match pattern '{mark.pattern}'"
            return complain(details, "string_pattern_mismatch", place, message, value, pattern=mark.pattern)
        return value

    return judge


def _to_the_very_end(pattern: str) -> str:
    return f"{pattern[:-1]}\\Z" if pattern.endswith("$") and not pattern.endswith("\\$") else pattern


def _limited(mark: FieldMark) -> Reader:
    least, low, high = mark.min_length, mark.ge, mark.le

    def judge(value: Any, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401
        if least is not None and len(value) < least:
            kind = _NAMES[type(value)]
            message = f"{kind} should have at least {_count(least, 'item')} after validation, not {len(value)}"
            named = {"field_type": kind, "min_length": least, "actual_length": len(value)}
            return complain(details, "too_short", place, message, value, **named)
        # Asked so that what is no number fits nowhere.
        if high is not None and not value <= high:
            message = f"Input should be less than or equal to {high}"
            return complain(details, "less_than_equal", place, message, value, le=high)
        if low is not None and not value >= low:
            message = f"Input should be greater than or equal to {low}"
            return complain(details, "greater_than_equal", place, message, value, ge=low)
        return value

    return judge


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
