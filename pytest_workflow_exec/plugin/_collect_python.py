"""Python workflows as pytest items: `@step`, `@gate` and plain tests in source order, also in classes."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from pytest_workflow_exec.definition import (
    EachLists,
    check_python_source,
    is_fragment,
    is_workflow_file,
    options_of,
    python_workflow,
)
from pytest_workflow_exec.definition import Workflow as Declaration
from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.errors import DefinitionError, Problem, SettingsError, WorkflowExecError
from pytest_workflow_exec.model import Workflow

from ._collect_class import WorkflowClass, class_of_steps
from ._collect_fragments import FragmentModules
from ._collect_functions import annotations_of, declared, functions_among, plan_items, with_includes
from ._garbage import no_garbage_collection, young_garbage_only
from ._inputs import given_at_collection
from ._keys import LISTS, PLANNED
from ._planned import talking_problems
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
            outline = check_python_source(self.path, source)
        nodes = [class_of_steps(node) for node in self._imported(source)]
        items = functions_among(nodes, path=self.path, module=self.obj.__name__)
        self.stash[LISTS].raise_if_any()
        if digest_of_bytes(self.path.read_bytes()) != digest_of_bytes(source):
            raise DefinitionError([Problem(path=self.path, message="changed while it was read; run again")])
        modules = FragmentModules(self)
        with no_garbage_collection():
            workflow = python_workflow(
                self.path,
                root=root,
                source=source,
                outline=outline,
                declaration=_declaration(self),
                entries=with_includes(declared(items, self.stash[LISTS]), self.obj, path=self.path),
                lists=self.stash[LISTS],
                modules=modules,
            )
        if not session.add(workflow):
            return []
        plan_items(items, workflow)
        annotations = session.annotations[workflow.name] = annotations_of(items)
        with no_garbage_collection():
            included = modules.take_in(workflow, annotations)
            spelled = _spelled_out(self, workflow)
        if problems := list(talking_problems([*items, *modules.items, *spelled], workflow)):
            raise DefinitionError(problems)
        # A step whose list is empty has no case: pytest's item of it is no step.
        nodes = [node for node in nodes if isinstance(node, WorkflowClass) or PLANNED in node.stash]
        # pytest goes through them in any order: the plan's is made of all items later.
        return [*nodes, *included, *spelled]

    def _imported(self, source: bytes) -> Iterable[pytest.Item | pytest.Collector]:
        root = project_of(self.path)
        try:
            self.stash[LISTS] = EachLists.of_workflow(
                self.path,
                root=root,
                source=source,
                declaration=getattr(self.obj, "WORKFLOW", None),
                given=given_at_collection(self.config, root),
                looking=session_of(self.config).only_looks,
            )
            with young_garbage_only():
                return list(super().collect())
        except self.CollectError as error:
            # A misused decorator is the author's mistake in the definition, not a crash of their code.
            cause = error.__cause__
            if isinstance(cause, DefinitionError):
                raise cause from None
            if isinstance(cause, WorkflowExecError):
                raise DefinitionError([Problem(path=self.path, message=str(cause))]) from None
            raise


def _spelled_out(module: WorkflowModule, workflow: Workflow) -> list[pytest.Item]:
    """Return the items of the steps that its fragments say in YAML."""
    if not any(step.fragment for step in workflow.steps):
        return []
    # Only here: a workflow of functions loads nothing that does what steps in YAML say.
    from ._step_items import items_of

    return items_of(module, workflow)


def _declaration(module: WorkflowModule) -> Declaration:
    declaration = getattr(module.obj, "WORKFLOW", None)
    if not isinstance(declaration, Declaration):
        raise DefinitionError([Problem(path=module.path, message="WORKFLOW must be a Workflow(...)")])
    return declaration
