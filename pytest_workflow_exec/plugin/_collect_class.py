"""Classes of steps in a Python workflow: what pytest would leave out of one without a word is refused."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping

import pytest

from pytest_workflow_exec.definition import options_of, track
from pytest_workflow_exec.errors import DefinitionError, Problem

from ._keys import PLANNED


class WorkflowClass(pytest.Class):
    """A class of steps; pytest's own fixtures and setup methods of classes work in it."""

    _ids: frozenset[str] = frozenset()
    _found: tuple[pytest.Item | pytest.Collector, ...] = ()

    @property
    def title(self) -> str:
        """What stands before the names of its steps: `TestSite`, or `TestSite.TestDatabase`."""
        if isinstance(self.parent, WorkflowClass):
            return f"{self.parent.title}.{self.name}"
        return self.name.removeprefix(self.prefix)

    @property
    def prefix(self) -> str:
        """How the ids of its steps begin, if it is included."""
        return str(getattr(self.getparent(pytest.Module), "prefix", ""))

    def istestfunction(self, obj: object, name: str) -> bool:
        """Return whether an attribute of the class is a step under its id."""
        return name in self._ids

    def collect(self) -> Iterable[pytest.Item | pytest.Collector]:
        """Return the steps, which were found together with those of the file."""
        # A step whose list is empty has no case: pytest's item of it is no step.
        return [node for node in self._found if isinstance(node, WorkflowClass) or PLANNED in node.stash]

    def find(self) -> Iterator[pytest.Item | pytest.Collector]:
        """Find the steps, and give them with those of the classes inside, in their order.

        Raises:
            DefinitionError: pytest would leave out a step of it.
        """
        if _is_unittest(self.obj):
            # pytest would run its tests, also one called `runTest`, by way of unittest, where none is a step.
            self._refuse_unittest()
            return
        module = self.getparent(pytest.Module)
        methods = self._methods("" if module is None else module.obj.__name__)
        before = f"{self.prefix}{self.title}."
        self._ids = frozenset(before + name for name in methods)
        for name, method in methods.items():
            # pytest names an item after the attribute that it is, and a step's item ends in the step's id.
            setattr(self.obj, before + name, method)
        # The names were made just now: in the order of the class's attributes, its inner classes would come first.
        found = sorted(super().collect(), key=self._place)
        self._found = tuple(class_of_steps(node) for node in found)
        for node in self._found:
            yield from node.find() if isinstance(node, WorkflowClass) else (node,)

    def _refuse_unittest(self) -> None:
        owners = self._owners()
        if "runTest" in owners or any(self._is_step(base, name) for name, base in owners.items()):
            raise DefinitionError([self._problem("it is a unittest.TestCase; write its steps in a plain class")])

    def _methods(self, module: str) -> Mapping[str, object]:
        """Return its steps as attributes, in pytest's order: those of its bases first."""
        if not getattr(self.obj, "__test__", True):
            return {}
        owners = self._owners()
        written = [(name, base) for base in self.obj.__mro__ for name in vars(base) if self._is_step(base, name)]
        lost = [(name, base) for name, base in written if not self._is_step(owners[name], name)]
        problem = self._class_problem(module) if written else None
        if problem is None and lost:
            name, base = lost[0]
            problem = f"its {name!r} stands in place of the step {base.__qualname__}.{name}, and is none"
        if problem is not None:
            raise DefinitionError([self._problem(problem)])
        return {name: _tracked(vars(base)[name]) for name, base in owners.items() if self._is_step(base, name)}

    def _place(self, node: pytest.Item | pytest.Collector) -> int:
        name = node.originalname if isinstance(node, pytest.Function) else node.name
        return list(self._owners()).index(name.removeprefix(f"{self.prefix}{self.title}."))

    def _owners(self) -> Mapping[str, type]:
        """Return which class of its bases each attribute comes from, in pytest's order."""
        bases = self.obj.__mro__
        owners = {name: base for base in reversed(bases) for name in vars(base)}
        return {name: base for base in reversed(bases) for name in vars(base) if owners[name] is base}

    def _is_step(self, owner: type, name: str) -> bool:
        attribute = vars(owner)[name]
        # The dot is in the names under which steps of this and other classes were made attributes.
        return "." not in name and (
            options_of(_function(attribute)) is not None or super().istestfunction(attribute, name)
        )

    def _problem(self, message: str) -> Problem:
        line = self.reportinfo()[1]
        return Problem(
            path=self.path, line=None if line is None else line + 1, message=f"the class {self.title}: {message}"
        )

    def _class_problem(self, module: str) -> str | None:
        if self.obj.__module__ != module:
            return f"it is imported from {self.obj.__module__}; a step is defined in its workflow's file"
        if self.obj.__qualname__ != self.title:
            return f"it is another name of {self.obj.__qualname__}, whose steps would run twice"
        for method in ("__init__", "__new__"):
            if getattr(self.obj, method) is not getattr(object, method):
                return f"it has {method}, and pytest makes no such object; use fixtures or setup_method for its steps"
        return None


def class_of_steps(node: pytest.Item | pytest.Collector) -> pytest.Item | pytest.Collector:
    """Return a node of a Python workflow, a class as a class of steps."""
    if not isinstance(node, pytest.Class) or node.parent is None:
        return node
    made: WorkflowClass = WorkflowClass.from_parent(node.parent, name=node.name)
    return made


def _is_unittest(obj: object) -> bool:
    # A class of unittest exists only where something has imported it.
    unittest = sys.modules.get("unittest")
    return unittest is not None and isinstance(obj, type) and issubclass(obj, unittest.TestCase)


def _function(attribute: object) -> object:
    return attribute.__func__ if isinstance(attribute, (staticmethod, classmethod)) else attribute


def _tracked(attribute: object) -> object:
    function = _function(attribute)
    if options_of(function) is not None or not inspect.isfunction(function):
        return attribute
    # So that the judge can see that a plain test's body really ran.
    tracked: Callable[..., object] = track(function)
    if isinstance(attribute, staticmethod):
        return staticmethod(tracked)
    return classmethod(tracked) if isinstance(attribute, classmethod) else tracked
