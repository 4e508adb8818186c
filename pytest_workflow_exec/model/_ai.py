"""`ai:`, `session:` and `execute:`: a model gives typed data, and what it proposed to run is run once a person saw it."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._identity import StepId
from ._input import InputSpec
from ._text import Template

DEFAULT_MODEL = "claude-opus-5-5"
"""By its full name: a backend's own default drifts, and an answer of another model is another answer."""
DEFAULT_AI_ATTEMPTS = 3
DEFAULT_AI_TIMEOUT_S = 300.0
DEFAULT_SESSION_TIMEOUT_S = 3600.0
DEFAULT_SESSION_TURNS = 20
SESSION_TOOLS = ("read", "grep", "glob")
"""What a session can let a model do in the project: nothing that changes anything."""
DEFAULT_CONTEXT_TOKENS = 20_000
"""What fits beside a task in the window of any present model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelType:
    """A pydantic model beside the workflow file, as the type of an answer."""

    path: Path
    """The module's file, absolute."""
    name: str
    source: bytes
    """The module as it was digested; this, not the file, is what is loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FormType:
    """Fields as a gate's form has them, as the type of an answer."""

    fields: tuple[InputSpec, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanType:
    """The package's own `CommandPlan`, as the type of an answer."""


AnswerType: TypeAlias = ModelType | FormType | PlanType


@dataclass(frozen=True, slots=True, kw_only=True)
class AiContext:
    """Which of the project's CLAUDE.md files a model is given, and what the run knows."""

    task_type: str | None = None
    keywords: tuple[str, ...] = ()
    max_tokens: int | None = None
    """How much it may be in all; None for as much as a context usually is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ai:
    """`ai:`: a model is asked once, and its answer counts only as what it was asked for."""

    prompt: Template
    output: AnswerType
    model: str = DEFAULT_MODEL
    attempts: int = DEFAULT_AI_ATTEMPTS
    """How many answers may be tried in one request."""
    timeout_s: float = DEFAULT_AI_TIMEOUT_S
    """For the whole request, all attempts together."""
    budget_usd: float | None = None
    """What the request may cost at most; None for what is left of the run's budget."""
    context: AiContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """`session:`: a person and a model talk, until the model gives typed data that the person confirms."""

    prompt: Template
    """What the conversation begins with."""
    output: ModelType | FormType
    tools: tuple[str, ...] = ()
    """What the model may look at the project with, of `SESSION_TOOLS`."""
    model: str = DEFAULT_MODEL
    attempts: int = DEFAULT_AI_ATTEMPTS
    """How many conclusions may be tried."""
    timeout_s: float = DEFAULT_SESSION_TIMEOUT_S
    """For the whole conversation, with the time in which the person thinks."""
    turn_timeout_s: float = DEFAULT_AI_TIMEOUT_S
    turns: int = DEFAULT_SESSION_TURNS
    """How often the model may be spoken to, over all sessions of the run."""
    budget_usd: float | None = None
    """What the conversation and its conclusion may cost together; None for what is left of the run's budget."""
    turn_budget_usd: float | None = None
    """What one turn may cost; None for no bound of its own."""
    context: AiContext | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Execute:
    """`execute:`: the commands that a model proposed, exactly as a gate showed them."""

    plan: Template
    """One reference and nothing else: to the value of an `ai:` step that holds them."""

    @property
    def proposer(self) -> StepId:
        """The step that left them."""
        return self.plan.references[0].path[0]

    @property
    def key(self) -> str:
        """The name of that value."""
        return self.plan.references[0].path[1]
