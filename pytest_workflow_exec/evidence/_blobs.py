"""Long values beside the log: salted files, named by their digest, that records refer to."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal, NamedTuple, cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import EvidenceError, LogUnreadableError
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.redaction import REDACTED
from pytest_workflow_exec.strict_json import StrictJsonError, parse

from ._files import open_regular, opened_directory, private_directory, reason_of, write_durably
from ._names import BLOBS

MAX_TEXT_BYTES = 8 << 10
"""A longer text goes to a blob."""

MAX_BLOB_BYTES = 64 << 20
"""A longer text can't be kept: whoever reads the log must be able to hold it."""

_SALT_BYTES = 16
REFERENCE_KEYS = frozenset({"blob", "size_bytes", "stored"})
# No part of the text: what stands in the log can never be taken out of it.
_STORED = ("text", "data")
_DIGEST = lazy_pattern(r"[0-9a-f]{64}", re.ASCII)


class BlobError(LogUnreadableError):
    """A record refers to a blob that is missing or is not what the record says."""


class BlobMissingError(BlobError):
    """A blob is not there at all."""

    def __init__(self, digest: str) -> None:
        super().__init__(f"blob {digest} is missing")
        self.digest = digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """A long text on its way to its file."""

    digest: str
    """SHA-256 of salt and content, in hex: its name, which tells nothing about a short secret."""
    content: bytes
    reference: Mapping[str, Json]
    """What stands in the record instead of the text."""

    @classmethod
    def of(cls, text: str, *, stored: Literal["text", "data"] = "text") -> Blob:
        """Return the blob of a text, with a salt of its own.

        Args:
            text: What is stored.
            stored: What it stands for in its record: one text, or all of its data, as JSON.
        """
        encoded = text.encode("utf-8")
        content = os.urandom(_SALT_BYTES) + encoded
        digest = hashlib.sha256(content).hexdigest()
        reference: dict[str, Json] = {"blob": digest, "size_bytes": len(encoded), "stored": stored}
        return cls(digest=digest, content=content, reference=reference)


def is_reference(value: Json) -> bool:
    """Return whether a value has the form that stands for a blob."""
    return isinstance(value, Mapping) and len(value) == len(REFERENCE_KEYS) and value.keys() == REFERENCE_KEYS


def may_hold_blobs(raw: bytes) -> bool:
    """Return False if a record's line refers to no blob; it spares nearly every record a walk through its data."""
    return b'"blob":' in raw


def spilled(value: Json, blobs: list[Blob]) -> Json:
    """Return `value` with each long text replaced by a reference; the blobs are added to `blobs`, unwritten."""
    if isinstance(value, str):
        if len(value) <= MAX_TEXT_BYTES and len(value.encode("utf-8")) <= MAX_TEXT_BYTES:
            return value
        blobs.append(Blob.of(value))
        return blobs[-1].reference
    if isinstance(value, Mapping):
        return {key: spilled(item, blobs) for key, item in value.items()}
    if isinstance(value, list):
        return [spilled(item, blobs) for item in value]
    return value


def write_blob(run_directory: Path, blob: Blob, *, synced: bool = True) -> None:
    """Write a blob's file, whole or not at all.

    Args:
        synced: Whether it has to survive a power cut.

    Raises:
        EvidenceError: It can't be written.
    """
    blobs = run_directory / BLOBS
    folder = blobs / blob.digest[:2]
    try:
        with (
            opened_directory(run_directory) as run_folder,
            private_directory(blobs, parent=run_folder) as blobs_folder,
            private_directory(folder, parent=blobs_folder) as parent,
        ):
            write_durably(folder / blob.digest, blob.content, folder=parent, synced=synced)
    except OSError as error:
        raise EvidenceError(f"{folder / blob.digest} can't be written: {reason_of(error)}") from error


class Resolved(NamedTuple):
    """A record's data as it was given to the log."""

    data: Mapping[str, Json]
    blobs: int
    """How many blobs were read for it."""


def blob_path(run_directory: Path, digest: str) -> Path:
    """Return where a blob of a run lies."""
    return run_directory / BLOBS / digest[:2] / digest


