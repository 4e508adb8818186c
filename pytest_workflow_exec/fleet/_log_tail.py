"""The end of a log that is being written: what is new of it, in whole lines whose hashes fit."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import field
from pathlib import Path

from pytest_workflow_exec.evidence import (
    NO_HASH,
    BadLineError,
    BlobError,
    Record,
    Seal,
    read_seal,
    record_of,
    segment_path,
    whole_record,
)
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._errors import FleetRefusedError

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PARSED = frozenset({b"run.started", b"run.resumed", b"gate.requested", b"gate.used", b"step.finished"})
"""What of a log says more than that it goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """Whole lines of one file of a log, behind what is known."""

    file: int
    prev: str
    lines: tuple[bytes, ...]
    seals: tuple[Seal, ...]

    @property
    def head(self) -> tuple[int, str]:
        """The last line's place and hash."""
        return self.seals[-1].seq, self.seals[-1].hash.decode("ascii")


@dataclass(slots=True)
class _Place:
    """How far a log has been shipped."""

    seq: int = -1
    hash: str = NO_HASH
    file: int = 0
    offset: int = 0


@dataclass
class LogTail:
    """Follows one log, as far as others know it."""

    log: Path
    """Its first file, in the folder of its run."""
    _place: _Place = field(default_factory=_Place)

    @property
    def run(self) -> str:
        """Whose log it is."""
        return self.log.parent.name

    @property
    def head(self) -> tuple[int, str]:
        """The place and hash of the last line that is known."""
        return self._place.seq, self._place.hash

    def pieces(self, *, through: int | None) -> Iterable[Piece]:
        """Give what follows what is known, file by file, with every hash looked at.

        Args:
            through: The last record; None for all that is whole.

        Raises:
            FleetRefusedError: It can't be read, or does not go on where the last known line ends.
        """
        seq, prev, file, offset = self._place.seq, self._place.hash, self._place.file, self._place.offset
        while through is None or seq < through:
            path = segment_path(self.log, file)
            lines, seals = [], []
            before = prev
            for raw in _lines_from(path, offset):
                if through is not None and seq >= through:
                    break
                seal = self._seal(raw, seq=seq + 1, prev=prev)
                lines.append(raw)
                seals.append(seal)
                seq, prev = seal.seq, seal.hash.decode("ascii")
            if lines:
                yield Piece(file=file, prev=before, lines=tuple(lines), seals=tuple(seals))
            if not segment_path(self.log, file + 1).exists():
                return
            file, offset = file + 1, 0

    def _seal(self, raw: bytes, *, seq: int, prev: str) -> Seal:
        try:
            seal = read_seal(raw)
        except BadLineError as error:
            # A torn end that was recovered from stands in the log; its own record tells of it.
            raise FleetRefusedError(f"the log of run {self.run} can't be shipped: {error}") from error
        if (seal.seq, seal.prev.decode("ascii"), seal.run.decode("ascii")) != (seq, prev, self.run):
            raise FleetRefusedError(f"the log of run {self.run} does not go on where the database has its end")
        return seal

    def take(self, piece: Piece) -> None:
        """Let a piece be known."""
        if piece.file != self._place.file:
            self._place.offset = 0
        seq, hash_ = piece.head
        offset = self._place.offset + sum(map(len, piece.lines))
        self._place = _Place(seq=seq, hash=hash_, file=piece.file, offset=offset)

    def records(self, piece: Piece) -> list[Record]:
        """Return the records of a piece that say more than that the log goes on.

        Raises:
            FleetRefusedError: One can't be read.
        """
        try:
            return [
                whole_record(record_of(raw), self.log.parent)
                for raw, seal in zip(piece.lines, piece.seals, strict=True)
                if seal.type in _PARSED
            ]
        except (BadLineError, BlobError) as error:
            raise FleetRefusedError(f"the log of run {self.run} can't be read: {error}") from error


def _lines_from(path: Path, offset: int) -> Iterable[bytes]:
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            file.seek(offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    return
                yield raw
    except OSError as error:
        raise FleetRefusedError(f"{path} can't be read: {error.strerror}") from error
