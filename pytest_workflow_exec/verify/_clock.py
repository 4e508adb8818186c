"""The times in a log: each must be one; that a clock was set back is said, and breaks nothing."""

from __future__ import annotations

import re
from datetime import datetime

from pytest_workflow_exec.evidence import Record

from ._contradiction import ContradictionError

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)


class Clock:
    """The times of a log's records, one after the other."""

    def __init__(self) -> None:
        self._stamp = ""
        self._boot, self._mono_ns = "", 0
        self._back: dict[str, tuple[int, int]] = {}
        """For each clock that went back: how often, and before which record first."""

    def take(self, record: Record) -> None:
        """Take in the times of the next record.

        Raises:
            ContradictionError: Its time is none.
        """
        _demand_moment(record.ts)
        # Of one form and in one zone: their texts sort as the moments do.
        self._compare("the clock", record.seq, back=record.ts < self._stamp)
        same_boot = record.boot == self._boot
        self._compare("the monotonic clock", record.seq, back=same_boot and record.mono_ns < self._mono_ns)
        self._stamp, self._boot, self._mono_ns = record.ts, record.boot, record.mono_ns

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the times."""
        return tuple(
            f"{clock} went back {f'{count} times, first' if count > 1 else 'once,'} before seq {first}"
            for clock, (count, first) in self._back.items()
        )

    def _compare(self, clock: str, seq: int, *, back: bool) -> None:
        if back:
            count, first = self._back.get(clock, (0, seq))
            self._back[clock] = (count + 1, first)


def _demand_moment(text: str) -> None:
    try:
        if _STAMP.fullmatch(text):
            datetime.fromisoformat(text.removesuffix("Z"))
            return
    except ValueError:
        pass
    raise ContradictionError(f"its ts {text!r} is no time")
