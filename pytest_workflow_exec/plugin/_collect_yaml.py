"""YAML workflows as pytest items: one per step, with fixtures like any test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_workflow_exec.definition import is_fragment, read_yaml_workflow
from pytest_workflow_exec.errors import DefinitionError, Problem, SettingsError
from pytest_workflow_exec.model import StepId, Workflow

from ._garbage import no_garbage_collection, set_aside
from ._inputs import given_at_collection
from ._named import is_named
from ._planned import talking_problems
from ._project import project_of
from ._session import session_of
from ._step_items import items_of

if TYPE_CHECKING:
    from pytest_workflow_exec.definition import EachLists, Entry, Fragment

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
            items = items_of(self, workflow)
        if problems := list(talking_problems([*items, *modules.items], workflow)):
            session.problems.extend(problems)
            return []
        if len(items) >= _MANY:
            set_aside()
        # pytest goes through them in any order: the plan's is made of all items later.
        return [*items, *included]


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

    def entries(self, path: Path, *, prefix: str, lists: EachLists) -> Sequence[Entry]:
        """Return its functions that are steps, and its includes, as they stand in one include of it.

        Raises:
            DefinitionError: Something in it can't be a step.
        """
        return self._modules().entries(path, prefix=prefix, lists=lists)

    def take_in(self, workflow: Workflow, annotations: dict[StepId, object]) -> list[pytest.Item | pytest.Collector]:
        """Return what pytest is to collect of the fragments, after telling each item which step it is."""
        return [] if self._made is None else self._made.take_in(workflow, annotations)

    def _modules(self) -> FragmentModules:
        if self._made is None:
            from . import _collect_fragments

            self._made = _collect_fragments.FragmentModules(self._file)
        return self._made
