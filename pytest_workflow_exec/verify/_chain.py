"""The chain in bytes: each line fits its own hash and names the one before it. No JSON is read here."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, TypeAlias, cast

from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import (
    MAX_LINE_BYTES,
    NO_HASH,
    SEGMENT_END,
    BadLineError,
    Line,
    Seal,
    Segments,
    all_lines,
    end_problem,
    is_sealed,
    lines_of,
    open_log,
    read_seal,
    seal_claims,
    segment_path,
)

from ._gap import Gap
from ._plain import DOMAIN, SEAL_BYTES, Plain, buffered, plain_beginning
from ._verdict import BrokenError, Kind

_BEGINNING = b'{"v":'
_BEHIND_THE_END = "it stands behind the record that ends its file"
_CLAIMED_VERSION = re.compile(rb'\{"v":[0-9]+,')
_THIS_VERSION = b'{"v":1,'
_RECOVERY = b"recovery"
_RUN_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)


Link: TypeAlias = "tuple[bytes, bytes, Plain | None, Seal | None]"
"""A record's line, its hash, and its beginning if that is a plain one, else its seal: as bare as a tuple is fast."""


class _Place(NamedTuple):
    """What the next record must say."""

    seq: int
    prev: bytes
    run: bytes | None


class Chain:
    """One reading of a log, each record checked against the one before it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._place = _Place(0, NO_HASH.encode("ascii"), None)
        self._gap: Gap | None = None
        self._file: BinaryIO | None = None
        self._raw = b""
        self._torn_lines = 0
        """How many lines of the file so far are no records."""
        self._first = 0
        """The place of the first record of the file."""
        self.segment = 0
        """Which of the log's files was read last."""
        self.ended = False
        """Whether its last record says that the log goes on in the next one."""
        self.recoveries = 0
        """How many times a writer went on behind a record that was not written whole."""
        self.torn_bytes = 0
        """How many bytes at the end are no whole record, once all was read."""

    @property
    def run(self) -> str | None:
        """The run that the records belong to; None before the first one."""
        return None if self._place.run is None else self._place.run.decode("utf-8", "replace")

    @property
    def promised(self) -> int | None:
        """The number of the file in which the log says that it goes on, and holds no record; None if it ends anywhere else."""
        if self.ended:
            return self.segment + 1
        return self.segment if self.segment and self._place.seq == self._first else None

    def line(self, seq: int) -> Line:
        """Return the line that was given last; asked for only where something is to be said of it.

        Args:
            seq: Its record's place.
        """
        raw, file = self._raw, cast("BinaryIO", self._file)
        number = seq - self._first + 1 + self._torn_lines
        return Line(number=number, offset=file.tell() - len(raw), raw=raw, segment=self.segment)

    def links(self) -> Iterator[Link]:
        """Give the log's records in order.

        Raises:
            LogUnreadableError: The file can't be read, is no evidence, or is of another version.
            BrokenError: A line is not the next record; the lines before it were given.
        """
        _refuse_other_files(self._path)
        files, number = Segments(self._path), 0
        while (opened := files.opened(number)) is not None:
            self.segment, self.ended, self._torn_lines, self._first = number, False, 0, self._place.seq
            with buffered(opened) as file:
                self._file = file
                yield from self._records(file)
                self._raw = b""
                end = self.line(self._place.seq)
            if not self.ended:
                break
            number += 1
        self._demand_last(files.beyond(self.segment), end)
        if self._gap is not None:
            self._gap.demand_cut()
            self.torn_bytes += self._gap.size_bytes

    def _demand_last(self, beyond: str | None, end: Line) -> None:
        if beyond is None:
            return
        if self._gap is not None:
            raise self._gap.error
        reason = f"{beyond} is there, but no record before it says that the log goes on in it"
        raise broken_at(self._path, end, "gap", self._place.seq, reason)

    def _records(self, file: BinaryIO) -> Iterator[Link]:
        # One loop without calls of ours, because it runs once for each record: what is the next one beyond doubt
        # is told by three comparisons, and whatever is not goes the long way, which knows every reason.
        readline, new_hash = file.readline, DOMAIN.copy
        seq, hash_before = self._place.seq, self._place.prev
        matches: Callable[[bytes], Plain | None] | None = None
        while raw := readline(MAX_LINE_BYTES + 1):
            digest = new_hash()
            digest.update(raw[:-SEAL_BYTES])
            found = digest.hexdigest().encode()
            start = matches(raw) if matches is not None else None
            if (
                start is not None
                and int(start[1]) == seq
                and raw.endswith(b',"prev":"' + hash_before + b'","hash":"' + found + b'"}\n')
            ):
                self._raw = raw
                yield raw, found, start, None
            else:
                self._place = _Place(seq, hash_before, self._place.run)
                seal = self._read(raw)
                if seal is None:
                    # Behind bytes that are no record nothing is beyond doubt.
                    matches = None
                    continue
                yield raw, seal.hash, None, seal
                # Behind the record that ends the file neither.
                found, matches = seal.hash, None if self.ended else plain_beginning(seal.run).match
                self._place = self._place._replace(run=seal.run)
            seq, hash_before = seq + 1, found
        self._place = self._place._replace(seq=seq, prev=hash_before)

    def _read(self, raw: bytes) -> Seal | None:
        """Return the seal of the next record; None for the end of the log, or a line that may be excused."""
        self._raw = raw
        line = self.line(self._place.seq)
        seal = None if line.torn else self._seal(line)
        if line.torn:
            self._take_end(line)
        if seal is None:
            self._torn_lines += 1
        return seal

    def _take_end(self, line: Line) -> None:
        _refuse_changed_end(self._path, line, self._place)
        if self.ended:
            raise broken_at(self._path, line, "edited", self._place.seq, _BEHIND_THE_END)
        if self._gap is None:
            self.torn_bytes = len(line.raw)
        else:
            self._gap.demand_cut()
            self._gap.add(line)

    def _seal(self, line: Line) -> Seal | None:
        """Return the seal of the next record; None for a line that a recovery behind it may excuse."""
        try:
            seal = read_seal(line.raw)
        except BadLineError as error:
            self._keep(line, error)
            return None
        if self._gap is not None and not self._gap.is_excused_by(line):
            raise self._gap.error
        if (seal.seq, seal.prev) != (self._place.seq, self._place.prev):
            raise _out_of_place(self._path, line, seal, self._place)
        if self._place.run is not None and seal.run != self._place.run:
            reason = "it belongs to another run than the records before it"
            raise broken_at(self._path, line, "inconsistent", seal.seq, reason)
        if self._place.run is None and _other_run_of(self._path, seal.run):
            reason = f"it is of run {seal.run.decode()}, and lies in another's folder"
            raise broken_at(self._path, line, "replaced", seal.seq, reason)
        if self.ended:
            raise broken_at(self._path, line, "reordered", seal.seq, _BEHIND_THE_END)
        if seal.type == _RECOVERY:
            self._take_recovery(line, seal)
        if seal.type == SEGMENT_END:
            self._take_end_of_file(line, seal)
        return seal

    def _keep(self, line: Line, error: BadLineError) -> None:
        if error.version is not None and self._is_of_another_version(line):
            raise LogUnreadableError(
                f"{self._path}, line {line.number}: unsupported version {error.version}; this is the verifier of "
                f"version 1. Use a newer one."
            ) from error
        broken = broken_at(self._path, line, "edited", self._place.seq, error.reason)
        if self.ended:
            raise broken
        if self._gap is None:
            self._gap = Gap(line, broken)
        else:
            self._gap.add(line)

    def _is_of_another_version(self, line: Line) -> bool:
        # A whole log of another version is unsupported; one line that claims another one than its neighbours was edited.
        if line.number > 1 or line.segment:
            return False
        with open_log(self._path) as file:
            following = next(itertools.islice(lines_of(file), 1, None), None)
        if following is not None:
            return not following.raw.startswith(_THIS_VERSION)
        return not is_sealed(_CLAIMED_VERSION.sub(_THIS_VERSION, line.raw, count=1))

    def _take_recovery(self, line: Line, seal: Seal) -> None:
        if self._gap is None:
            reason = "the torn bytes that it tells of are not right before it"
            raise broken_at(self._path, line, "edited", seal.seq, reason)
        self._gap = None
        self.recoveries += 1

    def _take_end_of_file(self, line: Line, seal: Seal) -> None:
        try:
            problem = end_problem(line.raw, self.segment, records=seal.seq + 1 - self._first)
        except BadLineError as error:
            raise broken_at(self._path, line, "edited", seal.seq, error.reason) from error
        if problem is not None:
            raise broken_at(self._path, line, "inconsistent", seal.seq, problem)
        self.ended = True


