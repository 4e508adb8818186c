"""What a model is asked for: why tests fail, and the commands that would confirm or mend it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from pytest_workflow_exec import CommandPlan


class Diagnosis(CommandPlan):
    """Why tests fail."""

    kind: Literal["bug", "broken test", "flaky", "environment"]
    summary: str = Field(max_length=500, description="What is wrong, in a sentence or two.")
    evidence: list[str] = Field(min_length=1, max_length=10, description="The lines of the output that show it.")
    confidence: float = Field(ge=0, le=1)
