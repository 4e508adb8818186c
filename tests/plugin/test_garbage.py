"""Collecting without the garbage collector: it is as it was afterwards, whatever happens."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from pytest_workflow_exec.plugin._garbage import no_garbage_collection


@pytest.fixture(autouse=True)
def _collector() -> Iterator[None]:
    enabled = gc.isenabled()
    yield
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
