"""The lists behind the `@each` of one Python workflow, read before pytest makes items of its functions."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pytest_workflow_exec.model import InputValue

from ._cases import Case, CaseReader
from ._decorators import Workflow
from ._inputs import read_inputs
from ._known import Given, KnownValues
from ._names import name_from_file
from ._options import EachOptions
from ._problems import Mark, Problems
from ._python_source import SourceError, parse_module
from ._source_checks import declaration_mark
from ._templates import Scope
from ._texts import read_variables


class EachLists:
    """The lists of one Python workflow; each is read once."""

    def __init__(
        self, path: Path, *, root: Path, source: bytes, declaration: object, given: Given, looking: bool = False
    ) -> None:
        """Read what the workflow declares; what is wrong with that is said when the workflow itself is read.

        Args:
            path: The file.
            root: The project that holds it.
            source: The file's content.
            declaration: What its `WORKFLOW` is.
            given: Returns what was given to inputs; asked only if a list comes from one.
            looking: Whether nothing will be run: then a list may stay open for want of an input.
        """
        self._problems, unsaid = Problems(path, fallback=_mark(source)), Problems(path)
        self._read: dict[EachOptions, tuple[Case, ...] | None] = {}
        said = declaration if isinstance(declaration, Workflow) else None
        specs, groups = read_inputs(text_keys(said and said.inputs), unsaid)
        declared = text_keys(said and said.vars)
        variables = read_variables(declared, inputs=groups, problems=unsaid)
        name = said.name if said is not None and isinstance(said.name, str) else name_from_file(path)
        self._known = KnownValues(
            root=root,
            specs=specs,
            variables=variables,
            given=lambda: given(name),
            problems=self._problems,
            looking=looking,
        )
        self._scope = Scope(inputs=groups, variables=variables.keys(), all_variables=frozenset(declared))

    @property
    def inputs(self) -> Mapping[str, InputValue]:
        """The inputs that the lists came from, with the values that they had."""
        return self._known.inputs

    def cases(self, each: EachOptions) -> tuple[Case, ...]:
        """Return the cases of a function; none after taking note of what is wrong with its list."""
        if each not in self._read:
            problems = self._problems.standing_at(Mark(each.place.line, 1))
            reader = CaseReader(problems=problems, scope=self._scope, known=self._known)
            self._read[each] = reader.read({each.name: each.listed}, ("@each",), allow_empty=each.allow_empty)
        return self._read[each] or ()

    def refuse(self, each: EachOptions, message: str) -> None:
        """Take note of what is wrong with an `@each` itself."""
        self._problems.standing_at(Mark(each.place.line, 1)).at(("@each", each.name), message)

    def raise_if_any(self) -> None:
        """Return if nothing is wrong with any list.

        Raises:
            DefinitionError: Something is; holds all of it, each with its place.
        """
        self._problems.raise_if_any()


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
