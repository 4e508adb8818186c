"""Items of functions that ask for no fixture: made at once, where pytest first makes one to be parametrized."""

from __future__ import annotations

import inspect
from pathlib import Path
from types import FunctionType

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
    item: StepFunction = StepFunction.from_parent(collector, name=name, callobj=function)
    return item if not item.fixturenames and item.get_closest_marker("parametrize") is None else None


class StepFunction(PlacedFunction):
    """One function of a workflow that asks for no fixture."""

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the line of its first decorator, as pytest does."""
        line: int = inspect.unwrap(self.function).__code__.co_firstlineno
        return self.path, line - 1, self.name

    def __repr__(self) -> str:
        """Return what pytest says of any function: `--collect-only` shows both."""
        return f"<Function {self.name}>"
