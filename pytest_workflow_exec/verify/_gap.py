"""Bytes of a log that are no record: what a writer left that died in the middle of one, or what somebody put there."""

from __future__ import annotations

import hashlib

from pytest_workflow_exec.evidence import Line, Recovery, read_recovery, seems_cut

from ._verdict import BrokenError


class Gap:
    """Lines that are no records, read one after the other; of their bytes only the digest is kept."""

    def __init__(self, first: Line, error: BrokenError) -> None:
        """Begin with the first of the lines.

        Args:
            error: What is wrong with it, unless something excuses it.
        """
        self.error = error
        self._first = first
        self._digest = hashlib.sha256()
        self._newline = b""
        self._end = first.offset
        self.add(first)

    @property
    def size_bytes(self) -> int:
        """How many bytes there are, the newline behind them not counted."""
        return self._end - self._first.offset - len(self._newline)

    def add(self, line: Line) -> None:
        """Add the line behind the last one."""
        self._digest.update(self._newline)
        self._newline = line.raw[-1:] if line.raw.endswith(b"\n") else b""
        self._digest.update(line.raw[: len(line.raw) - len(self._newline)])
        self._end = line.offset + len(line.raw)

    def is_excused_by(self, line: Line) -> bool:
        """Return whether the next line is the record of a recovery that names just these bytes."""
        told = Recovery(offset=self._first.offset, size_bytes=self.size_bytes, sha256=self._digest.hexdigest())
        return self._newline == b"\n" and line.offset == told.end and read_recovery(line) == told

    def demand_cut(self) -> None:
        """Return if the log may end in these bytes: a recovery was itself broken off.

        Raises:
            BrokenError: They can't be the start of a record.
        """
        if not seems_cut(self._first.raw):
            raise self.error
