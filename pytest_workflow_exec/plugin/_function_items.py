"""Items of functions that ask for no fixture: made at once, where pytest first makes one to be parametrized."""

from __future__ import annotations

import inspect
import os
from types import CodeType, FunctionType

import pytest

from pytest_workflow_exec.definition import each_of, options_of

from ._placed import PlacedFunction
from ._session import WorkflowSession


def plain_function(
    session: WorkflowSession, collector: pytest.Collector, name: str, function: object
) -> StepFunction | None:
    """Return the item of a step that asks for no fixture and makes no cases; None for anything else, which pytest collects.

    What could still give it parameters are plugins, and the module itself, by `pytest_generate_tests`.
    """
    if type(function) is not FunctionType or options_of(function) is None or each_of(function) is not None:
        return None
    if not session.listeners.leave_functions_alone or hasattr(getattr(collector, "obj", None), "pytest_generate_tests"):
        return None
    if inspect.iscoroutinefunction(function) or not getattr(function, "__test__", True):
        return None
    code = getattr(inspect.unwrap(function), "__code__", None)
    # Something else that can be called, or what nearly always are fixtures: an item of it would be made for nothing.
    if not isinstance(code, CodeType) or code.co_argcount or code.co_kwonlyargcount:
        return None
    item: StepFunction = StepFunction.from_parent(collector, name=name, callobj=function)
    return item if not item.fixturenames and item.get_closest_marker("parametrize") is None else None


class StepFunction(PlacedFunction):
    """One function of a workflow that asks for no fixture."""

    def reportinfo(self) -> tuple[os.PathLike[str] | str, int | None, str]:
        """Return the line of its first decorator, as pytest does."""
        code: CodeType = inspect.unwrap(self.function).__code__
        # What a decorator put in its place may stand elsewhere; pytest finds out where, but not as fast.
        return (
            (self.path, code.co_firstlineno - 1, self.name)
            if code.co_filename == str(self.path)
            else super().reportinfo()
        )

    def __repr__(self) -> str:
        """Return what pytest says of any function: `--collect-only` shows both."""
        return f"<Function {self.name}>"
