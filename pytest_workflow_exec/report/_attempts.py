"""One step as a log tells of it: its attempts, and in each of them what happened, in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Literal

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

NOT_STARTED = "not started"
NO_END = "started, no end: effect unknown"
SATISFIED = frozenset({"passed", "carried", "waived", "not applicable"})
"""The outcomes that let later steps start, in words."""

Kind = Literal[
    "command", "refusal", "question", "exchange", "tool", "turn", "attested", "retry", "undone", "note", "other"
]


@dataclass(slots=True, kw_only=True)
class Happening:
    """Something that the log tells of a step, or of the run as a whole."""

    kind: Kind
    step: str | None
    attempt: int | None
    seq: int
    at: str
    """When it began."""
    who: str
    begun: Mapping[str, Json]
    """What was announced, or asked."""
    ended: Mapping[str, Json] | None = None
    """What came of it; None if the log does not say."""
    until: str | None = None
    """When that was written."""
    by: str = ""
    """Who decided."""
    used_by: str | None = None
    """The step that an approval let start first."""


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One attempt at a step."""

    number: int | None
    session: int
    started: str | None
    """None if it ended without having begun, as a blocked step does."""
    ended: str | None = None
    outcome: str = NO_END
    duration_s: float | None = None
    message: str = ""
    error_class: str | None = None
    waits_for: str | None = None
    data: Mapping[str, Json] = field(default_factory=dict)
    """All that its end says."""
    happenings: list[Happening] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class StepStory:
    """One step, over all sessions of its run."""

    id: str
    kind: str = ""
    name: str = ""
    planned: bool = True
    """Whether the plan of the last session has it."""
    plan: Mapping[str, Json] = field(default_factory=dict)
    outcome: str = NOT_STARTED
    reasons: tuple[str, ...] = ()
    """Why it runs again, though it had passed."""
    attempts: list[Attempt] = field(default_factory=list)
    notes: list[Happening] = field(default_factory=list)

    @property
    def last(self) -> Attempt | None:
        """Its newest attempt."""
        return self.attempts[-1] if self.attempts else None

    @property
    def duration_s(self) -> float | None:
        """How long the newest attempt took, in seconds."""
        return self.last.duration_s if self.last else None

    @property
    def happenings(self) -> list[Happening]:
        """What happened in all attempts."""
        return [each for attempt in self.attempts for each in attempt.happenings]

    @property
    def words(self) -> str:
        """Its outcome with all that one line can say of it."""
        last = self.last
        if last is None:
            return self.outcome
        failed = f" ({last.error_class})" if self.outcome == "failed" and last.error_class else ""
        waits = f", waits for {last.waits_for}" if self.outcome == "blocked" and last.waits_for else ""
        return self.outcome + failed + waits
