"""Python workflows as pytest items: `@step`, `@gate` and plain tests in source order, also in classes."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from pytest_workflow_exec.definition import (
    DeclaredFunction,
    EachLists,
    EachOptions,
    GateOptions,
    check_python_source,
    each_of,
    is_fragment,
    is_workflow_file,
    options_of,
    python_workflow,
    return_annotation,
    track,
)
from pytest_workflow_exec.definition import Workflow as Declaration
from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.errors import DefinitionError, Problem, SettingsError, WorkflowExecError
from pytest_workflow_exec.model import CaseValue, Workflow

from ._collect_class import WorkflowClass, class_of_steps
from ._garbage import no_garbage_collection
from ._inputs import given_at_collection
from ._keys import LISTS, PLANNED
from ._markers import mark_step
from ._planned import PlannedItem, talking_problems
from ._project import project_of
from ._session import session_of


def collect_python(path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Return the collector of a Python workflow; None for a file that is none."""
    if is_fragment(path):
        if not parent.session.isinitpath(path):
            return None
        message = "is a fragment: other workflows include it; it can't run alone"
        session_of(parent.config).problems.append(Problem(path=path, message=message))
    elif not is_workflow_file(path):
        return None
    file: WorkflowModule = WorkflowModule.from_parent(parent, path=path)
    session_of(parent.config).files.add(file.nodeid)
    return file


