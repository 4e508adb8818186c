"""Following a log's chain as the one who wants to go on with it: every record in its place, and how the file ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from pytest_workflow_exec.lean_dataclasses import replace

from ._lines import BadLineError, Line, Seal, lines_of, read_seal, seems_cut
from ._record import NO_HASH, Head
from ._recovery import TYPE, Recovery, read_recovery
from ._segments import SEGMENT_END, Files, end_problem

_BEHIND_THE_END = "it stands behind the record that ends its file"
_NO_HASH = NO_HASH.encode("ascii")


class BrokenChainError(BadLineError):
    """A line is neither the next record nor the torn end of the log."""

    def __init__(self, reason: str, *, line: Line, seq: int) -> None:
        super().__init__(reason)
        self.line, self.seq = line, seq


class Link(NamedTuple):
    """A whole record of the log."""

    line: Line
    seal: Seal


class Tail(NamedTuple):
    """What the next writer has to put behind the last record before it can go on."""

    newline: bool
    """Whether the file's last line has to be ended."""
    torn: Recovery | None
    """The bytes that are no record; None if the last record lacks nothing but its newline."""


class Chain:
    """One reading of a log."""

    def __init__(self) -> None:
        self._seal: Seal | None = None
        self._gap: _Gap | None = None
        self.tail: Tail | None = None
        """How the log ends, once it was read; None if with a whole record, or if it is empty."""
        self.segment = 0
        """Which file of the log was read last."""
        self.size_bytes = 0
        """How much of it was read."""
        self.ended = False
        """Whether its last record says that the log goes on in the next file."""
        self._records = self._lines = 0
        """How many records, and how many lines, it holds so far."""

    @property
    def first(self) -> int:
        """The place of the first record of the file that was read last, if it has one."""
        return self.head.seq + 1 - self._records

    @property
    def head(self) -> Head:
        """The last whole record so far."""
        if self._seal is None:
            return Head(seq=-1, hash=NO_HASH)
        return Head(seq=self._seal.seq, hash=self._seal.hash.decode("ascii"))

    def links(self, files: Files) -> Iterator[Link]:
        """Give the log's records in order.

        Raises:
            BrokenChainError: A line is not the next record; the records before it were given.
            LogUnreadableError: A file can't be opened.
            OSError: A file can't be read.
        """
        number = 0
        while (file := files.opened(number)) is not None:
            self.segment, self.size_bytes, self.ended, self._records, self._lines = number, 0, False, 0, 0
            with file:
                yield from self._links_in(file)
            number += 1
            if not self.ended or self.tail is not None:
                break
        self._demand_last(files.beyond(self.segment))
        if self._gap is not None and self.tail is None:
            self._gap.demand_cut()
            self.tail = Tail(newline=False, torn=self._gap.recovery())

    def _links_in(self, file: BinaryIO) -> Iterator[Link]:
        for line in lines_of(file, segment=self.segment):
            self.size_bytes, self._lines = line.offset + len(line.raw), line.number
            if line.torn:
                yield from self._last(line)
            elif (seal := self._taken(line)) is not None:
                yield Link(line, seal)

    def _demand_last(self, beyond: str | None) -> None:
        if beyond is None:
            return
        if self._gap is not None and self._gap.error.reason:
            raise self._gap.error
        end = Line(number=self._lines + 1, offset=self.size_bytes, raw=b"", segment=self.segment)
        raise BrokenChainError(f"{beyond} is there, but no record leads to it", line=end, seq=self.head.seq + 1)

    def _last(self, line: Line) -> Iterator[Link]:
        whole = replace(line, raw=line.raw + b"\n")
        seal = self._taken(whole, last=True)
        if seal is not None:
            self.tail = Tail(newline=True, torn=None)
            yield Link(whole, seal)
            return
        if self.ended:
            raise BrokenChainError(_BEHIND_THE_END, line=line, seq=self.head.seq + 1)
        if self._gap is None:
            self._gap = _Gap(line, "", self.head.seq + 1)
        else:
            self._gap.demand_cut()
            self._gap.add(line)
        self.tail = Tail(newline=True, torn=self._gap.recovery())

    def _taken(self, line: Line, *, last: bool = False) -> Seal | None:
        """Return the seal of the next record; a line that may still be excused by a later one is kept in mind."""
        try:
            seal = read_seal(line.raw)
        except BadLineError as error:
            if not last:
                self._keep(line, error.reason)
            return None
        if self._gap is not None and not self._gap.is_excused_by(line):
            raise self._gap.error
        problem = self._misplaced(seal) or (
            "it tells of a recovery where nothing was torn" if self._gap is None and seal.type == TYPE else None
        )
        self._records += 1
        ends = seal.type == SEGMENT_END
        if problem is None and ends:
            problem = self._no_end(line)
        if problem is not None:
            raise BrokenChainError(problem, line=line, seq=seal.seq)
        self._gap, self._seal, self.ended = None, seal, ends
        return seal

    def _no_end(self, line: Line) -> str | None:
        try:
            return end_problem(line.raw, self.segment, records=self._records)
        except BadLineError as error:
            return error.reason

    def _keep(self, line: Line, reason: str) -> None:
        if self.ended:
            raise BrokenChainError(reason, line=line, seq=self.head.seq + 1)
        if self._gap is None:
            self._gap = _Gap(line, reason, self.head.seq + 1)
        else:
            self._gap.add(line)

    def _misplaced(self, seal: Seal) -> str | None:
        before = self._seal
        if (seal.seq, seal.prev) != ((0, _NO_HASH) if before is None else (before.seq + 1, before.hash)):
            return "it does not follow the record before it"
        if before is not None and seal.run != before.run:
            return "it belongs to another run"
        if self.ended:
            return _BEHIND_THE_END
        return None


class _Gap:
    """Lines that are no records: the bytes of a torn write, unless they were put there."""

    def __init__(self, first: Line, reason: str, seq: int) -> None:
        self.error = BrokenChainError(reason, line=first, seq=seq)
        self._digest = hashlib.sha256()
        self._size_bytes, self._newline = 0, b""
        self.add(first)

    def add(self, line: Line) -> None:
        # The last newline is not part of them: it is what ends them.
        self._digest.update(self._newline)
        self._newline = line.raw[-1:] if line.raw.endswith(b"\n") else b""
        bare = line.raw[:-1] if self._newline else line.raw
        self._digest.update(bare)
        self._size_bytes = line.offset + len(bare) - self.error.line.offset

    def recovery(self) -> Recovery:
        offset = self.error.line.offset
        return Recovery(offset=offset, size_bytes=self._size_bytes, sha256=self._digest.hexdigest())

    def is_excused_by(self, line: Line) -> bool:
        recovery = self.recovery()
        return self._newline == b"\n" and line.offset == recovery.end and read_recovery(line) == recovery

    def demand_cut(self) -> None:
        """Return if the first of the lines can be the start of a record whose writer died."""
        if not seems_cut(self.error.line.raw):
            raise self.error
