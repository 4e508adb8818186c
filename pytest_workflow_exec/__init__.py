"""Procedures that must not be cut short: workflows as pytest suites, with gates and evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_workflow_exec.ai import CommandPlan, PlannedCommand
    from pytest_workflow_exec.definition import Fragment, Workflow, each, gate, include, step
    from pytest_workflow_exec.errors import (
        AiError,
        CommandFailedError,
        CommandNotFoundError,
        CommandRefusedError,
        CommandTimeoutError,
        GateDeniedError,
        PlanRefusedError,
        StepOrderError,
        WorkflowExecError,
    )
    from pytest_workflow_exec.sandbox import CommandResult

__all__ = [
    "AiError",
    "CommandFailedError",
    "CommandNotFoundError",
    "CommandPlan",
    "CommandRefusedError",
    "CommandResult",
    "CommandTimeoutError",
    "Fragment",
    "GateDeniedError",
    "PlanRefusedError",
    "PlannedCommand",
    "StepOrderError",
    "Workflow",
    "WorkflowExecError",
    "each",
    "gate",
    "include",
    "step",
]

plugin_sessions = 0
"""How many pytest sessions of this process have the plugin: without one, a workflow file is no test file."""

_HOMES = {
    "Fragment": "definition",
    "Workflow": "definition",
    "each": "definition",
    "gate": "definition",
    "include": "definition",
    "step": "definition",
    "CommandResult": "sandbox",
    "CommandPlan": "ai",
    "PlannedCommand": "ai",
}


def __getattr__(name: str) -> object:
    # The plugin is imported in every pytest session of its environment, and this package with
    # it: a session without workflows must not pay for pydantic and a YAML reader.
    if name not in __all__:
        message = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(message)
    import importlib

    home = importlib.import_module(f"{__name__}.{_HOMES.get(name, 'errors')}")
    value: object = getattr(home, name)
    return value
