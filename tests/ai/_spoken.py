"""A backend that says what it is given, as others of the protocol do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from pytest_workflow_exec.ai import AiAnswer, AiAttempt, AiNews, AiRequest, AiUsage
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import AiError


@dataclass
class Spoken:
    """Proposes values in order, and counts how often it was asked."""

    values: list[Json]
    asked: list[AiRequest] = field(default_factory=list)

    def ask(
        self, request: AiRequest, accept: Callable[[Json], tuple[str, ...]], tell: Callable[[AiNews], None]
    ) -> AiAnswer:
        """Return the first value that is accepted."""
        self.asked.append(request)
        attempts: list[AiAttempt] = []
        while self.values:
            value = self.values.pop(0)
            errors = accept(value)
            attempts.append(AiAttempt(value=value, errors=errors))
            if not errors:
                usage = AiUsage(input_tokens=5, output_tokens=6, cost_usd=0.25)
                versions = {"model": request.model, "sdk": "1"}
                options: dict[str, Json] = {"tools": [], "timeout": 1.5}
                return AiAnswer(
                    value=value,
                    source="live",
                    attempts=tuple(attempts),
                    usage=usage,
                    versions=versions,
                    options=options,
                )
        raise AiError("nothing left to say", attempts=[{"value": each.value} for each in attempts], cost_usd=0.5)
