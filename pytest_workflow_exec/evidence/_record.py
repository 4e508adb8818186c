"""One record of a log as a value: what happened, and its place in the chain."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import RunId, StepId

VERSION = 1
NO_HASH = "0" * 64
"""What the first record names as the hash before it."""

KEYS = ("v", "seq", "run", "ts", "mono_ns", "boot", "type", "step", "attempt", "actor", "data", "prev", "hash")
"""A record's keys in the order in which they stand in its line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest record of a log: whoever keeps it elsewhere can later prove that nothing before it changed."""

    seq: int
    """Counts from 0; -1 for a log without records."""
    hash: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One thing that happened, with its place in a log."""

    v: int
    seq: int
    run: RunId
    ts: str
    """When it was written, UTC, as stored: `2026-11-22T11:33:35.000017Z`."""
    mono_ns: int
    """The monotonic clock; comparable only where `boot` is the same."""
    boot: str
    """Names the start of the machine that `mono_ns` counts from."""
    type: str
    step: StepId | None
    attempt: int | None
    actor: Actor
    data: Mapping[str, Json]
    prev: str
    """The hash of the record before it; zeros for the first."""
    hash: str
    """SHA-256 over the format's name and the line's own bytes."""

    @property
    def head(self) -> Head:
        """The log's head when this record is its last."""
        return Head(seq=self.seq, hash=self.hash)
