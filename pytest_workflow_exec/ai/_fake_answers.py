"""What the fake of the Messages API can be told to answer: values, so that a script of them reads as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """The model writes prose.

    `pieces` are sent one by one. `stop_reason` is why it ended, as the API says it: `end_turn`, `refusal`, `max_tokens`.
    """

    pieces: tuple[str, ...]
    stop_reason: str = "end_turn"


@dataclass(frozen=True, slots=True)
class ToolCalls:
    """The model calls tools, several at once if there are several."""

    calls: tuple[tuple[str, Mapping[str, Json]], ...]


@dataclass(frozen=True, slots=True)
class Value:
    """The model answers with a value: a call of the tool that takes structured answers."""

    value: Json


@dataclass(frozen=True, slots=True)
class Error:
    """The API refuses with an HTTP status."""

    status: int
    message: str
    retry_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Silence:
    """The API takes the request and says nothing, for so many seconds or until the fake is closed."""

    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection ends in the middle of an answer, after `text`; before its first byte if there is none."""

    text: str | None = None


Answer: TypeAlias = Text | ToolCalls | Value | Error | Silence | Cut
Scripted: TypeAlias = "Answer | Json | Callable[[Mapping[str, Json]], Answer | Json]"
"""An answer; a text, which is prose; any other JSON value; or a function that is given the request's body."""


def as_answer(scripted: Scripted, body: Mapping[str, Json]) -> Answer:
    """Return the answer that was meant."""
    said = scripted(body) if callable(scripted) else scripted
    if isinstance(said, Text | ToolCalls | Value | Error | Silence | Cut):
        return said
    return Text((said,)) if isinstance(said, str) else Value(said)


def blocks_of(answer: Text | ToolCalls, number: int) -> Sequence[dict[str, Json]]:
    """Return an answer's content as the API spells it; `number` makes the ids of its calls unique."""
    if isinstance(answer, Text):
        return [{"type": "text", "text": "".join(answer.pieces)}]
    return [
        {"type": "tool_use", "id": f"toolu_{number}_{place}", "name": name, "input": arguments}
        for place, (name, arguments) in enumerate(answer.calls)
    ]
