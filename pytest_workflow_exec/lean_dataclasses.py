"""Dataclasses that cost little to define: `dataclass` as the standard library has it, its methods made when first used.

A run imports hundreds of them and makes instances of some. The standard one compiles six functions for each class at
once, which was a third of what the start of a run took.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from reprlib import recursive_repr
from types import MemberDescriptorType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

__all__ = ["dataclass", "field_names", "replace"]

_T = TypeVar("_T")
_MISSING: Any = dataclasses.MISSING
_FIELDS = "__dataclass_fields__"
_FROM_NOW_ON = 4
"""The instance of a class from which on its constructor is a compiled one."""
_NO_FIELDS = ("ClassVar", "InitVar", "KW_ONLY", "typing.", "dataclasses.")


class _Plain:
    """What the standard library says of a dataclass that it made nothing for."""


_PARAMS: Any = vars(dataclasses.dataclass(init=False, repr=False, eq=False)(_Plain))["__dataclass_params__"]

if TYPE_CHECKING:
    from dataclasses import dataclass, replace
else:

    def dataclass(
        cls: type[_T] | None = None,
        /,
        *,
        frozen: bool = False,
        slots: bool = False,
        kw_only: bool = False,
        eq: bool = True,
        init: bool = True,
    ) -> type[_T] | Callable[[type[_T]], type[_T]]:
        """Return a class as `dataclasses.dataclass` makes it.

        Its constructor is compiled by the first instance. `replace`, `fields` and `asdict` take its instances.
        """

        def made(plain: type[_T]) -> type[_T]:
            return _made(plain, frozen=frozen, slots=slots, kw_only=kw_only, eq=eq, init=init)

        return made if cls is None else made(cls)

    def replace(instance: _T, /, **changes: object) -> _T:
        """Return a copy with some fields changed, as `dataclasses.replace` makes it."""
        slots = _slots(type(instance))
        if slots is None or not changes.keys() <= slots.keys():
            return dataclasses.replace(instance, **changes)
        copied = object.__new__(type(instance))
        for name, slot in slots.items():
            slot.set(copied, changes[name] if name in changes else slot.get(instance))
        return copied


def _made(plain: type[_T], *, frozen: bool, slots: bool, kw_only: bool, eq: bool, init: bool) -> type[_T]:
    own = vars(plain)
    # Taken for one by the standard library if the class defines no `__hash__` itself, `__eq__` aside.
    hashes = own.get("__hash__") is not None
    # It would be made of the signature, which nobody has yet.
    added: dict[str, object] = {"__doc__": plain.__doc__ or plain.__name__}
    methods: dict[str, object] = {"__repr__": _repr}
    homes: list[Any] = []
    if init:
        methods["__init__"] = _first_init(homes, frozen=frozen)
    if eq:
        methods["__eq__"] = _eq
    if frozen:
        methods |= {"__setattr__": _refuse_setting, "__delattr__": _refuse_deleting}
    if frozen and slots:
        methods |= {"__getstate__": _state, "__setstate__": _set_state}
    added |= {name: method for name, method in methods.items() if name not in own}
    if eq and not hashes:
        added["__hash__"] = _hash if frozen else None  # as of all that can change
    if slots and all(isinstance(found, _LateFields) for found in _found_in(plain)):
        made = _with_slots(plain, added, kw_only=kw_only)
    else:
        for name, value in added.items():
            setattr(plain, name, value)
        made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(plain)
    # Another class than the plain one if it has slots.
    homes.append(made)
    return made


def _with_slots(plain: type[_T], added: Mapping[str, object], *, kw_only: bool) -> type[_T]:
    """Return the class made anew with slots, as the standard library has to do it, too, but at once with all it has."""
    late = _LateFields(plain, kw_only=kw_only)
    kept = {
        name: value
        for name, value in vars(plain).items()
        if name not in late.annotations and name not in ("__dict__", "__weakref__")
    }
    named = {
        "__qualname__": plain.__qualname__,
        "__slots__": late.slots,
        "__match_args__": late.positional,
        _FIELDS: late,
        "__dataclass_params__": _PARAMS,
        "__replace__": _replaced,
    }
    kind: Any = type(plain)
    made: type[_T] = kind(plain.__name__, plain.__bases__, {**named, **kept, **added})
    return made


class _LateFields:
    """What is read as `__dataclass_fields__`: the standard library's fields, made when somebody asks for them."""

    def __init__(self, plain: type, *, kw_only: bool) -> None:
        own = vars(plain)
        self.annotations: Mapping[str, Any] = plain.__annotations__
        self._inherited = tuple(found for found in _found_in(plain) if isinstance(found, _LateFields))
        self._defaults = {name: own[name] for name in self.annotations if name in own}
        self._kw_only = kw_only
        self._name, self._module = plain.__name__, plain.__module__
        self._made: Mapping[str, Any] | None = None
        if any(str(each).startswith(_NO_FIELDS) for each in self.annotations.values()):
            raise TypeError(f"{plain.__qualname__} has an annotation that is no field's: {', '.join(_NO_FIELDS)}")

    @property
    def slots(self) -> tuple[str, ...]:
        """The names that need a slot: those of inherited fields have one."""
        there = {name for each in self._inherited for name in each.annotations}
        return tuple(name for name in self.annotations if name not in there)

    @property
    def positional(self) -> tuple[str, ...]:
        """The names of fields that a pattern may match by their place."""
        said = any(isinstance(value, dataclasses.Field) for value in self._defaults.values())
        if self._kw_only and not said and not self._inherited:
            return ()
        return tuple(part.name for part in self.parts() if part.init and not part.kw_only)

    def parts(self) -> Sequence[dataclasses.Field[Any]]:
        """Return the fields as far as this module needs them, which costs less than those of the standard library."""
        parts = {part.name: part for each in reversed(self._inherited) for part in each.own_parts()}
        parts |= {part.name: part for part in self.own_parts()}
        return tuple(parts.values())

    def own_parts(self) -> Sequence[dataclasses.Field[Any]]:
        """Return those of them that the class itself states."""
        return [self._part(name) for name in self.annotations]

    def _part(self, name: str) -> dataclasses.Field[Any]:
        said = self._defaults.get(name, _MISSING)
        part: dataclasses.Field[Any] = said if isinstance(said, dataclasses.Field) else dataclasses.field(default=said)
        if part.default.__class__.__hash__ is None:
            raise ValueError(f"{self._name}.{name} has a default that all would share: use default_factory")
        part.name, part.type = name, self.annotations[name]
        if part.kw_only is _MISSING:
            part.kw_only = self._kw_only
        return part

    def __get__(self, instance: object, owner: type | None = None) -> Mapping[str, Any]:
        if self._made is None:
            parts = self.parts()
            annotations = {part.name: part.type for part in parts}
            stated = {part.name: part for part in parts}
            same = type(self._name, (), {"__module__": self._module, "__annotations__": annotations, **stated})
            standard: Any = dataclasses.dataclass(init=False, repr=False, eq=False)(same)
            self._made = standard.__dataclass_fields__
        return self._made


