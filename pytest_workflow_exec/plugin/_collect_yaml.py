"""YAML workflows as pytest items: one per step, with fixtures like any test."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_workflow_exec.definition import is_fragment, read_yaml_workflow
from pytest_workflow_exec.errors import DefinitionError, Problem, SettingsError
from pytest_workflow_exec.model import Call, Function, Gate, Step, StepId, Workflow

from ._bodies import perform
from ._garbage import no_garbage_collection, set_aside
from ._inputs import given_at_collection
from ._keys import PLANNED
from ._markers import mark_step
from ._named import is_named
from ._planned import PlannedItem, talking_problems
from ._project import project_of
from ._session import session_of

if TYPE_CHECKING:
    from pytest_workflow_exec.definition import DeclaredFunction, EachLists, Fragment

    from ._collect_fragments import FragmentModules

_MANY = 1_000
"""So many steps make pytest's own collections at a session's end slow, also where nothing runs."""


def collect_yaml(path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Return the collector of a YAML workflow; None if the command line does not name it."""
    try:
        if not is_named(path, parent.config):
            return None
    except SettingsError as error:
        session_of(parent.config).problems.extend(error.problems)
        return None
    if is_fragment(path) and not parent.session.isinitpath(path):
        return None
    file: WorkflowFile = WorkflowFile.from_parent(parent, path=path)
    session_of(parent.config).files.add(file.nodeid)
    return file


class WorkflowFile(pytest.Module):
    """A YAML workflow. It is a module without a Python object, so that fixtures of every scope work in it."""

    obj = None

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        """Return the steps, or nothing if the file is not a workflow: the session then refuses to run."""
        session = session_of(self.config)
        if is_fragment(self.path):
            message = "is a fragment: other workflows include it; it can't run alone"
            session.problems.append(Problem(path=self.path, message=message))
            return []
        try:
            root = project_of(self.path)
            given = given_at_collection(self.config, root)
            modules = _Fragments(self)
            with no_garbage_collection():
                workflow = read_yaml_workflow(
                    self.path, root=root, given=given, looking=session.only_looks, modules=modules
                )
        except (DefinitionError, SettingsError) as error:
            session.problems.extend(error.problems)
            return []
        if not session.add(workflow):
            return []
        with no_garbage_collection():
            included = modules.take_in(workflow, session.annotations.setdefault(workflow.name, {}))
            items = [
                self._item(workflow, step, position)
                for position, step in enumerate(workflow.steps)
                if not is_function(step)
            ]
        if problems := list(talking_problems([*items, *modules.items], workflow)):
            session.problems.extend(problems)
            return []
        if len(items) >= _MANY:
            set_aside()
        # pytest goes through them in any order: the plan's is made of all items later.
        return [*items, *included]

    def _item(self, workflow: Workflow, step: Step, position: int) -> pytest.Item:
        item: StepItem = StepItem.from_parent(self, name=step.id, callobj=_body_of(step))
        item.stash[PLANNED] = PlannedItem(workflow=workflow.name, step=step, position=position)
        mark_step(item, step)
        return item


class _Fragments:
    """The fragments in Python of one workflow: what collects them is loaded for the first, and most have none."""

    def __init__(self, file: WorkflowFile) -> None:
        self._file = file
        self._made: FragmentModules | None = None

    @property
    def items(self) -> Sequence[pytest.Function]:
        """What pytest collected of them so far."""
        return () if self._made is None else self._made.items

    def declaration(self, path: Path, source: bytes) -> Fragment:
        """Return what a file says of itself, imported from this source.

        Raises:
            DefinitionError: It says nothing, can't be used, or is no longer what it was.
        """
        return self._modules().declaration(path, source)

    def functions(self, path: Path, *, prefix: str, lists: EachLists) -> Sequence[DeclaredFunction]:
        """Return its functions that are steps, as they stand in one include.

        Raises:
            DefinitionError: Something in it can't be a step.
        """
        return self._modules().functions(path, prefix=prefix, lists=lists)

    def take_in(self, workflow: Workflow, annotations: dict[StepId, object]) -> list[pytest.Item | pytest.Collector]:
        """Return what pytest is to collect of the fragments, after telling each item which step it is."""
        return [] if self._made is None else self._made.take_in(workflow, annotations)

    def _modules(self) -> FragmentModules:
        if self._made is None:
            from . import _collect_fragments

            self._made = _collect_fragments.FragmentModules(self._file)
        return self._made


class StepItem(pytest.Function):
    """One step of a YAML workflow."""

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return the step's own line, so that reports and editors lead there."""
        location = self.stash[PLANNED].step.location
        return location.path, location.line - 1, self.name


def is_function(step: Step) -> bool:
    """Return whether a step is a function of a fragment in Python, whose item pytest made."""
    body = step.body
    return isinstance(body, Function) or (isinstance(body, Gate) and body.function is not None)


def _body_of(step: Step) -> Callable[..., None]:
    def body(request: pytest.FixtureRequest, **fixtures: object) -> None:
        __tracebackhide__ = True
        perform(request.node, step, {**fixtures, "request": request})

    names = step.body.fixtures if isinstance(step.body, Call) else ()
    # pytest asks the signature which fixtures to bring: a called function's own are its parameters.
    body.__signature__ = _signature(names)  # type: ignore[attr-defined]  # functions carry it
    body.__name__ = step.id.replace("-", "_")
    body.__doc__ = step.name
    return body


@functools.lru_cache(maxsize=256)
def _signature(names: tuple[str, ...]) -> inspect.Signature:
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return inspect.Signature([inspect.Parameter(name, kind) for name in dict.fromkeys(("request", *names))])
