"""Stored texts that were taken out later: a record behind them says so, or the log is broken."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from pytest_workflow_exec.digests import Json

from ._blobs import BlobMissingError, is_reference, may_hold_blobs, resolve_blobs
from ._record import Record

TYPE = "redaction"
_REDACTABLE = ("step.finished", "ai.", "note", "manual.")


class _Told(Protocol):
    @property
    def data(self) -> Mapping[str, Json]: ...


def may_be_redacted(kind: str) -> bool:
    """Return whether stored texts of records of that type may be taken out.

    Those of `run.*`, `gate.*` and `command.*` may not: decisions rest on them, and what the run is.
    """
    return kind.startswith(_REDACTABLE)


def digests_in(record: _Told) -> Sequence[str]:
    """Return the digests of the texts that a record of a redaction says were taken out."""
    digests = record.data.get("digests")
    return [digest for digest in digests if isinstance(digest, str)] if isinstance(digests, list) else []


class StoredTexts:
    """The stored texts of one log that is read from its beginning, with those that are gone."""

    def __init__(self, run_directory: Path) -> None:
        self._run_directory = run_directory
        self.read = 0
        """How many were read."""
        self.redacted: dict[str, None] = {}
        """The digests of those that records say were taken out."""
        self._unexplained: dict[str, Exception] = {}
        """What is wrong with the log for each text that is missing, unless a later record says why."""

    def whole(self, record: Record, raw: bytes, problem: Callable[[BlobMissingError], Exception]) -> Record:
        """Return a record with its stored texts put back; a mask stands for each that is missing.

        Args:
            record: As it was read.
            raw: Its line.
            problem: Makes the error for a text that is missing without an explanation.

        Raises:
            BlobError: A text that may not be taken out is missing, or one is not what the record says.
        """
        if not may_hold_blobs(raw):
            return record
        missing: set[str] | None = set() if may_be_redacted(record.type) and not is_reference(record.data) else None
        resolved = resolve_blobs(record.data, self._run_directory, missing=missing)
        self.read += resolved.blobs
        for digest in missing or ():
            self._unexplained.setdefault(digest, problem(BlobMissingError(digest)))
        return dataclasses.replace(record, data=resolved.data)

    def redact(self, record: _Told) -> None:
        """Take note of a record that says which texts before it were taken out."""
        for digest in digests_in(record):
            self.redacted[digest] = None
            self._unexplained.pop(digest, None)

    def demand_explained(self) -> None:
        """Return if a record behind each missing text says that it was taken out.

        Raises:
            Exception: As `whole` was given it, of the first that no record explains.
        """
        for problem in self._unexplained.values():
            raise problem
