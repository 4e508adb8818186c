"""Functions of Python files as steps: which pytest collected, what they say, and the items that run them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

from pytest_workflow_exec.definition import (
    DeclaredFunction,
    EachLists,
    EachOptions,
    Entry,
    GateOptions,
    IncludeOptions,
    StepOptions,
    each_of,
    options_of,
    return_annotation,
    track,
)
from pytest_workflow_exec.errors import DefinitionError, Problem
from pytest_workflow_exec.model import CaseValue, StepId, Workflow

from ._collect_class import WorkflowClass
from ._keys import PLANNED
from ._markers import mark_step
from ._planned import PlannedItem


def functions_among(
    nodes: Iterable[pytest.Item | pytest.Collector], *, path: Path, module: str
) -> list[pytest.Function]:
    """Return the functions among what pytest collected of a file, also those in classes.

    Args:
        nodes: What it collected.
        path: The file.
        module: The name of its module.

    Raises:
        DefinitionError: Something is no function, or none that can be a step of the file.
    """
    functions, problems = [], []
    for node in _without_classes(nodes):
        if (problem := _unfit(node, module)) is not None:
            problems.append(Problem(path=path, line=_line_of(node), message=problem))
        elif isinstance(node, pytest.Function):
            functions.append(node)
    if problems:
        raise DefinitionError(problems)
    return functions


def _without_classes(nodes: Iterable[pytest.Item | pytest.Collector]) -> Iterator[pytest.Item | pytest.Collector]:
    for node in nodes:
        yield from node.find() if isinstance(node, WorkflowClass) else (node,)


def _unfit(node: pytest.Item | pytest.Collector, module: str) -> str | None:
    if not isinstance(node, pytest.Function):
        return f"{node.name}: only functions can be steps"
    if hasattr(node, "callspec") and isinstance(options_of(node.obj), GateOptions):
        return f"{node.name}: a gate asks once; it can't be parametrized"
    if node.function.__module__ != module:
        return f"{node.name} is imported from {node.function.__module__}; a step is defined in its workflow's file"
    return None


def _line_of(node: pytest.Item | pytest.Collector) -> int | None:
    reported = node.reportinfo()[1] if isinstance(node, pytest.Item) else None
    return None if reported is None else reported + 1


def declared(items: Iterable[pytest.Function], lists: EachLists, *, prefix: str = "") -> list[DeclaredFunction]:
    """Return the functions of a file as reading it wants them.

    Args:
        items: Their items, cases one by one.
        lists: The lists behind their `@each`.
        prefix: How the names of the items begin, which is no part of the functions' own ids.
    """
    functions: dict[str, list[pytest.Function]] = {}
    for item in items:
        functions.setdefault(item.originalname.removeprefix(prefix), []).append(item)
    return [_function(name, cases, lists, prefix) for name, cases in functions.items()]


def with_includes(functions: Sequence[DeclaredFunction], module: ModuleType, *, path: Path) -> list[Entry]:
    """Return the functions of a module, and its includes; where they stand between them, the source tells.

    Raises:
        DefinitionError: An include is another module's, whose names were all imported: it may have replaced one of its own.
    """
    includes = [value for value in vars(module).values() if isinstance(value, IncludeOptions)]
    foreign = [each for each in includes if each.module != module.__name__]
    if foreign:
        message = "the include(...) of {} came in by an import of all its names; import what is needed by name"
        raise DefinitionError([Problem(path=path, message=message.format(each.module)) for each in foreign])
    return [*functions, *includes]


def _function(name: str, items: Sequence[pytest.Function], lists: EachLists, prefix: str) -> DeclaredFunction:
    first = items[0]
    function: Callable[..., object] = first.function
    owner = first.cls
    each = each_of(function)
    parametrized = hasattr(first, "callspec")
    if each is not None and not lists.cases(each):
        # Its list is empty, and pytest's item of it is no step.
        items, parametrized = [], True
    return DeclaredFunction(
        name=name,
        line=_first_line(first, function),
        marks=options_of(function),
        written_as=name if owner is None else function.__qualname__,
        classes=() if owner is None else tuple(base.__qualname__ for base in owner.__mro__),
        doc=function.__doc__ or "",
        cases=tuple(item.name.removeprefix(prefix) for item in items) if parametrized else None,
        variables=() if each is None else tuple(each.lists),
        values={} if each is None else {item.name.removeprefix(prefix): _values(item, each) for item in items},
        is_open=each is not None and lists.is_open(each),
    )


def _first_line(item: pytest.Function, function: Callable[..., object]) -> int:
    code = getattr(inspect.unwrap(function), "__code__", None)
    # pytest finds it for anything that can be called, but not as fast.
    return (item.reportinfo()[1] or 0) if code is None else int(code.co_firstlineno) - 1


def _values(item: pytest.Function, each: EachOptions) -> dict[str, CaseValue]:
    return {name: cast("CaseValue", item.callspec.params[name]) for name in each.lists}


def plan_items(items: Iterable[pytest.Function], workflow: Workflow) -> None:
    """Tell each item which step of the workflow it is."""
    by_name = {item.name: item for item in items}
    for position, step in enumerate(workflow.steps):
        item = by_name.get(step.id)
        if item is None:
            continue
        function = item.function
        options = options_of(function)
        decorated = options is not None
        if not decorated and item.cls is None:
            # So that the judge can see that a plain test's body really ran.
            item.obj = track(item.obj)
            function = item.function
        item.stash[PLANNED] = PlannedItem(
            workflow=workflow.name,
            step=step,
            position=position,
            function=function,
            annotation=return_annotation(function) if decorated else None,
            evidence_type=options.evidence_type if isinstance(options, StepOptions) else None,
        )
        mark_step(item, step)


def annotations_of(items: Iterable[pytest.Function]) -> dict[StepId, object]:
    """Return what the functions are annotated to return, by their steps."""
    # A gate returns words for the approver; what it leaves is its form.
    return {
        item.name: item.stash[PLANNED].annotation
        for item in items
        if PLANNED in item.stash and item.stash[PLANNED].step.kind != "gate"
    }
