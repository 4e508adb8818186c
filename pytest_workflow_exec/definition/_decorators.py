"""What a Python workflow is written with: `Workflow`, `@step`, `@gate`. The standard library only."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import TYPE_CHECKING, TypeVar, overload

import pytest_workflow_exec
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._capture import kept
from ._names import WORKFLOW_LATER
from ._options import (
    GateOptions,
    Place,
    StepOptions,
    caller,
    check_keywords,
    each_of,
    place_of,
    read_gate_options,
    read_step_options,
    refuse,
)

if TYPE_CHECKING:
    from pydantic import BaseModel

F = TypeVar("F", bound=Callable[..., object])

_ATTRIBUTE = "__workflow_exec__"
_GENERATES = inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
_WORKFLOW_KEYWORDS = ("name", "description", "mode", "inputs", "vars", "concurrency", "defaults", "outputs", "policy")


def activate() -> None:
    """Allow workflows to be declared: something that holds their order is there."""
    # The count is the package's, as the plugin keeps it without importing this module.
    pytest_workflow_exec.plugin_sessions += 1


def deactivate() -> None:
    """Take back one `activate()`."""
    pytest_workflow_exec.plugin_sessions = max(0, pytest_workflow_exec.plugin_sessions - 1)


@contextmanager
def plugin_active() -> Iterator[None]:
    """Return a context in which workflows can be declared."""
    activate()
    try:
        yield
    finally:
        deactivate()


@dataclass(frozen=True, slots=True, init=False)
class Workflow:
    """The declaration of a Python workflow: `WORKFLOW = Workflow(name="release")`."""

    name: str | None
    """None: the file's name without prefix and suffix."""
    description: str
    mode: str
    inputs: Mapping[str, object]
    vars: Mapping[str, object]
    concurrency: str | None
    """The group of workflows of which one at a time may run in the project; may name inputs and variables."""
    defaults: Mapping[str, object] | None
    """`timeout`, `idempotent` and `max_age` of its steps, where they do not say them."""
    outputs: Mapping[str, object]
    """What a run leaves that has passed: texts with references, such as `${steps.build.wheel}`, by name."""
    policy: Mapping[str, object] | None
    """`only`: rules in short form, of which one must match each command that the project's policy allows."""

    def __init__(
        self,
        name: str | None = None,
        *,
        description: str = "",
        mode: str = "python",
        inputs: Mapping[str, object] | None = None,
        vars: Mapping[str, object] | None = None,  # noqa: A002 - the key's name in YAML
        concurrency: str | None = None,
        defaults: Mapping[str, object] | None = None,
        outputs: Mapping[str, object] | None = None,
        policy: Mapping[str, object] | None = None,
        **unknown: object,
    ) -> None:
        """Declare the workflow of this file; its values are checked when the file is collected.

        Raises:
            DefinitionError: A keyword does not exist, or can't be used yet.
            WorkflowExecError: The plugin is switched off, so nothing would hold the order of the steps.
        """
        check_keywords("Workflow", unknown, _WORKFLOW_KEYWORDS, WORKFLOW_LATER, caller())
        _demand_plugin("a workflow; run it with pytest")
        values = {"name": name, "description": description, "mode": mode, "inputs": inputs, "vars": vars}
        for field, value in values.items():
            object.__setattr__(self, field, {} if value is None and field != "name" else value)
        object.__setattr__(self, "concurrency", concurrency)
        object.__setattr__(self, "defaults", defaults)
        object.__setattr__(self, "outputs", {} if outputs is None else outputs)
        object.__setattr__(self, "policy", policy)


WorkflowDeclaration = Workflow
_FRAGMENT_KEYWORDS = ("description", "inputs", "vars", "defaults", "outputs")


@dataclass(frozen=True, slots=True, init=False)
class Fragment:
    """The declaration of a fragment in Python, whose steps workflows include: `FRAGMENT = Fragment(inputs={...})`."""

    description: str
    inputs: Mapping[str, object]
    """What an include gives it by `with:`, declared as inputs of workflows are; `workflow.inputs` in its steps."""
    vars: Mapping[str, object]
    defaults: Mapping[str, object] | None
    """What its steps say unless they say it themselves."""
    outputs: Mapping[str, object]
    """What the including file sees of an include with an id: references to values of its steps, by name."""

    def __init__(
        self,
        *,
        description: str = "",
        inputs: Mapping[str, object] | None = None,
        vars: Mapping[str, object] | None = None,  # noqa: A002 - the key's name in YAML
        defaults: Mapping[str, object] | None = None,
        outputs: Mapping[str, object] | None = None,
        **unknown: object,
    ) -> None:
        """Declare the fragment of this file; its values are checked where it is included.

        Raises:
            DefinitionError: A keyword does not exist.
            WorkflowExecError: The plugin is switched off, so nothing would hold the order of the steps.
        """
        check_keywords("Fragment", unknown, _FRAGMENT_KEYWORDS, frozenset(), caller())
        _demand_plugin("a fragment of workflows; run one that includes it with pytest")
        values = {"description": description, "inputs": inputs, "vars": vars, "outputs": outputs}
        for field, value in values.items():
            object.__setattr__(self, field, {} if value is None else value)
        object.__setattr__(self, "defaults", defaults)


def _demand_plugin(what: str) -> None:
    if not pytest_workflow_exec.plugin_sessions:
        raise WorkflowExecError(
            f"this file is {what} and the workflow_exec plugin "
            "(it is switched off: -p no:workflow_exec or PYTEST_DISABLE_PLUGIN_AUTOLOAD)"
        )


