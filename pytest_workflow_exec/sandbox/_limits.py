"""What a command may use up: safe bounds that the policy can change, for all commands or those of one rule."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from typing import Any

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.settings import LimitSettings

_GIB = 1 << 30
_HOUR_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one command; None is no bound but that of the engine itself."""

    processes: int | None = 4096
    """How many it may have at once, all together."""
    files: int = 1024
    """How many descriptors each of its processes may have."""
    file_size_bytes: int | None = 4 * _GIB
    """How large each file may become that it writes."""
    memory_bytes: int | None = 4 * _GIB
    """How much private memory each of its processes may have."""
    cpu_s: int | None = 12 * _HOUR_S
    """How long each of its processes may keep processors busy."""

    def facts(self) -> Mapping[str, Json]:
        """Return them as evidence keeps them."""
        # By name: `asdict` copies each of them deeply, and is asked twice for each command.
        return {
            "processes": self.processes,
            "files": self.files,
            "file_size_bytes": self.file_size_bytes,
            "memory_bytes": self.memory_bytes,
            "cpu_s": self.cpu_s,
        }

    def hit(self, number: int | None, cpu_s: float) -> str:
        """Return which bound ended a command, as the policy names it; empty if none did.

        Args:
            number: The signal that ended it; None if none did.
            cpu_s: How long it kept processors busy.
        """
        if self.cpu_s is not None and (number == signal.SIGXCPU or (number == signal.SIGKILL and cpu_s >= self.cpu_s)):
            return "cpu"
        return "file_size" if number == signal.SIGXFSZ and self.file_size_bytes is not None else ""


UNLIMITED = Limits(processes=None, file_size_bytes=None, memory_bytes=None, cpu_s=None)
"""No bounds but on descriptors."""


def limits_of(said: LimitSettings) -> Limits:
    """Return the bounds that a policy makes: what it does not say stays as it is here."""
    stated: dict[str, Any] = dict(said.stated)
    return Limits(**stated)
