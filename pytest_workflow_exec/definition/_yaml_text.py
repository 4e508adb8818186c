"""What is known of YAML without a reader of it: scalars as they were written, and the tree that they stand in."""

from __future__ import annotations

from pathlib import Path

from pytest_workflow_exec.errors import DefinitionError, Problem
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._problems import Mark, Problems

MAX_SIZE_BYTES = 1 << 20
QUOTES = "put quotes around it"


class Plain(str):
    """A scalar without quotes; only where a value has a type of its own does that make a difference."""

    __slots__ = ()


Value = str | list["Value"] | dict[str, "Value"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """One YAML document."""

    value: Value
    problems: Problems
    """What is wrong with its structure so far; knows the place of every value and key."""


def read_bytes(path: Path) -> bytes:
    """Return the content of a definition's file.

    Raises:
        DefinitionError: It can't be read, or is larger than a definition may be.
    """
    try:
        if not path.is_file():
            raise refusal(path, None, "is not a file")
        with path.open("rb") as file:
            content = file.read(MAX_SIZE_BYTES + 1)
    except OSError as error:
        raise refusal(path, None, f"can't be read: {error.strerror or error}") from error
    if len(content) > MAX_SIZE_BYTES:
        raise refusal(path, None, f"is larger than {MAX_SIZE_BYTES >> 20} MiB")
    return content


def refusal(path: Path, mark: Mark | None, message: str) -> DefinitionError:
    """Return the error of a file that can't be read any further."""
    line, column = mark or (None, None)
    return DefinitionError([Problem(path=path, line=line, column=column, message=message)])
