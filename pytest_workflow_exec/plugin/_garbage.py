"""The garbage collector, kept from going through the package and a long workflow again and again."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest_workflow_exec

from ._own_modules import import_plainly

_YOUNG = 10_000
_NEVER = 1_000_000


@contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Return a context in which the collector does not run by itself; what it would have found is found afterwards.

    Thousands of steps are made at once and all of them stay: each time that the collector looks for cycles among them
    it finds none, and the same is so of the package's own modules. No step and no import of the project's runs inside.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def young_garbage_only() -> Iterator[None]:
    """Return a context in which the collector looks at what was just made and never at what has stayed.

    pytest leaves two kilobytes of garbage for each function that it collects, as much as the step itself takes. Nothing
    else of it is looked through again and again.
    """
    before = gc.get_threshold()
    gc.set_threshold(_YOUNG, _NEVER, _NEVER)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def importing() -> Iterator[None]:
    """Return a context in which modules of the package are imported, hundreds at the first time."""
    import_plainly()
    before = len(sys.modules)
    with no_garbage_collection():
        yield
    if len(sys.modules) > before:
        set_aside()


def set_aside() -> None:
    """Let the collector pass over everything that is there by now, in a session that is not part of another one.

    Modules and the steps of a workflow stay to the end: looking for garbage among them took a tenth of a long run.
    What a session inside a test of another leaves is garbage, so nothing is set aside there.
    """
    if pytest_workflow_exec.plugin_sessions <= 1:
        gc.freeze()
