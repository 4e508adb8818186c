"""Following a log's chain as the one who wants to go on with it: every record in its place, and how the file ends."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ._lines import BadLineError, Line, Seal, lines_of, read_seal, seems_cut
from ._record import NO_HASH, Head
from ._recovery import TYPE, Recovery, read_recovery

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
        self.size_bytes = 0
        """How much of the file was read."""

    @property
    def head(self) -> Head:
        """The last whole record so far."""
        if self._seal is None:
            return Head(seq=-1, hash=NO_HASH)
        return Head(seq=self._seal.seq, hash=self._seal.hash.decode("ascii"))

    def links(self, file: BinaryIO) -> Iterator[Link]:
        """Give the log's records in order.

        Raises:
            BrokenChainError: A line is not the next record; the records before it were given.
            OSError: The file can't be read.
        """
        for line in lines_of(file):
            self.size_bytes = line.offset + len(line.raw)
            if line.torn:
                yield from self._last(line)
            elif (seal := self._taken(line)) is not None:
                yield Link(line, seal)
        if self._gap is not None and self.tail is None:
            self._gap.demand_cut()
            self.tail = Tail(newline=False, torn=self._gap.recovery())

    def _last(self, line: Line) -> Iterator[Link]:
        whole = Line(number=line.number, offset=line.offset, raw=line.raw + b"\n")
        seal = self._taken(whole, last=True)
        if seal is not None:
            self.tail = Tail(newline=True, torn=None)
            yield Link(whole, seal)
            return
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
        if problem is not None:
            raise BrokenChainError(problem, line=line, seq=seal.seq)
        self._gap, self._seal = None, seal
        return seal

    def _keep(self, line: Line, reason: str) -> None:
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
