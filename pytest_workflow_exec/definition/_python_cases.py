"""The lists behind the `@each` of one Python workflow, read before pytest makes items of its functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_workflow_exec.errors import DefinitionError
from pytest_workflow_exec.model import InputSpec, InputValue

from ._cases import Case
from ._decorators import Workflow
from ._known import Given
from ._names import name_from_file
from ._options import EachOptions
from ._outline import declaration_mark
from ._problems import Mark, Problems
from ._python_source import SourceError, parse_module
from ._templates import Scope
from ._texts import read_variables

if TYPE_CHECKING:
    from ._inputs import InputGroups
    from ._known import KnownValues


class EachLists:
    """The lists of one Python workflow, or of one include of a fragment; each is read once."""

    def __init__(self, *, problems: Problems, scope: Scope, known: KnownValues) -> None:
        """Read nothing yet.

        Args:
            problems: Those of the file.
            scope: What its lists may name.
            known: What can be known of that.
        """
        self._problems, self._scope, self.known = problems, scope, known
        """What can be known of inputs and variables."""
        self._read: dict[EachOptions, tuple[Case, ...] | None] = {}

    @classmethod
    def of_workflow(
        cls, path: Path, *, root: Path, source: bytes, declaration: object, given: Given, looking: bool = False
    ) -> EachLists:
        """Return the lists of a workflow; what is wrong with what it declares is said when it is read itself.

        Args:
            path: The file.
            root: The project that holds it.
            source: The file's content.
            declaration: What its `WORKFLOW` is.
            given: Returns what was given to inputs; asked only if a list comes from one.
            looking: Whether nothing will be run: then a list may stay open for want of an input.
        """
        from ._known import KnownValues

        problems, unsaid = Problems(path, fallback=_mark(source)), Problems(path)
        said = declaration if isinstance(declaration, Workflow) else None
        specs, groups = inputs_of(said and said.inputs, unsaid)
        declared = text_keys(said and said.vars)
        variables = read_variables(declared, inputs=groups, problems=unsaid)
        name = said.name if said is not None and isinstance(said.name, str) else name_from_file(path)
        known = KnownValues(
            root=root,
            specs=specs,
            variables=variables,
            given=lambda: given(name),
            problems=problems,
            looking=looking,
        )
        scope = Scope(inputs=groups, variables=variables.keys(), all_variables=frozenset(declared))
        return cls(problems=problems, scope=scope, known=known)

    @property
    def inputs(self) -> Mapping[str, InputValue]:
        """The inputs that the lists came from, with the values that they had."""
        return self.known.inputs

    def cases(self, each: EachOptions) -> tuple[Case, ...]:
        """Return the cases of a function; none after taking note of what is wrong with its list."""
        from ._cases import CaseReader

        if each not in self._read:
            problems = self._problems.standing_at(Mark(each.place.line, 1))
            reader = CaseReader(problems=problems, scope=self._scope, known=self.known)
            self._read[each] = reader.read(each.lists, ("@each",), allow_empty=each.allow_empty)
        return self._read[each] or ()

    def is_open(self, each: EachOptions) -> bool:
        """Return whether the cases of a function can't be told: something is wrong with its list, or nobody gave it."""
        return any(case.is_open for case in self.cases(each)) or self._read[each] is None

    def refuse(self, each: EachOptions, name: str, message: str) -> None:
        """Take note of what is wrong with a parameter of an `@each` itself."""
        self._problems.standing_at(Mark(each.place.line, 1)).at(("@each", name), message)

    def hand_over(self, problems: Problems) -> None:
        """Add what was found to problems of the same file."""
        try:
            self._problems.raise_if_any()
        except DefinitionError as error:
            for problem in error.problems:
                problems.take(problem)

    def raise_if_any(self) -> None:
        """Return if nothing is wrong with any list.

        Raises:
            DefinitionError: Something is; holds all of it, each with its place.
        """
        self._problems.raise_if_any()


def inputs_of(declared: object, problems: Problems) -> tuple[tuple[InputSpec, ...], InputGroups]:
    """Return the inputs that a workflow in Python declares, and what references to them may name."""
    named = text_keys(declared)
    if not named:
        return (), {}
    # Only here: the models of inputs are not needed where there is none.
    from ._inputs import read_inputs

    return read_inputs(named, problems)


def text_keys(value: object) -> Mapping[str, object]:
    """Return the entries of a mapping that are named by texts; the others are refused with the whole of it."""
    return {key: item for key, item in value.items() if isinstance(key, str)} if isinstance(value, Mapping) else {}


def _mark(source: bytes) -> Mark:
    if b"each" not in source:
        # Nothing of it will be complained about, and a long file takes its time.
        return Mark(1, 1)
    try:
        return declaration_mark(parse_module(source))
    except SourceError:
        return Mark(1, 1)
