"""What is said of a log whose records can't all be true."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json


class ContradictionError(Exception):
    """A record can't be true after the ones before it."""


def text_in(data: Mapping[str, Json], key: str) -> str:
    """Return the text of that name in a record's data.

    Raises:
        ContradictionError: There is none.
    """
    value = data.get(key)
    if isinstance(value, str):
        return value
    raise ContradictionError(f"its data has no text {key!r}")
