"""Workflows in Python: from a declaration and the collected functions to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pytest_workflow_exec.errors import DefinitionError, Problem
from pytest_workflow_exec.model import IncludedOutputs, StepId, Template, Workflow

from ._collected import check_collected, in_source_order, shared_digest
from ._decorators import WorkflowDeclaration
from ._defaults import read_python_defaults
from ._fragment_modules import Modules
from ._include import IncludeOptions
from ._known import nothing_given
from ._outline import Outline, outline_of
from ._problems import Problems
from ._python_cases import EachLists, inputs_of, text_keys
from ._python_source import SourceError, parse_module
from ._python_steps import Entry, FunctionReader, functions_of, read_functions, texts_behind
from ._read import Read
from ._schema_basics import DeclarationModel
from ._spellings import Spellings
from ._texts import Files, read_group, read_variables
from ._validation import validated
from ._workflow_file import absolute, check_in_project, workflow_name, workflow_sources


def python_workflow(
    path: Path,
    *,
    root: Path,
    source: bytes,
    outline: Outline | None = None,
    declaration: WorkflowDeclaration,
    entries: Sequence[Entry],
    lists: EachLists | None = None,
    modules: Modules | None = None,
) -> Workflow:
    """Return the workflow of a Python file.

    Args:
        path: The file.
        root: The project that holds it.
        source: The file's content, as it was imported.
        outline: Its outline, if it has been parsed.
        declaration: Its `WORKFLOW`.
        entries: Its functions and includes in their order.
        lists: The lists that gave functions their cases; None: none did.
        modules: Imports the fragments in Python that it includes; None: those are refused.

    Raises:
        DefinitionError: It is not a workflow; holds all its problems, each with its place.
    """
    path, root = absolute(path), absolute(root)
    check_in_project(path, root)
    outline = outline or _outline(path, source)
    entries = in_source_order(outline, entries)
    problems = Problems(path, fallback=outline.declaration)
    model = validated(DeclarationModel, _declared(declaration), (), problems)
    specs, groups = inputs_of(declaration.inputs, problems)
    declared = text_keys(declaration.vars)
    variables = read_variables(declared, inputs=groups, problems=problems)
    group = read_group(model, inputs=groups, variables=variables, declared=declared, problems=problems)
    files = Files(root=root, folder=path.parent, contents={path: source})
    functions = functions_of(entries)
    lists = lists or EachLists.of_workflow(path, root=root, source=source, declaration=declaration, given=nothing_given)
    reader = FunctionReader(
        problems=problems,
        files=files,
        lines=source.splitlines(),
        written=outline.functions,
        shared=shared_digest(source, outline, functions),
        inputs=groups,
        variables=variables,
        defaults=read_python_defaults(declaration.defaults, problems),
        ids=frozenset(step for function in functions for step in (function.name, *function.ids)),
    )
    included: Mapping[StepId, IncludedOutputs] = {}
    if any(isinstance(entry, IncludeOptions) for entry in entries):
        # Only here: a workflow without a fragment in YAML loads nothing that reads such steps.
        from ._python_includes import with_includes

        reader, included = with_includes(reader, entries, file=path, known=lists.known, modules=modules)
    check_collected(outline, entries, problems)
    results: dict[str, Template] = {}
    read = Read()
    read_functions(reader, entries, read)
    steps = tuple(read.steps)
    if reader.read_include is not None:
        from ._python_includes import check_included

        check_included(model, steps, problems)
    if declaration.outputs:
        from ._results import read_results

        read_results(text_keys(declaration.outputs), texts_behind(reader, read), into=results)
    if any(step.when is not None for step in steps):
        from ._comparisons import check_comparisons
        from ._whens import check_covered

        check_covered(steps, problems)
        check_comparisons(steps, specs, problems)
    name = workflow_name(model, path, problems)
    sources = workflow_sources(files, problems)
    lists.hand_over(problems)
    problems.raise_if_any()
    if not steps:
        problems.at((), "no step is left: the list of each @each is empty")
        problems.raise_if_any()
    checked = model or DeclarationModel()
    return Workflow(
        name=name,
        description=checked.description,
        mode=checked.mode,
        file=path,
        root=root,
        inputs=specs,
        variables=MappingProxyType(variables),
        concurrency=group,
        listed=MappingProxyType(dict(lists.inputs)),
        outputs=MappingProxyType(results),
        included=MappingProxyType(dict(included)),
        only=None if checked.policy is None else tuple(checked.policy.only),
        steps=steps,
        sources=MappingProxyType(sources),
    )


def _outline(path: Path, source: bytes) -> Outline:
    try:
        tree = parse_module(source)
    except SourceError as error:
        raise DefinitionError([Problem(path=path, message=f"is no Python: {error}")]) from error
    return outline_of(tree, Spellings.in_module(tree))


def _declared(declaration: WorkflowDeclaration) -> Mapping[str, object]:
    said = {
        "description": declaration.description,
        "mode": declaration.mode,
        "inputs": declaration.inputs,
        "vars": declaration.vars,
        "concurrency": declaration.concurrency,
        "defaults": declaration.defaults,
        "outputs": declaration.outputs,
        "policy": declaration.policy,
    }
    return said if declaration.name is None else {"workflow": declaration.name, **said}
