"""The narrow door to a model that is talked with: words go in, words come out, and every look at a file is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Literal, Protocol, TypeAlias

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._backend import AiNews, AiUsage
from ._workspace import Workspace

ReplyOutcome: TypeAlias = Literal["whole", "interrupted", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TalkSetup:
    """What stays the same in a conversation."""

    step: str
    model: str
    system: str
    workspace: Workspace
    redact: Callable[[str], str]
    """Takes known secrets out of what a model is shown."""
    budget_usd: float | None
    """What may be spent from here on; None for no bound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a model wants to do with a tool."""

    tool: str
    """As the program calls it."""
    arguments: Mapping[str, object]
    problem: str | None
    """Why it may not; None if it may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What came of one turn."""

    outcome: ReplyOutcome
    text: str = ""
    error: str = ""
    """Why it is not whole; empty if it is."""
    kind: str = ""
    """The class of the error."""
    looks: tuple[Mapping[str, Json], ...] = ()
    """What the tools showed, by size and digest."""
    usage: AiUsage = field(default_factory=AiUsage)
    versions: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ear:
    """Whoever listens to a turn; all of it is called in the thread that speaks."""

    hear: Callable[[str], None]
    """Takes the next words of the model, as they come."""
    judge: Callable[[Wish], None]
    """Takes down what the model wants to do, before it is done; nothing is done if it raises."""
    tell: Callable[[AiNews], None]
    interrupted: Callable[[], None] = lambda: None
    """Is told that the turn is being broken off, and that a second Ctrl-C ends everything."""


class Talker(Protocol):
    """A model that is talked with."""

    @property
    def is_over(self) -> bool:
        """Whether nothing more can be said to it."""
        ...

    def say(self, text: str, ear: Ear, *, timeout_s: float) -> Reply:
        """Say something, and return what came of it, whatever it is.

        Ctrl-C breaks the turn off; a second one passes through.
        """
        ...

    def close(self) -> None:
        """End it."""
        ...
