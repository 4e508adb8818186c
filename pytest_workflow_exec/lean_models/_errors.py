"""What is wrong with data, in pydantic's words and under its names, so that those who read them need not care."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

Place = tuple["str | int", ...]
"""Where a value stands: keys and positions from the outermost on."""


class Detail(TypedDict):
    """One thing that is wrong."""

    type: str
    loc: Place
    msg: str
    input: object
    ctx: Mapping[str, object]


class Complaint(ValueError):  # noqa: N818  # what a validator says of a value; whether it is an error is not its to know
    """What a validator has to say of a value, under a name of its own."""

    def __init__(self, kind: str, message: str, /, **named: object) -> None:
        super().__init__(message)
        self.kind, self.named = kind, named


class ValidationError(ValueError):
    """Data that is not what a model declares."""

    def __init__(self, model: str, details: Sequence[Detail]) -> None:
        super().__init__(f"{len(details)} errors for {model}: {'; '.join(_spelled(detail) for detail in details)}")
        self._details = tuple(details)

    def errors(self) -> list[Detail]:
        """Return all that is wrong, in the order in which the model declares it; unknown keys come last."""
        return list(self._details)


def _spelled(detail: Detail) -> str:
    return f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}"
