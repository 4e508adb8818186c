"""The one narrow door to a model: a request goes in, an answer that Python has accepted comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Literal, Protocol, TypeAlias

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

Source: TypeAlias = Literal["live", "replay", "scripted"]
"""Where an answer came from. Only `live` was said by a model in this run."""

Accept: TypeAlias = Callable[[Json], tuple[str, ...]]
"""What is wrong with a proposed value, in pydantic's own words, one per message; empty says that it is accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AiRequest:
    """What a model is asked: everything that decides its answer, and the bounds of asking.

    Attributes:
        step: The id of the step that asks.
        model: The model's full name.
        system: The system prompt.
        prompt: The whole text of the user's turn, with its context; it is sent as it stands, nothing in it expands.
        schema: The JSON Schema of the answer as the author's type gives it, not yet fitted to any backend.
        attempts: How many answers may be tried before the request fails; at least 1.
        timeout: Seconds for the whole request, all attempts together.
        budget_usd: What the request may cost at most, None for no bound.
    """

    step: str
    model: str
    system: str
    prompt: str
    schema: Mapping[str, Json]
    attempts: int
    timeout: float
    budget_usd: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AiUsage:
    """What a request took; tokens are those of its own turns, cost is in US dollars at the backend's estimate."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AiAttempt:
    """One value that the model proposed, and what was wrong with it; no errors means that it was accepted."""

    value: Json
    errors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AiAnswer:
    """An accepted answer.

    Attributes:
        value: The accepted JSON value.
        source: Where it came from.
        attempts: All proposals in order; the last one is the accepted one.
        usage: What the request took.
        versions: Names and versions of what answered (`model`, `sdk`, `cli`), as far as known.
        options: The effective options of the backend, for the evidence.
    """

    value: Json
    source: Source
    attempts: tuple[AiAttempt, ...]
    usage: AiUsage = AiUsage()
    versions: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AiNews:
    """Something that a person who waits may want to see: `text` is one line, made safe by whoever shows it."""

    text: str
    usage: AiUsage | None = None
    passing: bool = False
    """Whether it is only of the moment: shown where the next one can stand in its place, and nowhere else."""
    refused_call: tuple[str, str] | None = None
    """The tool that the model asked for and does not have, and what for; evidence, too."""


class AiBackend(Protocol):
    """Something that answers prompts."""

    def ask(self, request: AiRequest, accept: Accept, tell: Callable[[AiNews], None]) -> AiAnswer:
        """Return the first proposal that `accept` finds nothing wrong with.

        Args:
            request: What is asked, and within which bounds.
            accept: The final word on every proposal. What it says goes back to the model, which may try again.
            tell: Takes what is worth showing while the request is under way.

        Raises:
            AiError: There is no accepted answer; it says what happened, its class, and carries attempts and usage.
        """
        ...
