"""A record as the bytes that are hashed: short enough for its line, whatever was given to it."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.strict_json import encode

from ._blobs import MAX_TEXT_BYTES, Blob, spilled
from ._lines import MAX_LINE_BYTES
from ._values import refuse_too_long

_SEAL_ROOM = 128


def body_of(fields: Mapping[str, object], data: Json, blobs: list[Blob]) -> bytes:
    """Return the line of a record up to and including its `prev`.

    Args:
        fields: All but its data, in the order in which they stand.
        blobs: Is given the long texts that have to be written before the line.

    Raises:
        ValueRefusedError: The data is too long even for files beside the log.
    """
    body = _body(fields, data)
    return body if len(body) <= MAX_TEXT_BYTES else _short_body(fields, data, blobs)


def _body(fields: Mapping[str, object], data: Json) -> bytes:
    # One dictionary, one call: an encoder's start costs more than encoding a small record.
    ordered = {**fields, "actor": _actor_data(fields["actor"]), "data": data}
    ordered["prev"] = ordered.pop("prev")
    return encode(ordered)[:-1].encode("utf-8")


def _actor_data(actor: object) -> dict[str, str]:
    return {"kind": actor.kind, "id": actor.id} if isinstance(actor, Actor) else {}


def _short_body(fields: Mapping[str, object], data: Json, blobs: list[Blob]) -> bytes:
    short = spilled(data, blobs)
    body = _body(fields, short)
    if len(body) <= MAX_LINE_BYTES - _SEAL_ROOM:
        return body
    whole = encode(short)
    refuse_too_long(whole, "data")
    blobs.append(Blob.of(whole, stored="data"))
    return _body(fields, blobs[-1].reference)
