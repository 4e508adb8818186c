"""The times in a log: each must be one; that a clock was set back is said, and breaks nothing."""

from __future__ import annotations

import re
from datetime import datetime

from pytest_workflow_exec.evidence import Record

from ._contradiction import ContradictionError
from ._plain import Plain

_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_DAY_BYTES = len("2026-11-22")


class Clock:
    """The times of a log's records, one after the other."""

    def __init__(self) -> None:
        self._stamp, self._boot, self._mono_ns = b"", b"", 0
        self._day = b""
        """The day of the last record, once it was looked up."""
        self._back: dict[str, tuple[int, int]] = {}
        """For each clock that went back: how often, and before which record first."""

    def take(self, record: Record) -> None:
        """Take in the times of the next record.

        Raises:
            ContradictionError: Its time is none.
        """
        _demand_moment(record.ts)
        self._go_on(record.ts.encode(), record.mono_ns, record.boot.encode(), record.seq)

    def take_plain(self, start: Plain) -> None:
        """Take in the times of the next record, whose time of day was found to be one.

        Raises:
            ContradictionError: There is no such day.
        """
        seq, stamp, mono_ns, boot, _ = start.groups()
        if not stamp.startswith(self._day) or not self._day:
            _demand_moment(stamp.decode("ascii"))
            self._day = stamp[:_DAY_BYTES]
        self._go_on(stamp, int(mono_ns), boot, seq)

    def _go_on(self, stamp: bytes, mono_ns: int, boot: bytes, seq: int | bytes) -> None:
        # Of one form and in one zone: their texts sort as the moments do.
        if stamp < self._stamp:
            self._note("the clock", int(seq))
        if mono_ns < self._mono_ns and boot == self._boot:
            self._note("the monotonic clock", int(seq))
        self._stamp, self._boot, self._mono_ns = stamp, boot, mono_ns

    @property
    def warnings(self) -> tuple[str, ...]:
        """What is odd about the times."""
        return tuple(
            f"{clock} went back {f'{count} times, first' if count > 1 else 'once,'} before seq {first}"
            for clock, (count, first) in self._back.items()
        )

    def _note(self, clock: str, seq: int) -> None:
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
