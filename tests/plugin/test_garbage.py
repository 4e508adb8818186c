"""Collecting without the garbage collector, or with little of it: it is as it was afterwards, whatever happens."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from pytest_workflow_exec.plugin._garbage import no_garbage_collection, young_garbage_only


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    enabled = gc.isenabled()
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    (gc.enable if enabled else gc.disable)()


@pytest.mark.parametrize("enabled", [True, False])
def test_collector_rests_and_is_as_it_was_after_an_error(enabled: bool) -> None:
    """The collector does not run by itself inside, and is on or off as before, also when something is raised."""
    (gc.enable if enabled else gc.disable)()

    inside: list[bool] = []

    def fails() -> None:
        with no_garbage_collection():
            inside.append(gc.isenabled())
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fails()

    assert inside == [False]
    assert gc.isenabled() is enabled


def test_collector_finds_what_was_just_made_and_is_as_it_was_after_an_error() -> None:
    """Garbage is found inside, young as it is, and how often the collector looks is as before afterwards."""
    gc.enable()
    gc.set_threshold(500, 7, 8)
    left: list[weakref.ref[_Circle]] = []

    def fails() -> None:
        with young_garbage_only():
            left.extend(weakref.ref(_Circle()) for _ in range(50_000))
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fails()

    assert sum(circle() is not None for circle in left) < len(left) / 2
    assert gc.get_threshold() == (500, 7, 8)


class _Circle:
    """Garbage that only the collector finds."""

    def __init__(self) -> None:
        self.itself = self
