"""Reading a log back: strictly, record by record."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pytest_workflow_exec.errors import LogUnreadableError

from ._blobs import BlobError, may_hold_blobs, resolve_blobs
from ._files import open_regular, reason_of
from ._lines import BadLineError, Line, Seal, lines_of, read_seal, record_of
from ._record import NO_HASH, Record


def open_log(path: Path) -> BinaryIO:
    """Return a log opened for reading.

    Raises:
        LogUnreadableError: It is missing, can't be opened, or is no regular file.
    """
    return open_regular(path)


def read_log(path: Path) -> Iterator[Record]:
    """Give a log's records in order, with blobs put back; a last line without newline is left out.

    Raises:
        LogUnreadableError: The log is missing or broken; the records before the bad line were given.
    """
    before: Seal | None = None
    with open_log(path) as file:
        try:
            for line in lines_of(file):
                if line.torn:
                    return
                seal = _linked(line, before)
                yield _whole_record(line, path)
                before = seal
        except OSError as error:
            raise LogUnreadableError(f"{path} can't be read: {reason_of(error)}") from error
        except (BadLineError, BlobError) as error:
            raise LogUnreadableError(
                f"{path}, line {line.number}: {error}. See what `workflow-exec verify {path}` says."
            ) from error


def _linked(line: Line, before: Seal | None) -> Seal:
    seal = read_seal(line.raw)
    seq, prev = (0, NO_HASH.encode("ascii")) if before is None else (before.seq + 1, before.hash)
    if (seal.seq, seal.prev) != (seq, prev):
        raise BadLineError("it does not follow the record before it")
    if before is not None and seal.run != before.run:
        raise BadLineError("it belongs to another run")
    return seal


def _whole_record(line: Line, path: Path) -> Record:
    record = record_of(line.raw)
    if not may_hold_blobs(line.raw):
        return record
    return dataclasses.replace(record, data=resolve_blobs(record.data, path.parent).data)
