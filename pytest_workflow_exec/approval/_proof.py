"""What shows that an answer was signed: who, with which key, over which bytes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A signature that counted when it was taken in."""

    principal: str
    key: str
    """The key's fingerprint."""
    key_type: str
    presence: bool | None
    """Whether a token says that it was touched; None if that was not checked."""
    user_verified: bool | None
    """Whether it says that it checked who touched it; None if that was not checked."""
    checked_by: str
    challenge: str
    """SHA-256 of the bytes that were signed, in hex."""
    armor: str
    key_reachable: bool
    """Whether the key was found within the reach of the run's user."""

    def to_data(self) -> Mapping[str, Json]:
        """Return it as evidence keeps it."""
        return cast("Mapping[str, Json]", asdict(self))
