"""Fragments in Python: imported by pytest, with fixtures of their own, and their steps as items of the workflow's file."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType

import pytest

from pytest_workflow_exec.definition import EachLists, Entry, Fragment, options_of
from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.errors import DefinitionError, Problem, WorkflowExecError
from pytest_workflow_exec.model import StepId, Workflow

from ._collect_class import WorkflowClass, class_of_steps
from ._collect_functions import annotations_of, declared, functions_among, plan_items, with_includes
from ._garbage import no_garbage_collection
from ._keys import LISTS, PLANNED

_OF_THE_FILE = frozenset({
    "pytestmark", "setUpModule", "setup_function", "setup_module", "tearDownModule", "teardown_function",
    "teardown_module",
})  # fmt: skip
"""What pytest takes from a module once, for all includes of it: the file's own node has it."""


class FragmentFile(pytest.Module):
    """A fragment in one workflow: its module and the fixtures there, seen by its own steps alone."""

    def istestfunction(self, obj: object, name: str) -> bool:
        """Return that nothing is a step here: each include has them."""
        return False

    def istestclass(self, obj: object, name: str) -> bool:
        """Return that no class has steps here."""
        return False


class FragmentSteps(pytest.Module):
    """The steps of one include of a fragment. Its node id is that of the workflow's file, as those of its steps."""

    prefix = ""
    """How the ids of its steps begin."""

    def istestfunction(self, obj: object, name: str) -> bool:
        """Return whether a function is a step: decorated, or a test by name."""
        return options_of(obj) is not None or super().istestfunction(obj, name.removeprefix(self.prefix))

    def istestclass(self, obj: object, name: str) -> bool:
        """Return whether a class may have steps."""
        return super().istestclass(obj, name.removeprefix(self.prefix))


class _Seen(ModuleType):
    """A fragment's module as one include sees it: its functions and classes go by the names that steps have there."""

    def __init__(self, module: ModuleType) -> None:
        super().__init__(module.__name__, module.__doc__)
        self.__dict__["_module"] = module

    def __getattr__(self, name: str) -> object:
        if name in _OF_THE_FILE:
            raise AttributeError(name)
        return getattr(self.__dict__["_module"], name)


class FragmentModules:
    """The fragments in Python of one workflow, as reading it asks for them."""

    def __init__(self, file: pytest.Module) -> None:
        self._file = file
        self._files: dict[Path, FragmentFile] = {}
        self._nodes: list[pytest.Item | pytest.Collector] = []
        self.items: list[pytest.Function] = []
        """What pytest collected of them so far, those that are no step, too."""

    def declaration(self, path: Path, source: bytes) -> Fragment:
        """Return what the file says of itself, imported from this source.

        Raises:
            DefinitionError: It says nothing, can't be used, or is no longer what it was.
        """
        node: FragmentFile = FragmentFile.from_parent(
            self._file, path=path, nodeid=f"{self._file.nodeid}::{path.name}:{len(self._files)}"
        )
        _imported(node)
        if digest_of_bytes(path.read_bytes()) != digest_of_bytes(source):
            raise DefinitionError([Problem(path=path, message="changed while it was read; run again")])
        said = getattr(node.obj, "FRAGMENT", None)
        if not isinstance(said, Fragment):
            raise DefinitionError([Problem(path=path, message="FRAGMENT must be a Fragment(...)")])
        self._files[path] = node
        return said

    def entries(self, path: Path, *, prefix: str, lists: EachLists) -> Sequence[Entry]:
        """Return its functions that are steps, and its includes, as they stand in one include of it.

        Raises:
            DefinitionError: Something in it can't be a step.
        """
        file = self._files[path]
        include: FragmentSteps = FragmentSteps.from_parent(
            file, path=path, name=prefix.removesuffix("/") or path.name, nodeid=self._file.nodeid
        )
        include.prefix, include.stash[LISTS] = prefix, lists
        include.obj = _seen(include, file.obj)
        with no_garbage_collection():
            nodes = [class_of_steps(node) for node in include.collect()]
            items = functions_among(nodes, path=path, module=file.obj.__name__)
        self._nodes += nodes
        self.items += items
        return with_includes(declared(items, lists, prefix=prefix), file.obj, path=path)

    def take_in(self, workflow: Workflow, annotations: dict[StepId, object]) -> list[pytest.Item | pytest.Collector]:
        """Return what pytest is to collect of the fragments, after telling each item which step it is.

        Args:
            workflow: What was read with them.
            annotations: Where to put what their functions are annotated to return.
        """
        plan_items(self.items, workflow)
        annotations.update(annotations_of(self.items))
        # A step whose list is empty has no case: pytest's item of it is no step.
        return [node for node in self._nodes if isinstance(node, WorkflowClass) or PLANNED in node.stash]


def _imported(node: FragmentFile) -> None:
    try:
        with no_garbage_collection():
            # It collects nothing, but imports the module and makes its fixtures known.
            list(node.collect())
    except node.CollectError as error:
        # A misused decorator is the author's mistake in the definition, not a crash of their code.
        cause = error.__cause__
        if isinstance(cause, DefinitionError):
            raise cause from None
        if isinstance(cause, WorkflowExecError):
            raise DefinitionError([Problem(path=node.path, message=str(cause))]) from None
        raise


def _seen(include: FragmentSteps, module: ModuleType) -> ModuleType:
    seen = _Seen(module)
    for name, value in _members(module):
        if inspect.isclass(value) or include.istestfunction(value, include.prefix + name):
            # pytest names an item after the attribute that it is, and a step's item ends in the step's id.
            setattr(seen, include.prefix + name, value)
    return seen


def _members(module: ModuleType) -> Iterable[tuple[str, object]]:
    return ((name, value) for name, value in list(vars(module).items()) if not name.startswith("__"))
