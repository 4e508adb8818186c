"""A line of the ledger of runs: which run began or ended when, chained to the line before it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import BinaryIO, Literal, NamedTuple, get_args

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import RunId
from pytest_workflow_exec.strict_json import StrictJsonError, encode, parse

from ._lines import Line, lines_of
from ._record import NO_HASH, Head

LedgerEvent = Literal["started", "resumed", "finished", "pruned", "imported"]

_DOMAIN = hashlib.sha256(b"workflow-exec-ledger/1\n")
_BEFORE_HASH = b',"hash":"'
_SEAL = lazy_pattern(rb'(.*,"prev":"([0-9a-f]{64})"),"hash":"([0-9a-f]{64})"\}\n', re.DOTALL)
_BEGINNING = b'{"v":1,"ts":'
_KEYS = ("v", "ts", "run", "workflow", "event", "seq", "head", "root", "prev", "hash")


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerEntry:
    """What the ledger says of a run at one moment."""

    ts: str
    """When it was written, UTC."""
    run: RunId
    workflow: str
    event: LedgerEvent
    head: Head
    """The run's log at that moment."""
    root: str
    """Where the project was."""


class SealedEntry(NamedTuple):
    """A line that fits its own hash."""

    entry: LedgerEntry
    prev: str
    hash: str


class Reading(NamedTuple):
    """A ledger as far as it can be read."""

    entries: tuple[LedgerEntry, ...]
    problems: tuple[str, ...]
    """What is wrong with it, line by line."""


def new_entry(event: LedgerEvent, *, run: RunId, workflow: str, head: Head, root: str) -> LedgerEntry:
    """Return an entry of this moment."""
    ts = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return LedgerEntry(ts=ts, run=run, workflow=workflow, event=event, head=head, root=root)


def line_of_entry(entry: LedgerEntry, prev: str) -> bytes:
    """Return an entry as the line that follows the one with the hash `prev`."""
    fields: dict[str, Json] = {
        "v": 1,
        "ts": entry.ts,
        "run": entry.run,
        "workflow": entry.workflow,
        "event": entry.event,
        "seq": entry.head.seq,
        "head": entry.head.hash,
        "root": entry.root,
        "prev": prev,
    }
    body = encode(fields)[:-1].encode("utf-8")
    return b"".join((body, _BEFORE_HASH, _hash(body).encode("ascii"), b'"}\n'))


def sealed_entry(raw: bytes) -> SealedEntry | None:
    """Return the entry of a line; None if it is no entry or was changed."""
    seal = _SEAL.fullmatch(raw)
    if seal is None or _hash(seal[1]) != seal[3].decode("ascii"):
        return None
    try:
        value = parse(raw.decode("utf-8"))
    except (UnicodeDecodeError, StrictJsonError):
        return None
    entry = _entry(value) if isinstance(value, Mapping) and tuple(value) == _KEYS else None
    return None if entry is None else SealedEntry(entry, seal[2].decode("ascii"), seal[3].decode("ascii"))


def read_entries(file: BinaryIO) -> Reading:
    """Return all that can be read of a ledger; what is damaged is named and passed over."""
    entries, problems = [], []
    for found in _entries(file):
        if isinstance(found, str):
            problems.append(found)
        else:
            entries.append(found)
    return Reading(tuple(entries), tuple(problems))


def _entries(file: BinaryIO) -> Iterator[LedgerEntry | str]:
    prev = NO_HASH
    for line in lines_of(file):
        sealed = sealed_entry(line.raw)
        if sealed is not None:
            if sealed.prev != prev:
                yield f"line {line.number} does not follow the one before it: lines were removed, or put there"
            yield sealed.entry
            prev = sealed.hash
        elif not _seems_cut(line):
            yield f"line {line.number} is no entry, or was changed"


def _seems_cut(line: Line) -> bool:
    # A writer that was killed leaves the start of a line; the next one has ended it with a newline.
    kept = line.raw.rstrip(b"\n")
    begins = kept.startswith(_BEGINNING) or _BEGINNING.startswith(kept)
    return kept != b"" and begins and not kept.endswith(b'"}')


def _entry(value: Mapping[str, Json]) -> LedgerEntry | None:
    ts, run, workflow, event, head, root = (value[key] for key in ("ts", "run", "workflow", "event", "head", "root"))
    seq = value["seq"]
    texts = isinstance(ts, str) and isinstance(run, str) and isinstance(workflow, str) and isinstance(root, str)
    if not texts or type(seq) is not int or not isinstance(head, str) or event not in get_args(LedgerEvent):
        return None
    return LedgerEntry(
        ts=str(ts),
        run=str(run),
        workflow=str(workflow),
        event=event,  # type: ignore[arg-type]  # one of the words of LedgerEvent
        head=Head(seq=seq, hash=head),
        root=str(root),
    )


def _hash(body: bytes) -> str:
    digest = _DOMAIN.copy()
    digest.update(body)
    return digest.hexdigest()
