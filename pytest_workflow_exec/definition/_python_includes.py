"""The includes of a Python workflow: read by what reads those of YAML, where they stand among the functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pytest_workflow_exec.digests import digest_of
from pytest_workflow_exec.model import IncludedOutputs, Step, StepId

from ._ai_steps import check_executes, mode_of
from ._fragment_modules import Modules, Nobody
from ._fragments import Fragments
from ._include import IncludeOptions
from ._known import KnownValues
from ._problems import Problems
from ._python_fragments import names_of, reads_includes
from ._python_steps import Entry, FunctionReader, includes_of
from ._read import Read
from ._reader import Reader
from ._schema_basics import DeclarationModel
from ._steps import read_item

Outputs = Mapping[StepId, IncludedOutputs]
"""What each include with an id leaves; filled while reading."""


class Including(NamedTuple):
    """What reads a workflow's functions and includes."""

    reader: FunctionReader
    outputs: Outputs


def with_includes(
    reader: FunctionReader, entries: Sequence[Entry], *, file: Path, known: KnownValues, modules: Modules | None
) -> Including:
    """Return what also reads the includes of a workflow.

    Args:
        reader: Reads its functions.
        entries: Its functions and includes.
        file: The workflow's own.
        known: What can be known of its inputs and variables.
        modules: Imports the fragments that are Python; None: those are refused.
    """
    files, problems = reader.files, reader.problems
    fragments = Fragments(root=files.root, problems=problems, contents=files.contents, modules=modules or Nobody())
    around = Reader(
        problems=problems,
        files=files,
        inputs=reader.inputs,
        variables=reader.variables,
        all_variables=frozenset(reader.variables),
        known=known,
        ids=reader.ids,
        defaults=reader.defaults,
        fragments=fragments,
        within=(file,),
    )
    ids = frozenset((*reader.ids, *(name for entry in includes_of(entries) for name in names_of(around, entry))))
    read_one = reads_includes(replace(around, ids=ids), reader.around, read_item)

    def read_include(entry: IncludeOptions, read: Read) -> None:
        first = len(read.steps)
        read_one(entry, read)
        # The file's own fixtures are there for the steps of its fragments, too, as a conftest's are.
        read.steps[first:] = [_beside(step, reader.shared) for step in read.steps[first:]]

    return Including(replace(reader, ids=ids, read_include=read_include), fragments.outputs)


def _beside(step: Step, shared: str) -> Step:
    return replace(step, digest=digest_of({"of": step.digest, "rest of the module": shared}))


def check_included(model: DeclarationModel | None, steps: Sequence[Step], problems: Problems) -> None:
    """Add what is wrong with kinds of steps that only fragments bring into a Python workflow."""
    mode_of(model, steps, problems)
    check_executes(steps, problems)
