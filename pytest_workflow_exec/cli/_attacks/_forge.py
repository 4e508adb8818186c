"""Writing into a log what no engine wrote, with hashes that fit: anybody who can write the file can do this."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_DOMAIN = b"workflow-exec-evidence/1\n"


def records(log: Path) -> list[dict[str, Any]]:
    """Return the records of a log."""
    return [json.loads(line) for line in log.read_bytes().split(b"\n") if line]


def last(log: Path, kind: str) -> dict[str, Any]:
    """Return the last record of a type.

    Raises:
        LookupError: There is none.
    """
    found = [record for record in records(log) if record["type"] == kind]
    if not found:
        raise LookupError(f"no {kind} in the log")
    return found[-1]


def rewrite(log: Path, change: Callable[[list[dict[str, Any]]], Sequence[dict[str, Any]]]) -> None:
    """Write a log anew with changed records, its numbers and its hashes made to fit."""
    prev, lines = "0" * 64, list[bytes]()
    for seq, record in enumerate(change(records(log))):
        facts = {**{key: value for key, value in record.items() if key != "hash"}, "seq": seq, "prev": prev}
        body = json.dumps(facts, ensure_ascii=False, separators=(",", ":")).encode()[:-1]
        prev = hashlib.sha256(_DOMAIN + body).hexdigest()
        lines.append(body + b',"hash":"' + prev.encode() + b'"}\n')
    log.write_bytes(b"".join(lines))


def append(log: Path, record: dict[str, Any]) -> None:
    """Write a record behind the last one, as if it had been written just then."""

    def with_it(found: list[dict[str, Any]]) -> Sequence[dict[str, Any]]:
        newest = found[-1]
        times = {key: newest[key] for key in ("ts", "mono_ns", "boot")}
        return [*found, {**{key: record[key] for key in newest if key in record}, **times, "run": newest["run"]}]

    rewrite(log, with_it)


def decision(request: dict[str, Any], *, who: str, like: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return the record of an approval that nobody gave.

    Args:
        request: The record of the question.
        like: The record of a real one to take the signature from; None for one that was typed.
    """
    typed = {"decision": "approved", "reason": "", "channel": "terminal", "terminal": "/dev/pts/0", "assurance": 1}
    data = {**(typed if like is None else like["data"]), "approver": who, "digest": request["data"]["digest"]}
    return {**request, "type": "gate.decided", "actor": {"kind": "human", "id": who}, "data": data}
