"""`async def` steps: through the project's own async plugin where it takes them, else through anyio."""

from __future__ import annotations

import inspect
from collections.abc import Coroutine
from functools import partial
from typing import cast

import pytest


def await_body(item: pytest.Function) -> bool | None:
    """Run the body if it is a coroutine function that reached this point; None for any other.

    An async plugin either replaces the function by a plain one or runs it before this is asked.
    """
    if not inspect.iscoroutinefunction(item.obj):
        return None
    try:
        import anyio
    except ImportError:
        pytest.fail(
            f"{item.name} is an async step, and nothing here can run it: install anyio, or the project's async plugin",
            pytrace=False,
        )
    # Only what the function asks for: funcargs also holds what autouse fixtures brought.
    arguments = {name: item.funcargs[name] for name in inspect.signature(item.obj).parameters if name in item.funcargs}
    anyio.run(partial(item.obj, **arguments))
    return True


def awaited(returned: object) -> object:
    """Return what a function that a workflow calls gave, awaited in an event loop of its own if it is async."""
    __tracebackhide__ = True
    if not inspect.iscoroutine(returned):
        return returned
    import asyncio

    return asyncio.run(cast("Coroutine[object, object, object]", returned))
