"""YAML workflows as pytest items: one per step, with fixtures like any test."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.definition import is_fragment, read_yaml_workflow
from pytest_workflow_exec.errors import DefinitionError, Problem, SettingsError

from ._collect_fragments import FragmentModules
from ._garbage import no_garbage_collection, set_aside
from ._inputs import given_at_collection
from ._named import is_named
from ._planned import talking_problems
from ._project import project_of
from ._session import session_of
from ._step_items import items_of

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
            modules = FragmentModules(self)
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
