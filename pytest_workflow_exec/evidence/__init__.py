"""Evidence of a run: an append-only, hash-chained log that is written before and after everything that matters."""

from __future__ import annotations

from ._blobs import BlobError, may_hold_blobs, resolve_blobs
from ._directories import (
    STATE_DIRECTORY,
    create_run_directory,
    find_run,
    runs_directory,
    state_directory,
)
from ._lines import (
    MAX_LINE_BYTES,
    BadLineError,
    Line,
    Seal,
    is_sealed,
    lines_of,
    read_seal,
    record_of,
    seal_claims,
    seems_cut,
)
from ._log import EvidenceLog
from ._names import LOG_NAME
from ._read import open_log, read_log, whole_record
from ._record import NO_HASH, Head, Record
from ._recovery import Recovery, read_recovery
from ._run_id import new_run_id
from ._values import refuse_unkeepable

__all__ = [
    "LOG_NAME",
    "MAX_LINE_BYTES",
    "NO_HASH",
    "STATE_DIRECTORY",
    "BadLineError",
    "BlobError",
    "EvidenceLog",
    "Head",
    "Line",
    "Record",
    "Recovery",
    "Seal",
    "create_run_directory",
    "find_run",
    "is_sealed",
    "lines_of",
    "may_hold_blobs",
    "new_run_id",
    "open_log",
    "read_log",
    "read_recovery",
    "read_seal",
    "record_of",
    "refuse_unkeepable",
    "resolve_blobs",
    "runs_directory",
    "seal_claims",
    "seems_cut",
    "state_directory",
    "whole_record",
]
