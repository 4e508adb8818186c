"""Fragments in Python as their source tells them, and who imports them: only pytest does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_workflow_exec.errors import DefinitionError, Problem
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import StepId

from ._problems import Problems

if TYPE_CHECKING:
    from ._decorators import Fragment as Declaration
    from ._outline import Outline
    from ._python_cases import EachLists
    from ._python_steps import Entry


class Modules(Protocol):
    """What imports fragments in Python and finds what stands in them; only pytest does."""

    def declaration(self, path: Path, source: bytes) -> Declaration | None:
        """Return what the file says of itself, imported from this source; None: nothing here imports it.

        Raises:
            DefinitionError: It says nothing, can't be used, or is no longer what it was.
        """

    def entries(self, path: Path, *, prefix: str, lists: EachLists) -> Sequence[Entry]:
        """Return its functions that are steps, and its includes, as they stand in one include of it.

        Args:
            path: The file.
            prefix: How the ids of that include's steps begin.
            lists: The lists behind its `@each`.

        Raises:
            DefinitionError: Something in it can't be a step.
        """


class Nobody:
    """Where Python is not imported, a workflow can't include any."""

    def declaration(self, path: Path, source: bytes) -> Declaration | None:  # noqa: ARG002 - as the protocol says
        """Refuse.

        Raises:
            DefinitionError: Always.
        """
        message = "is Python, which only pytest imports: see its steps with pytest --workflow-plan"
        raise DefinitionError([Problem(path=path, message=message)])

    def entries(self, path: Path, *, prefix: str, lists: EachLists) -> Sequence[Entry]:  # noqa: ARG002
        """Return none."""
        return ()


class Passed(Nobody):
    """Where a workflow is only listed: what its fragments in Python hold is left open."""

    def __init__(self) -> None:
        self.functions_passed = 0
        """How many functions of fragments are steps, as far as their source tells; of each include."""

    def declaration(self, path: Path, source: bytes) -> Declaration | None:  # noqa: ARG002
        """Return nothing."""
        self.functions_passed += len(ids_in(source))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonSource:
    """The source of a fragment in Python."""

    source: bytes
    outline: Outline
    declaration: Declaration


def ids_in(source: bytes) -> tuple[StepId, ...]:
    """Return the ids of the steps in a module's source, as far as it tells; none if it is no Python."""
    from ._python_source import SourceError, functions_in, parse_module
    from ._spellings import decorated_functions, is_fixture, is_test

    try:
        tree = parse_module(source)
    except SourceError:
        return ()
    tests = (name for name, node in functions_in(tree).items() if is_test(node) and not is_fixture(node))
    return tuple(dict.fromkeys((*tests, *decorated_functions(tree))))


def includes_in(source: bytes) -> tuple[dict[str, object], ...]:
    """Return what a module includes, as far as its source tells; nothing if it is no Python."""
    from ._python_source import SourceError, parse_module
    from ._spellings import literal_includes

    try:
        return tuple(literal_includes(parse_module(source)))
    except SourceError:
        return ()


def python_source(path: Path, source: bytes, modules: Modules) -> PythonSource | None:
    """Return a fragment in Python, imported; None where it is left open.

    Raises:
        DefinitionError: It is none, or can't be used; holds all problems, each with its place.
    """
    from ._outline import FRAGMENT
    from ._source_checks import check_python_source

    outline = check_python_source(path, source, declares=FRAGMENT)
    declaration = modules.declaration(path, source)
    if declaration is None:
        return None
    if outline is None:
        raise DefinitionError([Problem(path=path, message="is no Python")])
    return PythonSource(source=source, outline=outline, declaration=declaration)


def problems_in(path: Path, source: bytes) -> Problems:
    """Return what collects the problems of a fragment in Python; those of its declaration stand at that."""
    from ._outline import FRAGMENT, declaration_mark
    from ._python_source import SourceError, parse_module

    try:
        return Problems(path, fallback=declaration_mark(parse_module(source), FRAGMENT))
    except SourceError:
        return Problems(path)