@overload
def step(function: F, /) -> F: ...
@overload
def step(
    *,
    name: str | None = None,
    description: str | None = None,
    timeout: str | None = None,
    when: str | None = None,
    always: bool = False,
    idempotent: bool = False,
    max_age: str | None = None,
    evidence: Sequence[str] | type = (),
    check: Sequence[str] | Mapping[str, object] | None = None,
    undoes: Sequence[str] = (),
    retry: int | Mapping[str, object] | None = None,
    waive: str | Mapping[str, object] | None = None,
) -> Callable[[F], F]: ...
def step(function: object = None, /, **options: object) -> object:
    """Make a function a step of its workflow; what it returns are the step's outputs.

    Args:
        function: The function, where the decorator stands without arguments.
        options: `name` and `description` for people; `timeout`, such as `5m`, for one attempt; `when`, a condition
            without which the step does not apply; `always=True` for a step that runs last, whatever became of the
            others; `idempotent=True` for a step that may run a second time unasked; `max_age`, such as `7d`, after
            which a resumed run does not carry it; `evidence`, names of values that it must return, and not empty,
            or a pydantic model that has to take what it returns; `check`,
            a command as a list of texts that succeeds if the step's effect is there, asked when a session was broken off
            in it, or a mapping as in YAML: `{"call": "module:function", "with": {...}}`; `undoes`, the steps that it reverts;
            `retry`, how often it is tried again and after which errors; `waive`, the question that a person is asked if
            it fails: whether the run goes on all the same, or a mapping of `question`, `timeout`, `assurance` and `approvers`.

    Raises:
        DefinitionError: It stands on something that can't be a step, or an option does not exist or fit.
    """
    return _decorator(function, options, read_step_options, "step", caller())


@overload
def gate(function: F, /) -> F: ...
@overload
def gate(
    *,
    question: str | None = None,
    show: Sequence[str] = (),
    timeout: str | None = None,
    meaning: str = "approve",
    refs: Sequence[str] = (),
    assurance: int = 1,
    approvers: Sequence[str] = (),
    required: int | Mapping[str, int] | None = None,
    min_wait: str | None = None,
    veto: bool = True,
    when: str | None = None,
    wait: str | None = None,
    on_timeout: str = "reject",
    expires: str | None = None,
    form: Mapping[str, object] | type[BaseModel] | None = None,
) -> Callable[[F], F]: ...
def gate(function: object = None, /, **options: object) -> object:
    """Make a function a gate: its workflow waits there until a person decides.

    Args:
        function: The function, where the decorator stands without arguments.
        options: The `question`; what to `show`, as `step` or `step.key`; the `timeout` of the terminal; what the
            decision `meaning` is; `refs` of other systems; the `assurance` of its answers, and from 2 on the groups of
            `approvers`, how many are `required`, the `min_wait` and whether one rejection is a `veto`; `when`, a condition that every step behind it shares;
            `wait="suspend"`, to end the run there until somebody decided elsewhere, or `on_timeout="suspend"`, to do
            so if nobody answers at the terminal; after which time the question `expires`; a `form` of fields that the
            approver fills in, declared as inputs are or by a pydantic model, whose values are outputs of the gate.

    Raises:
        DefinitionError: It stands on something that can't be a gate, or an option does not exist or fit.
    """
    return _decorator(function, options, read_gate_options, "gate", caller())


def options_of(function: object) -> StepOptions | GateOptions | None:
    """Return what the function's decorator says; None for a function without one."""
    options = getattr(function, _ATTRIBUTE, None)
    return options if isinstance(options, (StepOptions, GateOptions)) else None


_Read = Callable[[Mapping[str, object], Place], "StepOptions | GateOptions"]


def _decorator(function: object, options: Mapping[str, object], read: _Read, word: str, place: Place) -> object:
    known = read(options, place)

    def decorate(target: object) -> object:
        wrapper = kept(_checked(target, word, place))
        setattr(wrapper, _ATTRIBUTE, known)
        return wrapper

    if function is None:
        return decorate
    return decorate(function)


def _checked(target: object, word: str, place: Place) -> FunctionType:
    if inspect.isclass(target):
        refuse(place, f"@{word} stands on the class {target.__name__}; it belongs on functions")
    if isinstance(target, (staticmethod, classmethod)):
        refuse(place, f"@{word} stands above @{type(target).__name__}; write it below")
    if not isinstance(target, FunctionType):
        what = f"{type(target).__name__} {str(target)[:40]!r}"
        refuse(place, f"@{word} stands on {what}; it belongs on a function, as @{word} or @{word}(...)")
    problem = _function_problem(target)
    if word == "gate" and each_of(target) is not None:
        problem = f"stands on {target.__name__}, which has @each; a gate asks once"
    if problem is not None:
        refuse(place_of(target), f"@{word} {problem}")
    return target


def _function_problem(target: FunctionType) -> str | None:
    if options_of(target) is not None:
        return f"stands on {target.__name__}, which is a step or gate already"
    if "<locals>" in target.__qualname__:
        return (
            f"stands on {target.__name__} inside a function, where it is never collected; "
            f"move it to the file's top level"
        )
    if target.__code__.co_flags & _GENERATES:
        return f"stands on {target.__name__}, a generator; calling one runs nothing"
    return None
