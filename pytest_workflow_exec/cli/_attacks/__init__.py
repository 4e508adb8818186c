"""Attempts to get past gates, policy and evidence, made by real processes on a scratch project."""

from __future__ import annotations

from ._attempts import ATTEMPTS, PRESENCE
from ._result import Attempt, Tried, tried
from ._scratch import Present, Scratch, ScratchError, present, scratch_for

__all__ = [
    "ATTEMPTS",
    "PRESENCE",
    "Attempt",
    "Present",
    "Scratch",
    "ScratchError",
    "Tried",
    "present",
    "scratch_for",
    "tried",
]
