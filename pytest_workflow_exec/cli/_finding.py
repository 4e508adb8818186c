"""What `workflow-exec doctor` found out about one thing, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

State = Literal["ok", "note", "attention"]
"""`note`: worth knowing, and nothing is wrong; `attention`: some workflow would be refused, or would hold less."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at."""

    about: str
    """In one or two words."""
    state: State = "ok"
    says: str
    """How it is."""
    fix: str = ""
    """What to do; never empty where attention is needed."""

    def to_data(self) -> Mapping[str, Json]:
        """Return it as JSON holds it."""
        return {"about": self.about, "state": self.state, "says": self.says, "fix": self.fix}


def attention(about: str, says: str, fix: str) -> Finding:
    """Return a finding that needs attention."""
    return Finding(about=about, state="attention", says=says, fix=fix)


def note(about: str, says: str, fix: str = "") -> Finding:
    """Return a finding that is worth knowing."""
    return Finding(about=about, state="note", says=says, fix=fix)
