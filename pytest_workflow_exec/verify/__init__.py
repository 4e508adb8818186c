"""Verdicts over a log: what its bytes prove to somebody who was not there."""

from __future__ import annotations

from ._verdict import GateFacts, Kind, Verdict, Word
from ._verify import verify_log

__all__ = ["GateFacts", "Kind", "Verdict", "Word", "verify_log"]
