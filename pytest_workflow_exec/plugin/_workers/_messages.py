"""What the controller and its workers tell each other, in values that travel between processes."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.lean_dataclasses import dataclass

from .._run_end import RunEnd

KEY = "workflow_exec"
"""Under this name it stands in pytest-xdist's own dictionaries."""
COSTS_KEY = "workflow_exec_costs"
"""Under this one stands the folder in which workers note what they spend on models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handover:
    """What a worker gives back when it ends."""

    ends: tuple[RunEnd, ...]
    evidence_error: str | None
    """Why evidence can't be written."""
    said: tuple[str, ...]
    """Lines that the worker had nobody to show to."""

    @classmethod
    def from_data(cls, data: object) -> Handover:
        """Return what a worker gave back; nothing if it gave nothing."""
        if not isinstance(data, Mapping):
            return cls(ends=(), evidence_error=None, said=())
        error = data["evidence_error"]
        return cls(
            ends=tuple(RunEnd.from_data(end) for end in data["ends"]),
            evidence_error=None if error is None else str(error),
            said=tuple(map(str, data["said"])),
        )

    def to_data(self) -> dict[str, object]:
        """Return it as plain values."""
        return {
            "ends": [end.to_data() for end in self.ends],
            "evidence_error": self.evidence_error,
            "said": list(self.said),
        }
