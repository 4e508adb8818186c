"""The models of what models of language are asked."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator

from ._schema_basics import (
    Duration,
    Line,
    Strict,
    Text,
    Whole,
    as_items,
)


class AiContextModel(Strict):
    """Which of the project's CLAUDE.md files a model is given."""

    task_type: Line | None = None
    keywords: Annotated[list[Line], BeforeValidator(as_items)] = []
    max_tokens: Whole | None = None


class AiModel(Strict):
    """A question to a model, and the type of its answer."""

    prompt: Text
    output: object
    context: AiContextModel | None = None
    model: Line | None = None
    attempts: Whole | None = None
    timeout: Duration | None = None
    budget: Text | None = None


class SessionModel(Strict):
    """A conversation of a person with a model, and the type of its conclusion."""

    prompt: Text
    output: object
    tools: Annotated[list[Line], BeforeValidator(as_items)] = []
    context: AiContextModel | None = None
    model: Line | None = None
    attempts: Whole | None = None
    timeout: Duration | None = None
    turn_timeout: Duration | None = None
    turns: Whole | None = None
    budget: Text | None = None
    turn_budget: Text | None = None
