"""What reading the steps of a file in YAML needs: its names, its fragments, and how its steps are told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from pathlib import Path
from types import MappingProxyType

from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import (
    CaseValue,
    Condition,
    Reference,
    StepId,
    Template,
)

from ._cases import CaseReader
from ._defaults import Defaults
from ._fragments import Fragments, is_include
from ._known import KnownValues
from ._names import step_id_problem
from ._problems import Problems
from ._read import Read, Surrounding
from ._schema import KINDS
from ._templates import Scope
from ._texts import Files, Texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """Reads the steps of one file."""

    problems: Problems
    files: Files
    inputs: Mapping[str, frozenset[str] | None]
    variables: Mapping[str, Template]
    all_variables: frozenset[str]
    known: KnownValues
    ids: frozenset[str]
    """The plain ids of all steps: those in blocks without the names of cases."""
    defaults: Defaults
    around: Surrounding = field(default_factory=Surrounding)
    fragments: Fragments
    within: tuple[Path, ...]
    """The file that the steps stand in, behind those that include it."""
    given: Mapping[tuple[str, str], Reference] = field(default_factory=dict)
    """In a fragment, what its inputs and variables stand for."""

    def ids_of(self, items: object, prefix: str = "") -> Iterator[str]:
        """Give the ids of all steps in a list of the file, those in blocks as `update/drain`."""
        return plain_ids(items, prefix, self.expand)

    def expand(self, item: Mapping[str, object], prefix: str) -> Iterator[str]:
        """Give the ids that an include stands for: its own, or those of the fragment's steps."""
        own = own_ids(item)
        if own:
            yield f"{prefix}{own[0]}"
            return
        fragment = self.fragments.glance(item.get("include"), self.files.folder, within=self.within)
        if fragment is None:
            return
        files = replace(self.files, folder=fragment.path.parent)
        inner = replace(self, files=files, within=(*self.within, fragment.path))
        if fragment.ids is None:
            yield from inner.ids_of(fragment.data.get("steps"), prefix)
            return
        yield from (f"{prefix}{step_id}" for step_id in fragment.ids)
        for included in fragment.includes:
            yield from inner.expand(included, prefix)

    def cases(self) -> CaseReader:
        """Return what reads lists of cases."""
        scope = Scope(
            inputs=self.inputs, variables=self.variables.keys(), all_variables=self.all_variables, given=self.given
        )
        return CaseReader(problems=self.problems, scope=scope, known=self.known)

    def texts(
        self, own: StepId, when: Condition | None, read: Read, each: Mapping[str, CaseValue] | None = None
    ) -> Texts:
        """Return what reads the texts of one step.

        Args:
            own: The step's id, without the name of its own case.
            when: Its condition.
            each: What its own case stands for; None if it has none.
        """
        around = self.around
        scope = Scope(
            inputs=self.inputs,
            variables=self.variables.keys(),
            all_variables=self.all_variables,
            steps=read.keys,
            all_steps=self.ids,
            own_step=own,
            own_when=when,
            conditional=read.conditional,
            cases=read.cases,
            each=each if around.each is None else {**around.each, **(each or {})},
            block=around.prefix,
            closed=read.closed,
            waivable=read.waivable,
            included=read.included,
            given=self.given,
            in_fragment=len(self.within) > 1,
        )
        return Texts(problems=self.problems, scope=scope)


NO_CASES: Mapping[str, CaseValue] = MappingProxyType({})


def is_block(item: object) -> bool:
    """Return whether an entry of a list of steps is a block of them."""
    return isinstance(item, dict) and ("steps" in item or ("finally" in item and not item.keys() & set(KINDS)))


def own_ids(item: object) -> list[str]:
    """Return the id that an entry of a list of steps says, if it is one."""
    step_id = item.get("id") if isinstance(item, dict) else None
    return [step_id] if isinstance(step_id, str) and step_id_problem(step_id) is None else []


Expand = Callable[[Mapping[str, object], str], Iterator[str]]
"""Gives the ids that an include stands for, each with a prefix."""


def plain_ids(items: object, prefix: str, expand: Expand) -> Iterator[str]:
    """Give the ids of all steps in a list, those in blocks as `update/drain`."""
    for item in items if isinstance(items, list) else ():
        if is_include(item):
            yield from expand(item, prefix)
            continue
        for step_id in own_ids(item):
            if is_block(item):
                yield from plain_ids(item.get("steps"), f"{prefix}{step_id}/", expand)
                yield from plain_ids(item.get("finally"), f"{prefix}{step_id}/", expand)
            else:
                yield f"{prefix}{step_id}"
