"""Rules of keeping what decorated functions return."""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import threading
from typing import TYPE_CHECKING, Annotated

import pytest

from pytest_workflow_exec.definition import (
    NOTHING,
    capture_returns,
    gate,
    options_of,
    return_annotation,
    step,
    track,
)
from pytest_workflow_exec.errors import DefinitionError

if TYPE_CHECKING:
    from decimal import Decimal as Unknown


@step
def inner() -> str:
    """Return a word."""
    return "inner"


@step
def outer(word: str = "outer") -> str:
    """Return a word after calling another step's function."""
    inner()
    return word


@gate
async def waiting() -> str:
    """Return a word later."""
    await asyncio.sleep(0)
    return "later"


@step
def failing() -> str:
    """Fail."""
    raise ZeroDivisionError


@step
def silent() -> None:
    """Return nothing."""


def test_return_value_is_kept() -> None:
    """The context holds what the outermost decorated function returned, given its arguments."""
    with capture_returns() as captured:
        outer("word")

    assert (captured.value, captured.ran) == ("word", True)


def test_only_the_outermost_value_is_withheld_from_the_caller() -> None:
    """A step's function has the value of another that it calls; pytest, which calls the outermost, gets none."""

    @track
    def calling() -> str:
        return inner().upper()

    with capture_returns() as captured:
        handed_on = calling()

    assert handed_on is None
    assert (captured.value, captured.by) == ("INNER", calling)
    assert calling() == "INNER"


def test_nothing_is_kept_when_nothing_ran() -> None:
    """Before a function returned, and when it raised, there is nothing, which is not None."""
    with capture_returns() as captured:
        before = captured.ran
        with pytest.raises(ZeroDivisionError):
            failing()

    assert not before
    assert not captured.ran
    assert captured.value is NOTHING


def test_returning_none_is_having_run() -> None:
    """A function that returns nothing ran all the same."""
    with capture_returns() as captured:
        silent()

    assert captured.ran
    assert captured.value is None


def test_async_function_stays_async() -> None:
    """A coroutine function stays one, and what it returns is kept once it is awaited, also in a task."""
    with capture_returns() as captured:
        asyncio.run(waiting())

    assert inspect.iscoroutinefunction(waiting)
    assert captured.value == "later"


def test_contexts_do_not_mix() -> None:
    """What runs outside of a context, or in a nested one, is not kept in it."""
    with capture_returns() as first, capture_returns() as second:
        inner()
    outer()

    assert not first.ran
    assert second.value == "inner"


def test_function_counts_wherever_it_runs() -> None:
    """A function that an async plugin runs in a thread or context of its own is seen to run, and by its name."""
    with capture_returns() as captured:
        thread = threading.Thread(target=lambda: contextvars.Context().run(outer))
        thread.start()
        thread.join()

    assert captured.by is outer


def test_tracked_function_is_no_step() -> None:
    """A tracked function is seen to run, and stays a plain one."""

    def test_something(fixture: int) -> None:
        assert fixture

    tracked = track(test_something)
    with capture_returns() as captured:
        tracked(1)

    assert captured.ran
    assert options_of(tracked) is None
    assert list(inspect.signature(tracked).parameters) == ["fixture"]


def test_return_annotation_is_resolved() -> None:
    """The type is the one that the annotation names, also behind the decorator; None if there is no annotation."""

    def unannotated(value):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202 - that is the test
        return value

    def annotated() -> Annotated[int, "seconds"]:
        return 1

    assert return_annotation(outer) is str
    assert return_annotation(silent) is type(None)
    assert return_annotation(annotated) == Annotated[int, "seconds"]
    assert return_annotation(unannotated) is None


def test_annotation_of_a_parameter_is_no_matter() -> None:
    """A parameter may be annotated with a name that exists for type checkers only."""

    def function(_value: Unknown) -> int:
        return 1

    assert return_annotation(function) is int


def test_annotation_that_names_nothing_is_refused() -> None:
    """A return type that does not exist at run time can't be validated, so it is an error with its place."""

    def function() -> Unknown:
        raise NotImplementedError

    with pytest.raises(DefinitionError) as caught:
        return_annotation(function)

    [problem] = caught.value.problems
    assert "what function returns can't be understood ('Unknown')" in problem.message
    assert problem.line == function.__code__.co_firstlineno
