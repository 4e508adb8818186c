"""TOML as values, and the line on which one of them stands."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias, cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lazy_patterns import lazy_pattern

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

Place: TypeAlias = "tuple[str | int, ...]"
"""Where a value stands: the keys of tables and the positions in lists that lead to it."""

TomlError = tomllib.TOMLDecodeError

_MARK = "where-is-this"
_ASSIGNMENT = lazy_pattern(r"\s*([^=#\[]+?)\s*=")


def parse(text: str) -> Mapping[str, Json]:
    """Return the content of a TOML text.

    Raises:
        TomlError: It is not valid TOML.
    """
    return cast("Mapping[str, Json]", tomllib.loads(text))


def line_of(text: str, place: Sequence[str | int]) -> int | None:
    """Return the line of a valid TOML text on which the value at `place`, or what holds it, begins; None if unsure."""
    lines = text.splitlines()
    best, found = 0, None
    for number, line in enumerate(lines, start=1):
        if not any(isinstance(part, str) and part in line for part in place):
            continue
        stands = _place_of(lines[: number - 1], line)
        if stands and len(stands) > best and tuple(place[: len(stands)]) == stands:
            best, found = len(stands), number
    return found


def _place_of(before: Sequence[str], line: str) -> Place:
    """Return what a line begins to define; nothing if it stands within a value."""
    # What is before a line inside a text or list of several lines is no TOML by itself.
    header, assignment = line.lstrip().startswith("["), _ASSIGNMENT.match(line)
    if header:
        return _marked([*before, line])[:-1]
    if assignment is None:
        return ()
    return _marked([*before, f"{assignment[1]}.{_MARK} = 1"])[:-1]


def _marked(lines: Sequence[str]) -> Place:
    ended = lines if _MARK in lines[-1] else [*lines, f"{_MARK} = 1"]
    try:
        content = parse("\n".join(ended))
    except TomlError:
        return ()
    return next(iter(_marks(content, ())), ())


def _marks(value: Json, place: Place) -> Iterator[Place]:
    if isinstance(value, Mapping):
        if _MARK in value:
            yield (*place, _MARK)
        for key, item in value.items():
            yield from _marks(item, (*place, key))
    elif isinstance(value, list):
        for position, item in enumerate(value):
            yield from _marks(item, (*place, position))
