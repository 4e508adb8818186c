"""Reading a log back: strictly, record by record."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pytest_workflow_exec.errors import LogUnreadableError

from ._blobs import BlobError, resolve_blobs
from ._chain import BrokenChainError, Chain
from ._files import open_regular, reason_of
from ._lines import BadLineError, Line, record_of
from ._record import Record
from ._redactions import TYPE, StoredTexts
from ._segments import Files, Segments, segment_path


def open_log(path: Path) -> BinaryIO:
    """Return a log's first file, opened for reading.

    Raises:
        LogUnreadableError: It is missing, can't be opened, or is no regular file.
    """
    return open_regular(path)


def read_log(path: Path, *, blobs: bool = True, unended: bool = False) -> Iterator[Record]:
    """Give a log's records in order; what is no record and was recovered from, or stands torn at the end, is left out.

    Args:
        blobs: Whether long texts are put back; see `whole_record`.
        unended: Whether a last record counts that lacks nothing but its newline, as for the next writer.

    Raises:
        LogUnreadableError: The log is missing or broken; the records before the bad line were given.
    """
    yield from records_of(Segments(path), path, blobs=blobs, unended=unended)


def records_of(files: Files, path: Path, *, blobs: bool, unended: bool = False) -> Iterator[Record]:
    """Give the records of a log in order, as `read_log` does.

    Args:
        path: Its first file.

    Raises:
        LogUnreadableError: The log is broken; the records before the bad line were given.
    """
    chain, place, texts = Chain(), _Place(path, 0), StoredTexts(path.parent)
    try:
        for link in chain.links(files):
            if chain.tail is not None and not unended:
                continue
            place = _place_of(path, link.line)
            record = record_of(link.line.raw)
            if record.type == TYPE:
                texts.redact(record)
            yield texts.whole(record, link.line.raw, _GoneError(place).of) if blobs else record
        texts.demand_explained()
    except _GoneError as error:
        raise _unreadable(path, error.place, error.cause) from error
    except OSError as error:
        raise LogUnreadableError(f"{segment_path(path, chain.segment)} can't be read: {reason_of(error)}") from error
    except (BadLineError, BlobError) as error:
        place = _place_of(path, error.line) if isinstance(error, BrokenChainError) else place
        raise _unreadable(path, place, error) from error


class _Place(NamedTuple):
    file: Path
    line: int


def _place_of(log: Path, line: Line) -> _Place:
    return _Place(segment_path(log, line.segment), line.number)


class _GoneError(LogUnreadableError):
    """A stored text is missing, and no later record says why."""

    def __init__(self, place: _Place, cause: Exception | None = None) -> None:
        super().__init__(str(cause))
        self.place, self.cause = place, cause

    def of(self, cause: Exception) -> Exception:
        """Return it with what is missing."""
        return _GoneError(self.place, cause)


def _unreadable(log: Path, place: _Place, reason: Exception | None) -> LogUnreadableError:
    return LogUnreadableError(f"{place.file}, line {place.line}: {reason}. See what `workflow-exec verify {log}` says.")


def whole_record(record: Record, run_directory: Path) -> Record:
    """Return a record with its long texts put back in place of the references to them.

    Raises:
        BlobError: A text is missing, or is not what the record says.
    """
    return dataclasses.replace(record, data=resolve_blobs(record.data, run_directory).data)