def _other_run_of(path: Path, run: bytes) -> bool:
    folder = path.absolute().parent.name
    return _RUN_ID.fullmatch(folder) is not None and folder.encode() != run


def _refuse_other_files(path: Path) -> None:
    with open_log(path) as file:
        start = file.read(2 * MAX_LINE_BYTES)
    torn_early = b"\n" not in start and _BEGINNING.startswith(start[: len(_BEGINNING)])
    if not torn_early and _BEGINNING not in start and b'","prev":"' not in start:
        raise LogUnreadableError(f"{path} is no evidence: no line of it is a record")


def _refuse_changed_end(path: Path, line: Line, place: _Place) -> None:
    # A killed writer leaves the start of a line. All of a record and one byte that is no newline was put there.
    if is_sealed(line.raw[:-1] + b"\n"):
        raise broken_at(path, line, "edited", place.seq, "its newline was changed into another byte")


def _out_of_place(path: Path, line: Line, seal: Seal, place: _Place) -> BrokenError:
    if seal.prev == place.prev:
        return broken_at(path, line, "edited", seal.seq, f"it says seq {seal.seq} where {place.seq} must be")
    kind, reason = _displacement(seal, place, _others(path, line, seal, place))
    return broken_at(path, line, kind, seal.seq, reason)