class WorkflowModule(pytest.Module):
    """A Python workflow."""

    def istestfunction(self, obj: object, name: str) -> bool:
        """Return whether a function is a step: decorated, or a test by name."""
        return options_of(obj) is not None or super().istestfunction(obj, name)

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Return the steps, or nothing if the file is not a workflow: the session then refuses to run."""
        session = session_of(self.config)
        if session.problems and any(problem.path == self.path for problem in session.problems):
            return []
        try:
            return self._steps()
        except (DefinitionError, SettingsError) as error:
            session.problems.extend(error.problems)
            return []

    def _steps(self) -> list[pytest.Item | pytest.Collector]:
        session, root = session_of(self.config), project_of(self.path)
        source = self.path.read_bytes()
        with no_garbage_collection():
            tree = check_python_source(self.path, source)
        nodes = [class_of_steps(node) for node in self._imported(source)]
        items = _functions(self, nodes)
        self.stash[LISTS].raise_if_any()
        if digest_of_bytes(self.path.read_bytes()) != digest_of_bytes(source):
            raise DefinitionError([Problem(path=self.path, message="changed while it was read; run again")])
        with no_garbage_collection():
            workflow = python_workflow(
                self.path,
                root=root,
                source=source,
                tree=tree,
                declaration=_declaration(self),
                functions=_declared(items, self.stash[LISTS]),
                listed=self.stash[LISTS].inputs,
            )
        if not session.add(workflow):
            return []
        _plan(items, workflow)
        if problems := list(talking_problems(items, workflow)):
            raise DefinitionError(problems)
        # A gate returns words for the approver; what it leaves is its form.
        session.annotations[workflow.name] = {
            item.name: item.stash[PLANNED].annotation
            for item in items
            if PLANNED in item.stash and item.stash[PLANNED].step.kind != "gate"
        }
        # A step whose list is empty has no case: pytest's item of it is no step.
        return [node for node in nodes if isinstance(node, WorkflowClass) or PLANNED in node.stash]

    def _imported(self, source: bytes) -> Iterable[pytest.Item | pytest.Collector]:
        root = project_of(self.path)
        try:
            self.stash[LISTS] = EachLists(
                self.path,
                root=root,
                source=source,
                declaration=getattr(self.obj, "WORKFLOW", None),
                given=given_at_collection(self.config, root),
                looking=session_of(self.config).only_looks,
            )
            with no_garbage_collection():
                return list(super().collect())
        except self.CollectError as error:
            # A misused decorator is the author's mistake in the definition, not a crash of their code.
            cause = error.__cause__
            if isinstance(cause, DefinitionError):
                raise cause from None
            if isinstance(cause, WorkflowExecError):
                raise DefinitionError([Problem(path=self.path, message=str(cause))]) from None
            raise


def _functions(module: WorkflowModule, nodes: Iterable[pytest.Item | pytest.Collector]) -> list[pytest.Function]:
    functions, problems = [], []
    for node in _without_classes(nodes):
        if (problem := _unfit(node, module)) is not None:
            problems.append(Problem(path=module.path, line=_line_of(node), message=problem))
        elif isinstance(node, pytest.Function):
            functions.append(node)
    if problems:
        raise DefinitionError(problems)
    return functions


def _without_classes(nodes: Iterable[pytest.Item | pytest.Collector]) -> Iterator[pytest.Item | pytest.Collector]:
    for node in nodes:
        yield from node.find() if isinstance(node, WorkflowClass) else (node,)


def _unfit(node: pytest.Item | pytest.Collector, module: WorkflowModule) -> str | None:
    if not isinstance(node, pytest.Function):
        return f"{node.name}: only functions can be steps"
    if isinstance(options_of(node.obj), GateOptions) and hasattr(node, "callspec"):
        return f"{node.name}: a gate asks once; it can't be parametrized"
    if node.function.__module__ != module.obj.__name__:
        return f"{node.name} is imported from {node.function.__module__}; a step is defined in its workflow's file"
    return None


def _line_of(node: pytest.Item | pytest.Collector) -> int | None:
    reported = node.reportinfo()[1] if isinstance(node, pytest.Item) else None
    return None if reported is None else reported + 1


def _declaration(module: WorkflowModule) -> Declaration:
    declaration = getattr(module.obj, "WORKFLOW", None)
    if not isinstance(declaration, Declaration):
        raise DefinitionError([Problem(path=module.path, message="WORKFLOW must be a Workflow(...)")])
    return declaration


def _declared(items: Iterable[pytest.Function], lists: EachLists) -> list[DeclaredFunction]:
    functions: dict[str, list[pytest.Function]] = {}
    for item in items:
        functions.setdefault(item.originalname, []).append(item)
    return [_function(name, cases, lists) for name, cases in functions.items()]


def _function(name: str, items: Sequence[pytest.Function], lists: EachLists) -> DeclaredFunction:
    first = items[0]
    each = each_of(first.function)
    parametrized = hasattr(first, "callspec")
    if each is not None and not lists.cases(each):
        # Its list is empty, and pytest's item of it is no step.
        items, parametrized = [], True
    return DeclaredFunction(
        name=name,
        line=_first_line(first),
        marks=options_of(first.function),
        written_as=name if first.cls is None else first.function.__qualname__,
        classes=() if first.cls is None else tuple(base.__qualname__ for base in first.cls.__mro__),
        doc=first.function.__doc__ or "",
        cases=tuple(item.name for item in items) if parametrized else None,
        variable=None if each is None else each.name,
        values={} if each is None else {item.name: _value(item, each) for item in items},
        is_open=each is not None and any(case.is_open for case in lists.cases(each)),
    )


def _first_line(item: pytest.Function) -> int:
    code = getattr(inspect.unwrap(item.function), "__code__", None)
    # pytest finds it for anything that can be called, but not as fast.
    return (item.reportinfo()[1] or 0) if code is None else int(code.co_firstlineno) - 1


def _value(item: pytest.Function, each: EachOptions) -> CaseValue:
    return cast("CaseValue", item.callspec.params[each.name])


def _plan(items: Iterable[pytest.Function], workflow: Workflow) -> None:
    by_name = {item.name: item for item in items}
    for position, step in enumerate(workflow.steps):
        item = by_name[step.id]
        decorated = options_of(item.function) is not None
        if not decorated and item.cls is None:
            # So that the judge can see that a plain test's body really ran.
            item.obj = track(item.obj)
        item.stash[PLANNED] = PlannedItem(
            workflow=workflow.name,
            step=step,
            position=position,
            function=item.function,
            annotation=return_annotation(item.function) if decorated else None,
        )
        mark_step(item, step)
