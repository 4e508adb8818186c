"""The class that models derive from: fields with their defaults, read strictly, never changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    ClassVar,
    NamedTuple,
    NoReturn,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from ._errors import Detail, Place, ValidationError
from ._marks import UNSET, FieldMark
from ._readers import Reader, asked, complain, reader_of

if TYPE_CHECKING:
    from typing_extensions import Self

_M = TypeVar("_M", bound="Model")


class FieldInfo(NamedTuple):
    """One field of a model."""

    alias: str | None
    """Its key in the data, where that is not its name."""
    annotation: Any
    default: Any
    """A value, or `UNSET` for a field that must be given."""
    make: Callable[[], object] | None
    """Makes the default, where it is none that can stand in the class."""
    validate_default: bool

    @property
    def required(self) -> bool:
        """Whether it must be given."""
        return self.default is UNSET and self.make is None

    def get_default(self) -> Any:  # noqa: ANN401  # of the field's type
        """Return what it is when it is not given."""
        return self.default if self.make is None else self.make()


class Others(NamedTuple):
    """What a validator of a field may know: the fields before it that are what they should be."""

    data: Mapping[str, Any]


class _Slot(NamedTuple):
    name: str
    key: str
    read: Reader
    field: FieldInfo


class _OfClass:
    """Something of a class that is found out when it is first asked for, and for each class anew."""

    def __init__(self, find: Callable[[type[Model]], Any]) -> None:
        self._find, self._found = find, dict[type, Any]()

    def __get__(self, instance: object, owner: type[Model]) -> Any:  # noqa: ANN401  # whatever it is
        if owner not in self._found:
            self._found[owner] = self._find(owner)
        return self._found[owner]


def _fields(model: type[Model]) -> Mapping[str, FieldInfo]:
    hints = get_type_hints(model, include_extras=True)
    return {
        name: _field(model, name, hint)
        for name, hint in hints.items()
        if get_origin(hint) is not ClassVar and hint is not ClassVar
    }


def _field(model: type[Model], name: str, hint: Any) -> FieldInfo:  # noqa: ANN401
    default = model.__lean_defaults__.get(name, UNSET)
    marks = (
        [mark for mark in get_args(hint)[1:] if isinstance(mark, FieldMark)] if get_origin(hint) is Annotated else []
    )
    made = default if isinstance(default, FieldMark) else None
    return FieldInfo(
        alias=next((mark.alias for mark in marks if mark.alias is not None), None),
        annotation=hint,
        default=UNSET if made is not None else default,
        make=None if made is None else made.default_factory,
        validate_default=any(mark.validate_default for mark in marks),
    )


def _slots(model: type[Model]) -> tuple[_Slot, ...]:
    def reader(name: str, field: FieldInfo) -> Reader:
        read = reader_of(field.annotation, lambda other: other.read_model)
        judges = [judge for judged, judge in model.__lean_validators__.items() if judged == name]
        return _judged(read, getattr(model, judges[0])) if judges else read

    return tuple(
        _Slot(name, field.alias or name, reader(name, field), field) for name, field in model.model_fields.items()
    )


def _judged(read: Reader, judge: Callable[..., object]) -> Reader:
    knows_others = judge.__code__.co_argcount > 2  # noqa: PLR2004  # the class, the value, and they

    def reading(value: object, place: Place, details: list[Detail], others: Mapping[str, Any] | None = None) -> Any:  # noqa: ANN401
        known = read(value, place, details)
        if known is UNSET:
            return UNSET
        return asked(judge, known, place, details, *((Others(others or {}),) if knows_others else ()))

    reading.takes_others = True  # type: ignore[attr-defined]  # asked for below
    return reading


class Model:
    """A mapping with these keys and no others; every value is what it is, never converted.

    A field that was not given is looked up in the class, so a default is never changed, whoever holds it.
    """

    __lean_defaults__: ClassVar[Mapping[str, Any]] = {}
    __lean_validators__: ClassVar[Mapping[str, str]] = {}
    model_fields: ClassVar[Any] = _OfClass(_fields)
    """The fields by name, in the order of their declaration."""
    lean_slots: ClassVar[Any] = _OfClass(_slots)
    """The fields with what reads them."""

    def __init_subclass__(cls) -> None:
        """Take note of what the class says of its fields, and work out none of it yet."""
        own = vars(cls)
        said = {name: own[name] for name in own.get("__annotations__", {}) if name in own}
        judges = {
            plain.lean_field: name
            for name, member in own.items()
            if hasattr(plain := getattr(member, "__func__", member), "lean_field")
        }
        cls.__lean_defaults__ = {**cls.__lean_defaults__, **said}
        cls.__lean_validators__ = {**cls.__lean_validators__, **judges}
        for name, default in said.items():
            if isinstance(default, FieldMark):
                # Where it is not given, it is made.
                delattr(cls, name)

    def __init__(self, **data: object) -> None:
        _fill(self, *_read(type(self), data))

    @classmethod
    def model_validate(cls, data: object) -> Self:
        """Return the data as this model.

        Raises:
            ValidationError: It is not what the model declares.
        """
        details: list[Detail] = []
        made = cls.read_model(data, (), details)
        if details:
            raise ValidationError(cls.__name__, details)
        return made  # type: ignore[no-any-return]  # a reader returns any type

    @classmethod
    def read_model(cls, data: object, place: Place, details: list[Detail]) -> Any:  # noqa: ANN401  # it, or `UNSET`
        """Return the data as this model, or `UNSET` after adding what is wrong with it."""
        if isinstance(data, cls):
            return data
        if not isinstance(data, dict):
            message = f"Input should be a valid dictionary or instance of {cls.__name__}"
            return complain(details, "model_type", place, message, data, class_name=cls.__name__)
        before = len(details)
        values, given = _values(cls, data, place, details)
        return UNSET if len(details) > before else _fill(object.__new__(cls), values, given)

    @classmethod
    def model_construct(cls, **values: object) -> Self:
        """Return a model of these values, whatever they are."""
        return _fill(object.__new__(cls), {**_made(cls, values), **values}, frozenset(values))

    def model_copy(self, *, update: Mapping[str, object]) -> Self:
        """Return a copy with some fields changed to these values, whatever they are."""
        own = {name: value for name, value in vars(self).items() if name != "model_fields_set"}
        return _fill(object.__new__(type(self)), {**own, **update}, self.model_fields_set | update.keys())

    @property
    def model_fields_set(self) -> frozenset[str]:
        """The names of the fields that were given."""
        found: frozenset[str] = vars(self)["model_fields_set"]
        return found

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is never changed, nor is its {name!r}")

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and _all(self) == _all(other)

    def __hash__(self) -> int:
        # Of no value: those may be lists.
        return hash(type(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in _all(self).items())})"


def _read(model: type[Model], data: dict[Any, Any]) -> tuple[Mapping[str, object], frozenset[str]]:
    details: list[Detail] = []
    values, given = _values(model, data, (), details)
    if details:
        raise ValidationError(model.__name__, details)
    return values, given


def _values(
    model: type[Model], data: dict[Any, Any], place: Place, details: list[Detail]
) -> tuple[dict[str, Any], frozenset[str]]:
    values: dict[str, Any] = {}
    known, given = 0, []
    slots: tuple[_Slot, ...] = model.lean_slots
    others: dict[str, Any] | None = {} if model.__lean_validators__ else None
    for name, key, read, field in slots:
        if key in data:
            known += 1
            given.append(name)
            value = _value(read, data[key], (*place, key), details, others)
            if value is not UNSET:
                values[name] = value
        elif field.required:
            complain(details, "missing", (*place, key), "Field required", data)
            continue
        elif field.validate_default:
            value = _value(read, field.get_default(), (*place, key), details, others)
        elif field.make is not None:
            value = values[name] = field.make()
        else:
            value = field.default
        if others is not None and value is not UNSET:
            others[name] = value
    if known < len(data):
        _refuse_unknown({slot.key for slot in slots}, data, place, details)
    return values, frozenset(given)


def _value(read: Reader, value: object, place: Place, details: list[Detail], others: Mapping[str, Any] | None) -> Any:  # noqa: ANN401
    if others is not None and hasattr(read, "takes_others"):
        return read(value, place, details, others)  # type: ignore[call-arg]  # it does
    return read(value, place, details)


def _refuse_unknown(known: set[str], data: dict[Any, Any], place: Place, details: list[Detail]) -> None:
    for key, value in data.items():
        if not isinstance(key, str):
            here = (*place, key if isinstance(key, int) else str(key))
            complain(details, "invalid_key", here, "Keys should be strings", key)
        elif key not in known:
            complain(details, "extra_forbidden", (*place, key), "Extra inputs are not permitted", value)


def _made(model: type[Model], values: Mapping[str, object]) -> dict[str, object]:
    return {
        name: default.default_factory()
        for name, default in model.__lean_defaults__.items()
        if name not in values and isinstance(default, FieldMark) and default.default_factory is not None
    }


def _fill(made: _M, values: Mapping[str, object], given: frozenset[str]) -> _M:
    own = made.__dict__
    own.update(values)
    own["model_fields_set"] = given
    return made


def _all(model: Model) -> dict[str, object]:
    return {name: getattr(model, name, UNSET) for name in type(model).model_fields}
