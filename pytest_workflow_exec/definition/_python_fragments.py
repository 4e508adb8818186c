"""Fragments in Python: their functions as steps of the file that includes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.model import StepId, Template, plain_id

from ._blocks import ReadItem
from ._collected import check_collected, in_source_order, shared_digest
from ._fragment_modules import Modules, PythonSource
from ._given import Given
from ._include import IncludeOptions
from ._names import quoted
from ._problems import Mark, Problems
from ._python_cases import EachLists
from ._python_steps import (
    Entry,
    FunctionReader,
    Include,
    ReadInclude,
    functions_of,
    includes_of,
    read_functions,
)
from ._read import Read, Surrounding
from ._reader import Reader
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
    read_item: ReadItem,
) -> Reader:
    """Read the functions of a fragment as steps of the file that includes it, after adding what is wrong with them.

    Returned is the reader with the names of all steps, which the source alone does not tell.

    Args:
        reader: Reads the fragment; it knows what that was given.
        python: Its source.
        found: Where to put its steps.
        fragment: Its file, from the project root.
        own: The id of the include; None if it has none.
        inside: Where its steps stand.
        always: Whether the include stands in a `finally`.
        modules: Finds its functions.
        read_item: Reads what it includes itself.
    """
    problems, path = reader.problems, reader.within[-1]
    scope = Scope(
        inputs=reader.inputs, variables=reader.variables.keys(), all_variables=reader.all_variables, given=reader.given
    )
    lists = EachLists(problems=problems, scope=scope, known=reader.known)
    try:
        entries = in_source_order(python.outline, modules.entries(path, prefix=inside.prefix, lists=lists))
    except DefinitionError as error:
        for problem in error.problems:
            problems.take(problem)
        return reader
    functions = functions_of(entries)
    plain = (step for function in functions for step in (function.name, *function.ids))
    include = Include(
        fragment=fragment, own=own, always=always, given=reader.given, inputs=seen_inputs(reader.inputs, reader.given)
    )
    included = (each for entry in includes_of(entries) for each in names_of(reader, entry, inside.prefix))
    ids = frozenset((*reader.ids, *plain, *included))
    functions_reader = FunctionReader(
        problems=problems,
        files=reader.files,
        lines=python.source.splitlines(),
        written=python.outline.functions,
        shared=shared_digest(python.source, python.outline, functions),
        inputs=reader.inputs,
        variables=reader.variables,
        # A dot in an id would else be read as that of a key.
        ids=ids,
        defaults=reader.defaults,
        around=inside,
        include=include,
        read_include=reads_includes(replace(reader, ids=ids), inside, read_item, own=own, always=always),
    )
    check_collected(python.outline, entries, problems)
    last = next((entry for entry in entries if functions_reader.runs_last(entry)), None)
    if last is not None:
        _check_last(last, fragment, problems, own=own, always=always)
    read_functions(functions_reader, entries, found)
    return replace(reader, ids=ids)


def names_of(reader: Reader, entry: IncludeOptions, prefix: str = "") -> Iterator[str]:
    """Give the plain ids of the steps that an include stands for, by themselves and behind a prefix."""
    for around in {"", plain_id(f"{prefix}x")[:-1]}:
        yield from reader.expand(entry.said, around)


def reads_includes(
    reader: Reader, inside: Surrounding, read_item: ReadItem, *, own: StepId | None = None, always: bool = False
) -> ReadInclude:
    """Return what reads the includes of a file of functions, each as an entry of a list in YAML.

    Args:
        reader: Reads the file.
        inside: Where its steps stand.
        read_item: Reads such an entry.
        own: The id of the include of the file itself; None if it has none.
        always: Whether that include stands in a `finally`.
    """

    def read_one(entry: IncludeOptions, read: Read) -> None:
        there = reader.problems.standing_at(Mark(max(1, entry.place.line), 1))
        cleans = own if entry.always and not always else inside.cleans
        around = replace(inside, cleans=cleans, depth=inside.depth + 1)
        read_item(replace(reader, problems=there, around=around), read, dict(entry.said), (), always or entry.always)

    return read_one


def _check_last(entry: Entry, fragment: str, problems: Problems, *, own: StepId | None, always: bool) -> None:
    if isinstance(entry, IncludeOptions):
        line, name, word = entry.place.line, str(entry.said["include"]), "include"
    else:
        line, name, word = entry.line, entry.name, "step"
    there = problems.standing_at(Mark(max(1, line), 1))
    what = f"{quoted(name)} says always=True, and {fragment} is included"
    if own is None:
        there.at((), f"{what} without an id; give the include one, so that it says what the {word} cleans up after")
    if always:
        there.at((), f"{what} in a finally, which can't hold another: include it among the steps")


def seen_inputs(inputs: Mapping[str, frozenset[str] | None], given: Given) -> Mapping[str, Template]:
    """Return what the code of a fragment's steps sees as its inputs: all but secrets."""
    return {
        name: Template(text=f"${{inputs.{name}}}", parts=(given["inputs", name],))
        for name, groups in inputs.items()
        if groups is not SECRET and ("inputs", name) in given
    }