def references_in(value: Json) -> Iterator[str]:
    """Give the digests of the blobs that a value refers to."""
    if is_reference(value):
        yield str(cast("Mapping[str, Json]", value)["blob"])
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from references_in(item)
    elif isinstance(value, list):
        for item in value:
            yield from references_in(item)


def resolve_blobs(data: Mapping[str, Json], run_directory: Path, *, missing: set[str] | None = None) -> Resolved:
    """Return a record's data with every reference replaced by what it stands for.

    Args:
        data: The record's.
        run_directory: The run's folder.
        missing: Is given the digests of texts that are not there, in place of which a mask then stands; None if all
            must be there. The data as a whole must be.

    Raises:
        BlobError: A blob is missing, or is not what the record says.
    """
    reader = _Reader(run_directory, missing)
    try:
        if not is_reference(data):
            whole = data
        elif reader.holds_references(text := reader.text(data)):
            whole = reader.parsed(text, data)
        else:
            # As the plan of a long workflow: there is nothing in it to look for.
            return Resolved(reader.parsed(text, data), reader.count)
        return Resolved({key: reader.value(item) for key, item in whole.items()}, reader.count)
    except RecursionError as error:
        raise BlobError("its data is nested too deeply") from error


class _Reader:
    """Reads the blobs of one run and counts them."""

    def __init__(self, run_directory: Path, missing: set[str] | None) -> None:
        self._run_directory, self._missing = run_directory, missing
        self.count = 0

    def holds_references(self, text: str) -> bool:
        # A key may be spelled with escapes.
        return '"blob"' in text or "\\" in text

    def parsed(self, text: str, reference: Mapping[str, Json]) -> Mapping[str, Json]:
        try:
            data = parse(text)
        except StrictJsonError as error:
            raise BlobError(f"blob {reference['blob']} holds no data: {error}") from error
        if not isinstance(data, Mapping):
            raise BlobError(f"blob {reference['blob']} holds no data: it is no mapping")
        return data

    def value(self, value: Json) -> Json:
        if isinstance(value, Mapping):
            if is_reference(value):
                return self._text_or_mask(value)
            return {key: self.value(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.value(item) for item in value]
        return value

    def _text_or_mask(self, reference: Mapping[str, Json]) -> str:
        try:
            return self.text(reference)
        except BlobMissingError as error:
            if self._missing is None:
                raise
            self._missing.add(error.digest)
            return REDACTED

    def text(self, reference: Mapping[str, Json]) -> str:
        digest = reference["blob"]
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise BlobError("a reference to a blob holds no digest")
        content = self._content(digest, _size_of(reference))
        if hashlib.sha256(content).hexdigest() != digest:
            raise BlobError(f"blob {digest} was changed: its content has another digest")
        self.count += 1
        return _fitting(content[_SALT_BYTES:], reference)

    def _content(self, digest: str, size_bytes: int) -> bytes:
        # Nothing is read before its size is known to be right: a file put there may be larger than the memory.
        path = blob_path(self._run_directory, digest)
        if not os.path.lexists(path):
            raise BlobMissingError(digest)
        try:
            with open_regular(path) as file:
                found_bytes = os.fstat(file.fileno()).st_size
                content = file.read(size_bytes + 1) if found_bytes == size_bytes else b""
        except (LogUnreadableError, OSError) as error:
            raise BlobError(f"blob {digest} can't be read") from error
        if found_bytes != size_bytes:
            raise BlobError(f"blob {digest} was changed: it has {found_bytes} bytes, not {size_bytes}")
        return content


def _size_of(reference: Mapping[str, Json]) -> int:
    size_bytes = reference["size_bytes"]
    if type(size_bytes) is not int or not 0 <= size_bytes <= MAX_BLOB_BYTES:
        raise BlobError(f"blob {reference['blob']} is not what the record says of it: no blob has that size")
    return size_bytes + _SALT_BYTES


def _fitting(encoded: bytes, reference: Mapping[str, Json]) -> str:
    try:
        text = encoded.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BlobError(f"blob {reference['blob']} is no text") from error
    if reference["size_bytes"] != len(encoded) or reference["stored"] not in _STORED:
        raise BlobError(f"blob {reference['blob']} is not what the record says of it")
    return text
