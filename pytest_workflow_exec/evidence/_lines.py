"""A record's line in bytes: how it is sealed, and what its bytes alone prove.

The bytes on disk are what is hashed, never another spelling of the same value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from typing import BinaryIO, NamedTuple, get_args

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.events import Actor, ActorKind
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.strict_json import StrictJsonError, parse

from ._record import KEYS, VERSION, Record

MAX_LINE_BYTES = 64 << 10
"""The longest line, its newline included."""

_DOMAIN = hashlib.sha256(b"workflow-exec-evidence/1\n")
_BEFORE_HASH = b',"hash":"'
_SEAL_BYTES = len(_BEFORE_HASH) + 64 + len(b'"}\n')
_BEGINNING = b'{"v":1,"seq":'
_VERSION = lazy_pattern(rb'\{"v":(0|[1-9][0-9]{0,8}),')
_START = lazy_pattern(
    rb'\{"v":1,"seq":(0|[1-9][0-9]{0,17}),"run":"([^"\\]*)","ts":"[^"\\]*","mono_ns":[0-9]+,"boot":"[^"\\]*",'
    rb'"type":"([^"\\]*)",'
)
_END = lazy_pattern(rb',"prev":"([0-9a-f]{64})","hash":"([0-9a-f]{64})"\}\n')
_END_BYTES = len(b',"prev":""') + 64 + _SEAL_BYTES


class BadLineError(LogUnreadableError):
    """A line is not a record as the engine writes it."""

    def __init__(self, reason: str, *, version: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.version = version
        """The version that the line claims, if it is another one than this code reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a file, wherever it came from."""

    number: int
    """Counts from 1."""
    offset: int
    """Where it begins in the file, in bytes."""
    raw: bytes
    segment: int = 0
    """Which file of the log it stands in."""

    @property
    def torn(self) -> bool:
        """Whether it is the file's end without a newline, short enough to be the start of a record."""
        return not self.raw.endswith(b"\n") and len(self.raw) < MAX_LINE_BYTES


class Seal(NamedTuple):
    """What a line's bytes say about its place in the chain."""

    seq: int
    run: bytes
    type: bytes
    prev: bytes
    hash: bytes


def sealed(body: bytes) -> tuple[bytes, str]:
    """Return the whole line and the hash of a record.

    Args:
        body: The line up to and including its `prev`, without a closing brace.
    """
    digest = _hash(body)
    return b"".join((body, _BEFORE_HASH, digest.encode("ascii"), b'"}\n')), digest


def lines_of(file: BinaryIO, *, segment: int = 0) -> Iterator[Line]:
    """Give a file's lines one by one; only a newline byte ends one, and none is held beyond its maximum.

    Args:
        segment: Which file of its log it is.
    """
    offset = number = 0
    while raw := file.readline(MAX_LINE_BYTES + 1):
        number += 1
        yield Line(number=number, offset=offset, raw=raw, segment=segment)
        offset += len(raw)


def is_sealed(raw: bytes) -> bool:
    """Return whether a line, its newline included, carries the hash of its own bytes."""
    return raw[-_SEAL_BYTES:] == b"".join((_BEFORE_HASH, _hash(raw[:-_SEAL_BYTES]).encode("ascii"), b'"}\n'))


def seal_claims(raw: bytes) -> Seal | None:
    """Return what a line claims about its place, checked or not; None if it has not the form of a record."""
    start, end = _START.match(raw), _END.fullmatch(raw, max(len(raw) - _END_BYTES, 0))
    if start is None or end is None:
        return None
    return Seal(int(start[1]), start[2], start[3], end[1], end[2])