def field_names(kind: type) -> tuple[str, ...] | None:
    """Return the names of a dataclass's fields in their order; None for another class."""
    return _names(kind)


@cache
def _names(kind: Any) -> tuple[str, ...] | None:  # noqa: ANN401
    has_fields = any(_FIELDS in vars(each) for each in kind.__mro__)
    return tuple(field.name for field in _fields(kind)) if has_fields else None


def _found_in(plain: type) -> Sequence[object]:
    """Return what the classes above one hold as their fields, the nearest first."""
    return [vars(each)[_FIELDS] for each in plain.__mro__[1:] if _FIELDS in vars(each)]


def _replaced(self: Any, /, **changes: object) -> Any:  # noqa: ANN401
    return dataclasses.replace(self, **changes)


def _fields(cls: Any) -> Sequence[dataclasses.Field[Any]]:  # noqa: ANN401  # any dataclass
    found = next(vars(each)[_FIELDS] for each in cls.__mro__ if _FIELDS in vars(each))
    return found.parts() if isinstance(found, _LateFields) else dataclasses.fields(cls)


def _first_init(homes: Sequence[Any], *, frozen: bool) -> Callable[..., None]:
    """Return a constructor for the first few instances, which makes the real one then and puts it in its own place.

    Of most classes a run makes an instance or two, which takes less than compiling a function for them. Threads that make
    the first instances at once make the same one twice.

    Args:
        homes: Holds the class, once there is one.
    """
    instances = 0

    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401, N807  # a stand-in for one
        nonlocal instances
        [home] = homes
        instances += 1
        if instances < _FROM_NOW_ON and _fill(self, _fields(home), args, kwargs):
            return
        home.__init__ = real = _init_of(home, frozen=frozen)
        real(self, *args, **kwargs)

    return __init__


