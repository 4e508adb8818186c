"""A record as the bytes that are hashed: short enough for its line, whatever was given to it."""

from __future__ import annotations

import functools
from typing import NamedTuple

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.model import RunId, StepId
from pytest_workflow_exec.strict_json import encode

from ._blobs import MAX_TEXT_BYTES, Blob, spilled
from ._lines import MAX_LINE_BYTES
from ._record import VERSION
from ._values import refuse_too_long

_SEAL_ROOM = 128


class Fields(NamedTuple):
    """A record without its data and its hash. Only `step` and `actor` may hold what JSON would have to escape."""

    seq: int
    run: RunId
    ts: str
    mono_ns: int
    boot: str
    type: str
    step: StepId | None
    attempt: int | None
    actor: Actor
    prev: str


def body_of(fields: Fields, data: Json, blobs: list[Blob]) -> bytes:
    """Return the line of a record up to and including its `prev`.

    Args:
        fields: All but its data.
        blobs: Is given the long texts that have to be written before the line.

    Raises:
        ValueRefusedError: The data is too long even for files beside the log.
    """
    body = _body(fields, data)
    return body if len(body) <= MAX_TEXT_BYTES else _short_body(fields, data, blobs)


def _body(fields: Fields, data: Json) -> bytes:
    # As `encode` would spell it, but for most of it nothing has to be looked at: see `Fields`.
    step = "null" if fields.step is None else _step_text(fields.step)
    attempt = "null" if fields.attempt is None else f"{fields.attempt:d}"
    return (
        f'{{"v":{VERSION},"seq":{fields.seq},"run":"{fields.run}","ts":"{fields.ts}","mono_ns":{fields.mono_ns},'
        f'"boot":"{fields.boot}","type":"{fields.type}","step":{step},"attempt":{attempt},'
        f'"actor":{_actor_text(fields.actor.kind, fields.actor.id)},"data":{encode(data)},"prev":"{fields.prev}"'
    ).encode()


# A step's records come one after the other.
_step_text = functools.lru_cache(maxsize=16)(encode)


@functools.lru_cache(maxsize=64)
def _actor_text(kind: str, name: str) -> str:
    return encode({"kind": kind, "id": name})


def _short_body(fields: Fields, data: Json, blobs: list[Blob]) -> bytes:
    short = spilled(data, blobs)
    body = _body(fields, short)
    if len(body) <= MAX_LINE_BYTES - _SEAL_ROOM:
        return body
    whole = encode(short)
    refuse_too_long(whole, "data")
    blobs.append(Blob.of(whole, stored="data"))
    return _body(fields, blobs[-1].reference)