def seems_cut(raw: bytes) -> bool:
    """Return whether a line that is no record can be the start of one that was cut and later ended by a newline.

    A whole record's line carries three marks of its end. Changing one bit takes away one of them at most.
    """
    kept = raw.rstrip()
    begins = kept.startswith(_BEGINNING) or (kept != b"" and _BEGINNING.startswith(kept))
    ended = kept + b"\n"
    marks = (
        ended[-_END_BYTES:].startswith(b',"prev":"'),
        ended[-_SEAL_BYTES:].startswith(_BEFORE_HASH),
        ended.endswith(b'"}\n'),
    )
    return raw.endswith(b"\n") and begins and sum(marks) < 2  # noqa: PLR2004  # one of three may be chance


def read_seal(raw: bytes) -> Seal:
    """Return the place in the chain of a line whose bytes fit its hash.

    Raises:
        BadLineError: The line is no record, one of another version, or was changed.
    """
    seal = seal_claims(raw) if len(raw) <= MAX_LINE_BYTES and b"\0" not in raw else None
    if seal is None:
        raise _why_no_record(raw)
    if not is_sealed(raw):
        raise BadLineError("its hash does not fit its bytes")
    return seal


def record_of(raw: bytes) -> Record:
    """Return the record of a line whose seal was read; blobs are still references.

    Raises:
        BadLineError: The line is no strict JSON, or not of a record's form.
    """
    try:
        value = parse(raw[:-1].decode("utf-8"))
    except UnicodeDecodeError as error:
        raise BadLineError("it is not UTF-8") from error
    except StrictJsonError as error:
        raise BadLineError(str(error)) from error
    if not isinstance(value, Mapping) or tuple(value) != KEYS:
        raise BadLineError("its keys are not those of a record")
    return _record(value, raw)


def _record(value: Mapping[str, Json], raw: bytes) -> Record:
    claims = seal_claims(raw)
    if claims is None or value["v"] != VERSION or not _agrees(value, claims):
        raise BadLineError("its values differ from its bytes")
    for key, types in _TYPES.items():
        if type(value[key]) not in types:
            raise BadLineError(f"its {key} is no {types[-1].__name__}")
    fields: dict[str, object] = {**value, "actor": _actor(value["actor"])}
    return Record(**fields)  # type: ignore[arg-type]  # each field's type was checked above


def _actor(value: Json) -> Actor:
    if isinstance(value, Mapping) and tuple(value) == ("kind", "id"):
        kind, name = value["kind"], value["id"]
        if kind in get_args(ActorKind) and isinstance(name, str):
            return Actor(kind=kind, id=name)  # type: ignore[arg-type]  # one of the words of ActorKind
    raise BadLineError("its actor is none")


def _agrees(value: Mapping[str, Json], claims: Seal) -> bool:
    texts = [claims.run, claims.type, claims.prev, claims.hash]
    return value["seq"] == claims.seq and [value[key] for key in ("run", "type", "prev", "hash")] == [
        text.decode("utf-8") for text in texts
    ]


_TYPES: Mapping[str, tuple[type, ...]] = {
    "ts": (str,),
    "mono_ns": (int,),
    "boot": (str,),
    "step": (type(None), str),
    "attempt": (type(None), int),
    "data": (dict,),
}


def _why_no_record(raw: bytes) -> BadLineError:
    version = _VERSION.match(raw)
    if version is not None and int(version[1]) != VERSION:
        return BadLineError(f"unsupported version {int(version[1])}", version=int(version[1]))
    for is_so, reason in (
        (raw.startswith(b"\xef\xbb\xbf"), "it begins with a byte order mark"),
        (raw.endswith(b"\r\n"), "it ends in CR LF, not in LF"),
        (not raw.strip(), "it is blank"),
        (b"\0" in raw, "it holds a NUL byte"),
        (len(raw) > MAX_LINE_BYTES, f"it is longer than {MAX_LINE_BYTES} bytes"),
    ):
        if is_so:
            return BadLineError(reason)
    return BadLineError("it has not the form of a record")


def _hash(body: bytes) -> str:
    digest = _DOMAIN.copy()
    digest.update(body)
    return digest.hexdigest()