def _displacement(seal: Seal, place: _Place, others: _Others) -> tuple[Kind, str]:
    if others.twin:
        return "duplicate", f"it repeats {others.twin}"
    if others.sibling:
        return "fork", f"it follows the same record as {others.sibling}: there were two writers"
    if others.missing:
        return "reordered", f"{others.missing} belongs before it"
    if seal.seq > place.seq:
        return "gap", f"the records from seq {place.seq} to {seal.seq - 1} are missing"
    if seal.seq < place.seq:
        return "reordered", f"it stands where seq {place.seq} must be"
    return "replaced", "it follows another record than the one before it"


class _Others(NamedTuple):
    """The other lines that tell what happened to a line, in words; empty for none."""

    twin: str
    sibling: str
    missing: str


def _others(path: Path, line: Line, seal: Seal, place: _Place) -> _Others:
    # A second pass, only over a broken log: remembering every hash would cost memory for each intact one.
    twin = sibling = missing = ""
    here = (line.segment, line.number)
    for other in all_lines(path):
        claims, there = seal_claims(other.raw), (other.segment, other.number)
        if claims is None or there == here:
            continue
        name = f"line {other.number}" + ("" if other.segment == line.segment else f" of {_file(path, other)}")
        if there > here:
            missing = missing or (name if claims.prev == place.prev else "")
        elif other.raw == line.raw:
            twin = name
        elif claims.prev == seal.prev:
            sibling = name
    return _Others(twin, sibling, missing)


def broken_at(path: Path, line: Line, kind: Kind, seq: int, reason: str) -> BrokenError:
    """Return the error that says what is wrong with a line of the log at `path`."""
    return BrokenError(
        kind=kind,
        reason=reason,
        file=_file(path, line),
        line=line.number,
        byte=line.offset,
        seq=seq,
        later=line.segment > 0,
    )


def _file(log: Path, line: Line) -> str:
    return segment_path(log, line.segment).name