def _fill(self: Any, fields: Sequence[dataclasses.Field[Any]], args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:  # noqa: ANN401
    """Give a new instance its values, and return whether that is all; if not, it takes the real constructor."""
    positional = [field.name for field in fields if field.init and not field.kw_only]
    given = {**dict(zip(positional, args, strict=False)), **kwargs}
    if len(args) > len(positional) or len(given) < len(args) + len(kwargs):
        return False
    values: dict[str, object] = {}
    for field in fields:
        if field.init and field.name in given:
            values[field.name] = given.pop(field.name)
        elif field.default is not _MISSING:
            values[field.name] = field.default
        elif field.default_factory is not _MISSING:
            factory: Any = field.default_factory
            values[field.name] = factory()
        elif field.init:
            return False
    if given:
        return False
    for name, value in values.items():
        object.__setattr__(self, name, value)
    if hasattr(self, "__post_init__"):
        self.__post_init__()
    return True


def _init_of(cls: Any, *, frozen: bool) -> Callable[..., None]:  # noqa: ANN401  # any dataclass
    known: dict[str, object] = {"_MISSING": _MISSING, "_set": object.__setattr__}
    positional: list[str] = []
    named: list[str] = []
    lines: list[str] = []
    for number, field in enumerate(_fields(cls)):
        value = field.name
        if field.default is not _MISSING:
            known[f"_default_{number}"] = field.default
            parameter, unset = f"{value}=_default_{number}", f"_default_{number}"
        elif field.default_factory is not _MISSING:
            known[f"_make_{number}"] = field.default_factory
            parameter, unset = f"{value}=_MISSING", f"_make_{number}()"
            value = f"_make_{number}() if {value} is _MISSING else {value}"
        else:
            parameter, unset = value, ""
        if field.init:
            (named if field.kw_only else positional).append(parameter)
        elif not unset:
            continue
        lines.append(_assignment(cls, field.name, value if field.init else unset, known, frozen=frozen))
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    parameters = ", ".join(["self", *positional, *(["*", *named] if named else [])])
    body = "\n ".join(lines or ["pass"])
    exec(f"def __init__({parameters}):\n {body}", known)  # noqa: S102  # of the names of fields, as dataclasses does
    init: Any = known["__init__"]
    init.__qualname__, init.__module__ = f"{cls.__qualname__}.__init__", cls.__module__
    init.__annotations__ = {field.name: field.type for field in _fields(cls) if field.init} | {"return": None}
    return init  # type: ignore[no-any-return]


def _assignment(cls: Any, name: str, value: str, known: dict[str, object], *, frozen: bool) -> str:  # noqa: ANN401
    if not frozen:
        return f"self.{name} = {value}"
    place = getattr(cls, name, None)
    if isinstance(place, MemberDescriptorType):
        # A slot, set without looking for it by name: a record is made of many.
        known[f"_set_{name}"] = place.__set__
        return f"_set_{name}(self, {value})"
    return f"_set(self, {name!r}, {value})"


class _Slot(NamedTuple):
    get: Callable[[object], object]
    set: Callable[[object, object], None]


@cache
def _slots(cls: Any) -> Mapping[str, _Slot] | None:  # noqa: ANN401
    """Return where an instance's fields are; None if making one takes more than to fill them."""
    fields = _fields(cls)
    places: dict[str, Any] = {field.name: getattr(cls, field.name, None) for field in fields}
    own = all(isinstance(place, MemberDescriptorType) for place in places.values())
    if not own or hasattr(cls, "__post_init__") or not all(field.init for field in fields):
        return None
    return {name: _Slot(place.__get__, place.__set__) for name, place in places.items()}


@cache
def _compared(cls: Any) -> Callable[[object], object]:  # noqa: ANN401
    return _values([field.name for field in _fields(cls) if field.compare])


@cache
def _hashed(cls: Any) -> Callable[[object], object]:  # noqa: ANN401
    fields = _fields(cls)
    return _values([field.name for field in fields if (field.compare if field.hash is None else field.hash)])


def _values(names: Sequence[str]) -> Callable[[object], object]:
    return attrgetter(*names) if names else (lambda _: ())


def _eq(self: Any, other: Any) -> Any:  # noqa: ANN401
    if other.__class__ is not self.__class__:
        return NotImplemented
    values = _compared(self.__class__)
    return values(self) == values(other)


def _hash(self: Any) -> int:  # noqa: ANN401
    return hash(_hashed(self.__class__)(self))


@recursive_repr()
def _repr(self: Any) -> str:  # noqa: ANN401
    said = ", ".join(f"{field.name}={getattr(self, field.name)!r}" for field in _fields(type(self)) if field.repr)
    return f"{self.__class__.__qualname__}({said})"


def _refuse_setting(self: Any, name: str, value: object) -> None:  # noqa: ANN401
    if _is_field(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_deleting(self: Any, name: str) -> None:  # noqa: ANN401
    if _is_field(self, name):
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


def _is_field(instance: Any, name: str) -> bool:  # noqa: ANN401
    # A class that merely derives from one may have attributes of its own.
    return _FIELDS in vars(type(instance)) or any(name == part.name for part in _fields(type(instance)))


def _state(self: Any) -> list[object]:  # noqa: ANN401
    return [getattr(self, field.name) for field in _fields(type(self))]


def _set_state(self: Any, state: list[object]) -> None:  # noqa: ANN401
    for field, value in zip(_fields(type(self)), state, strict=True):
        object.__setattr__(self, field.name, value)
