"""Names of runs: UUIDs of version 7, which sort by the time they were made."""

from __future__ import annotations

import os
import re
import threading
import time
import uuid

from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import RunId

RUN_ID = lazy_pattern(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)

_COUNTER_BITS = 12
_lock = threading.Lock()
_last_tick = 0


def new_run_id() -> RunId:
    """Return a run id that sorts after every other one that this process has made."""
    tick = _next_tick()
    milliseconds, counter = tick >> _COUNTER_BITS, tick & ((1 << _COUNTER_BITS) - 1)
    noise = int.from_bytes(os.urandom(8), "big") >> 2
    return str(uuid.UUID(int=milliseconds << 80 | 0x7 << 76 | counter << 64 | 0b10 << 62 | noise))


def _next_tick() -> int:
    # The counter stands in the low bits of the clock: when it overflows, or the clock goes back,
    # the id runs ahead of the clock instead of sorting before an older one.
    global _last_tick  # noqa: PLW0603
    with _lock:
        now = (time.time_ns() // 1_000_000) << _COUNTER_BITS
        _last_tick = max(now, _last_tick + 1)
        return _last_tick
