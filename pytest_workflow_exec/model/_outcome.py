"""How a step ends."""

from __future__ import annotations

import enum


class Outcome(str, enum.Enum):
    """How a step ended."""

    PASSED = "passed"
    CARRIED = "carried"
    NOT_APPLICABLE = "not_applicable"
    WAIVED = "waived"
    FAILED = "failed"
    DENIED = "denied"
    SUSPENDED = "suspended"
    BLOCKED = "blocked"
    INTERRUPTED = "interrupted"

    @property
    def satisfies(self) -> bool:
        """Whether later steps may run after this outcome."""
        return self in _SATISFYING

    @property
    def words(self) -> str:
        """The outcome as a person reads it: `not applicable`."""
        return self.value.replace("_", " ")


_SATISFYING = frozenset({Outcome.PASSED, Outcome.CARRIED, Outcome.NOT_APPLICABLE, Outcome.WAIVED})
