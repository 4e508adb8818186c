"""Workflows in YAML: from a file to the model, or to everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from pytest_workflow_exec.model import Template, Workflow

from ._ai_steps import mode_of
from ._comparisons import check_comparisons
from ._defaults import read_defaults
from ._fragment_modules import Modules, Nobody, Passed
from ._inputs import read_inputs
from ._known import Given, KnownValues, nothing_given
from ._schema import FileModel
from ._steps import read_steps
from ._texts import Files, read_group, read_variables
from ._validation import validated
from ._workflow_file import absolute, check_in_project, workflow_name, workflow_sources
from ._yaml_text import read_bytes
from ._yaml_tree import read_tree


def read_yaml_workflow(
    path: Path, *, root: Path, given: Given = nothing_given, looking: bool = False, modules: Modules | None = None
) -> Workflow:
    """Return the workflow in a YAML file of the project at `root`; nothing of it runs.

    Args:
        path: The file.
        root: The project.
        given: Returns what was given to inputs; asked only if a list of cases comes from one.
        looking: Whether nothing will be run: then a list may stay open for want of an input.
        modules: Imports the fragments in Python that it includes; None: those are refused.

    Raises:
        DefinitionError: The file is not a workflow; holds all its problems, each with its place.
    """
    path, root = absolute(path), absolute(root)
    check_in_project(path, root)
    content = read_bytes(path)
    tree = read_tree(path, content)
    problems = tree.problems
    data = tree.value if isinstance(tree.value, dict) else {}
    model = validated(FileModel, tree.value, (), problems)
    specs, groups = read_inputs(_mapping(data.get("inputs")), problems)
    declared = _mapping(data.get("vars"))
    variables = read_variables(declared, inputs=groups, problems=problems)
    group = read_group(model, inputs=groups, variables=variables, declared=declared, problems=problems)
    files = Files(root=root, folder=path.parent, contents={path: content})
    name = workflow_name(model, path, problems)
    known = KnownValues(
        root=root, specs=specs, variables=variables, given=lambda: given(name), problems=problems, looking=looking
    )
    results: dict[str, Template] = {}
    read, included = read_steps(
        {key: steps for key in ("steps", "finally") if isinstance(steps := data.get(key), list)},
        problems=problems,
        files=files,
        inputs=groups,
        variables=variables,
        all_variables=frozenset(declared),
        known=known,
        file=path,
        outputs=_mapping(data.get("outputs")),
        results=results,
        defaults=read_defaults(data.get("defaults"), problems),
        modules=modules or Nobody(),
    )
    check_comparisons(read, specs, problems)
    mode = mode_of(model, read, problems)
    sources = workflow_sources(files, problems)
    problems.raise_if_any()
    if not read and not isinstance(modules, Passed):
        problems.at(("steps",), "no step is left: the list of each foreach is empty")
        problems.raise_if_any()
    checked = model or FileModel.model_construct()
    return Workflow(
        name=name,
        description=checked.description,
        mode=mode,
        file=path,
        root=root,
        inputs=specs,
        variables=MappingProxyType(variables),
        concurrency=group,
        listed=MappingProxyType(known.inputs),
        outputs=MappingProxyType(results),
        included=MappingProxyType(dict(included)),
        only=None if checked.policy is None else tuple(map(str, checked.policy.only)),
        steps=read,
        sources=MappingProxyType(sources),
    )


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}
