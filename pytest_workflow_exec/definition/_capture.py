"""What decorated functions return: kept while they run, and the type that they say it has."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar, cast

from pytest_workflow_exec.errors import DefinitionError

from ._options import place_of, problem_at

F = TypeVar("F", bound=Callable[..., object])


class _Nothing:
    """The value of a function that has not returned."""

    def __repr__(self) -> str:
        return "NOTHING"


NOTHING: Final = _Nothing()


class Captured:
    """What the outermost tracked function returned; filled while it runs."""

    __slots__ = ("by", "depth", "value")

    def __init__(self) -> None:
        """Hold nothing yet."""
        self.value: object = NOTHING
        self.by: Callable[..., object] | None = None
        """The tracked function that ran to its end; None if none did."""
        self.depth = 0
        """How many tracked functions are running inside each other."""

    @property
    def ran(self) -> bool:
        """Whether a tracked function ran to its end."""
        return self.value is not NOTHING

    def handed_on(self, returned: object, by: Callable[..., object]) -> object:
        """Return what the caller of a tracked function gets, and keep it if that is pytest."""
        if self.depth:
            # A step may call another step's function, and needs what that returns.
            return returned
        # pytest called it, and takes a test that returns something for a mistake.
        self.value, self.by = returned, by
        return None


class _Now:
    """Whose returns are kept at the moment.

    Not a context variable: an async plugin runs the function in a context that it copied before this one was set.
    """

    captured: Captured | None = None


class capture_returns:  # noqa: N801  # a context, entered for each step more often than a generator is cheap
    """A context that keeps what the outermost decorated function inside it returns."""

    __slots__ = ("_before",)

    def __enter__(self) -> Captured:
        """Keep returns from now on."""
        self._before, captured = _Now.captured, Captured()
        _Now.captured = captured
        return captured

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Let whoever was there before keep them again."""
        _Now.captured = self._before


def return_annotation(function: Callable[..., object]) -> object | None:
    """Return the type that a function says it returns; None where it says nothing, `NoneType` for `-> None`.

    Raises:
        DefinitionError: The annotation names something that does not exist.
    """
    plain = inspect.unwrap(function)
    annotations = getattr(plain, "__annotations__", {})
    if "return" not in annotations:
        return None
    said = annotations["return"]
    if said is None or (type(said) is str and said == "None"):
        # What nearly every step says, and a name that nothing can change.
        return types.NoneType
    # Only the return's: a parameter may be annotated with a name that is imported for type checkers alone.
    holder = types.SimpleNamespace(__annotations__={"return": said})
    try:
        hints = typing.get_type_hints(holder, globalns=getattr(plain, "__globals__", {}), include_extras=True)
    except Exception as error:
        message = f"what {plain.__name__} returns can't be understood ({said!r}): {error}"
        raise DefinitionError([problem_at(place_of(plain), message)]) from error
    return cast("object", hints["return"])


def track(function: F) -> F:
    """Return a plain function so wrapped that `capture_returns` sees it run to its end; it stays a plain one."""
    return cast("F", kept(function))


def kept(function: Callable[..., object]) -> Callable[..., object]:
    """Return the function so wrapped that what it returns is kept."""
    wrapper: Callable[..., object]
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def wrapper(*arguments: object, **keywords: object) -> object:
            captured = _Now.captured
            if captured is None:
                return await cast("Awaitable[object]", function(*arguments, **keywords))
            captured.depth += 1
            try:
                returned = await cast("Awaitable[object]", function(*arguments, **keywords))
            finally:
                captured.depth -= 1
            return captured.handed_on(returned, wrapper)
    else:

        @functools.wraps(function)
        def wrapper(*arguments: object, **keywords: object) -> object:
            captured = _Now.captured
            if captured is None:
                return function(*arguments, **keywords)
            captured.depth += 1
            try:
                returned = function(*arguments, **keywords)
            finally:
                captured.depth -= 1
            return captured.handed_on(returned, wrapper)

    return wrapper
