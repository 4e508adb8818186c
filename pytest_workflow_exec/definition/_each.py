"""`@each`: a step of a Python workflow for each value of a list, or of several lists."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from types import FunctionType
from typing import TypeVar, cast

from ._decorators import options_of
from ._options import EACH_ATTRIBUTE, EachOptions, GateOptions, Place, caller, each_of, place_of, refuse

F = TypeVar("F", bound=Callable[..., object])


def each(
    function: object = None,
    /,
    *,
    allow_empty: bool = False,
    **lists: str | Sequence[str | int | float | bool],
) -> Callable[[F], F]:
    """Make one step of each value of a list: `@each(host=["a", "b"])` gives the function the parameter `host`.

    Of several lists, each value of one goes with each value of the others: `deploy[a-eu]`, `deploy[a-us]`, `deploy[b-eu]`.

    Args:
        function: None; the decorator needs its list.
        allow_empty: Whether a list may be empty, so that nothing runs.
        lists: A list by the name of its parameter, or a reference to one: `"${inputs.hosts}"`.

    Raises:
        DefinitionError: It stands on something that can't have cases, or its list is none.
    """
    place = caller()
    if function is not None:
        refuse(place, '@each needs its list: write @each(host=["a", "b"])')
    if not isinstance(allow_empty, bool):
        refuse(place, f"@each: allow_empty must be True or False, not {allow_empty!r}")
    if not lists:
        refuse(place, "@each takes a parameter with its list, or several of them, not none")
    for name, listed in lists.items():
        if not isinstance(listed, (str, list, tuple)):
            refuse(place, f"@each: {name} must be a list, or a reference to one such as '${{inputs.hosts}}'")
    values = {name: listed if isinstance(listed, str) else tuple(listed) for name, listed in lists.items()}
    options = EachOptions(lists=values, allow_empty=allow_empty, place=place)

    def decorate(target: F) -> F:
        setattr(_checked(target, lists, place), EACH_ATTRIBUTE, options)
        return target

    return decorate


def _checked(target: object, names: Iterable[str], place: Place) -> FunctionType:
    if not isinstance(target, FunctionType):
        refuse(place, f"@each stands on {type(target).__name__} {str(target)[:40]!r}; it belongs on a function")
    problem = next((found for name in names if (found := _problem(target, name)) is not None), None)
    if problem is not None:
        refuse(place_of(target), f"@each {problem}")
    return target


def _problem(target: FunctionType, name: str) -> str | None:
    what = target.__name__
    if each_of(target) is not None:
        return f"stands on {what} twice; write several lists into one: @each(host=[...], region=[...])"
    if isinstance(options_of(target), GateOptions):
        return f"stands on the gate {what}; a gate asks once"
    plain = cast("FunctionType", inspect.unwrap(target))
    parameter = inspect.signature(plain).parameters.get(name)
    if parameter is None or parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        return f"gives {what} the parameter {name!r}, which it does not have"
    if parameter.default is not parameter.empty:
        return f"gives {what} the parameter {name!r}, which has a default already"
    return None
