"""Fragments in Python: their functions as steps of the file that includes them."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.model import StepId, Template

from ._collected import check_collected, shared_digest
from ._fragment_modules import Modules, PythonSource
from ._given import Given
from ._names import quoted
from ._problems import Mark, Problems
from ._python_cases import EachLists
from ._python_steps import DeclaredFunction, FunctionReader, Include, read_functions
from ._read import Read, Surrounding
from ._reader import Reader
from ._source_checks import FRAGMENT
from ._templates import SECRET, Scope


def read_python_fragment(
    reader: Reader,
    python: PythonSource,
    found: Read,
    *,
    fragment: str,
    own: StepId | None,
    inside: Surrounding,
    always: bool,
    modules: Modules,
) -> None:
    """Read the functions of a fragment as steps of the file that includes it, after adding what is wrong with them.

    Args:
        reader: Reads the fragment; it knows what that was given.
        python: Its source.
        found: Where to put its steps.
        fragment: Its file, from the project root.
        own: The id of the include; None if it has none.
        inside: Where its steps stand.
        always: Whether the include stands in a `finally`.
        modules: Finds its functions.
    """
    problems, path = reader.problems, reader.within[-1]
    scope = Scope(
        inputs=reader.inputs, variables=reader.variables.keys(), all_variables=reader.all_variables, given=reader.given
    )
    lists = EachLists(problems=problems, scope=scope, known=reader.known)
    try:
        functions = modules.functions(path, prefix=inside.prefix, lists=lists)
    except DefinitionError as error:
        for problem in error.problems:
            problems.take(problem)
        return
    nodes = python.nodes
    plain = (step for function in functions for step in (function.name, *function.ids))
    include = Include(
        fragment=fragment, own=own, always=always, given=reader.given, inputs=seen_inputs(reader.inputs, reader.given)
    )
    functions_reader = FunctionReader(
        problems=problems,
        files=reader.files,
        lines=python.source.splitlines(),
        nodes=nodes,
        shared=shared_digest(python.source, python.tree, nodes, functions, declaration=FRAGMENT),
        inputs=reader.inputs,
        variables=reader.variables,
        # A dot in an id would else be read as that of a key.
        ids=frozenset((*reader.ids, *plain)),
        defaults=reader.defaults,
        around=inside,
        include=include,
    )
    check_collected(python.tree, functions, problems)
    last = next((function for function in functions if functions_reader.runs_last(function)), None)
    if last is not None:
        _check_last(last, fragment, problems, own=own, always=always)
    read_functions(functions_reader, functions, found)


def _check_last(
    function: DeclaredFunction, fragment: str, problems: Problems, *, own: StepId | None, always: bool
) -> None:
    there = problems.standing_at(Mark(max(1, function.line), 1))
    what = f"{quoted(function.name)} says always=True, and {fragment} is included"
    if own is None:
        there.at((), f"{what} without an id; give the include one, so that it says what the step cleans up after")
    if always:
        there.at((), f"{what} in a finally, which can't hold another: include it among the steps")


def seen_inputs(inputs: Mapping[str, frozenset[str] | None], given: Given) -> Mapping[str, Template]:
    """Return what the code of a fragment's steps sees as its inputs: all but secrets."""
    return {
        name: Template(text=f"${{inputs.{name}}}", parts=(given["inputs", name],))
        for name, groups in inputs.items()
        if groups is not SECRET and ("inputs", name) in given
    }
