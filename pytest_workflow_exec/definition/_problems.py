"""Collecting everything that is wrong with a file, each with its place."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from pytest_workflow_exec.errors import DefinitionError, Problem
from pytest_workflow_exec.lean_dataclasses import replace
from pytest_workflow_exec.model import Location

Where = tuple[str | int, ...]
"""A way into a definition: `("steps", 0, "gate", "question")`."""


class Mark(NamedTuple):
    """A place in a file; lines and columns count from 1."""

    line: int
    column: int


class Problems:
    """What was found so far in one file."""

    def __init__(
        self,
        path: Path,
        *,
        values: Mapping[Where, Mark] | None = None,
        keys: Mapping[Where, Mark] | None = None,
        fallback: Mark = Mark(1, 1),  # noqa: B008 - a tuple is not shared state
        found: list[Problem] | None = None,
        note: str = "",
    ) -> None:
        """Collect the problems of the file at `path`.

        Args:
            path: The file, as messages name it.
            values: Where each value stands. Without it (Python) the place is `fallback`, and messages name the way.
            keys: Where each key of a mapping stands.
            fallback: The place of what has no mark of its own.
            found: Where to collect; a list that other collectors also fill.
            note: What stands behind every message: who includes the file.
        """
        self._path, self._values, self._keys, self._fallback = path, values, keys or {}, fallback
        self._found: list[Problem] = [] if found is None else found
        self._note = note

    def standing_at(self, mark: Mark) -> Problems:
        """Return a collector for one function of a Python file: the same list, another place."""
        return Problems(self._path, fallback=mark, found=self._found, note=self._note)

    def of_included(self, other: Problems, *, note: str) -> Problems:
        """Return a collector for a file that this one includes: the same list, the other's places and what it found."""
        included = Problems(
            other._path, values=other._values, keys=other._keys, fallback=other._fallback, found=self._found, note=note
        )
        for problem in other._found:
            included.take(problem)
        return included

    def take(self, problem: Problem) -> None:
        """Add a problem that was found elsewhere."""
        self._found.append(replace(problem, message=problem.message + self._note))

    def demand_any(self, where: Where) -> None:
        """Add a problem with the value there if none was found at all: something that can't be read is one."""
        if not self._found:
            self.at(where, "can't be read")

    def at_location(self, location: Location, message: str) -> None:
        """Add what is wrong there, in this file or in one that it includes."""
        self._found.append(Problem(path=location.path, line=location.line, column=location.column, message=message))

    def knows(self, where: Where) -> bool:
        """Return whether a value stands there in the file."""
        return where in (self._values or {})

    def at(self, where: Where, message: str) -> None:
        """Add what is wrong with the value there."""
        self._add(self._mark(where), self._named(where, message))

    def at_key(self, where: Where, message: str) -> None:
        """Add what is wrong with the key there."""
        self._add(self._keys.get(where) or self._mark(where), self._named(where[:-1], message))

    def location(self, where: Where) -> Location:
        """Return the place of the value there."""
        mark = self._mark(where)
        return Location(path=self._path, line=mark.line, column=mark.column)

    def key_location(self, where: Where) -> Location:
        """Return the place of the key there."""
        mark = self._keys.get(where) or self._mark(where)
        return Location(path=self._path, line=mark.line, column=mark.column)

    def raise_if_any(self) -> None:
        """End reading, if anything was found.

        Raises:
            DefinitionError: With all problems, in the order of the file.
        """
        if self._found:
            unique = dict.fromkeys(self._found)
            raise DefinitionError(sorted(unique, key=self._order))

    def _order(self, problem: Problem) -> tuple[bool, str, int, int]:
        # This file's own first, then those of the files that it includes.
        return problem.path != self._path, str(problem.path), problem.line or 0, problem.column or 0

    def _add(self, mark: Mark, message: str) -> None:
        self._found.append(Problem(path=self._path, line=mark.line, column=mark.column, message=message + self._note))

    def _mark(self, where: Where) -> Mark:
        # The short forms have no mapping of their own (`gate: Publish?` has no `question`): their place
        # is that of the nearest value around them.
        for length in range(len(where), -1, -1):
            mark = (self._values or {}).get(where[:length])
            if mark is not None:
                return mark
        return self._fallback

    def _named(self, where: Where, message: str) -> str:
        if self._values is not None or not where:
            return message
        return f"{'.'.join(map(str, where))}: {message}"
