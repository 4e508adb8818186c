"""What a log says of bytes that are no record: a writer died in the middle of one, and another went on behind it."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._lines import BadLineError, Line, record_of, seal_claims

TYPE = b"recovery"
_CAUSE = "a record was not written whole: its writer was killed, or its disk was full"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recovery:
    """Bytes of a log that are no record and that nothing behind them refers to."""

    offset: int
    """Where they begin: the end of the last whole record."""
    size_bytes: int
    """How many there are, without the newline that ends them."""
    sha256: str
    """Their digest, in hex."""

    @property
    def end(self) -> int:
        """Where the next record begins."""
        return self.offset + self.size_bytes + 1

    @property
    def event(self) -> Event:
        """The record that tells of them."""
        return events.recovery(offset=self.offset, size_bytes=self.size_bytes, sha256=self.sha256, cause=_CAUSE)


def read_recovery(line: Line) -> Recovery | None:
    """Return the bytes that a sealed line excuses; None if it is no record of a recovery, or not of its form."""
    claims = seal_claims(line.raw)
    if claims is None or claims.type != TYPE:
        return None
    try:
        return _recovery(record_of(line.raw).data)
    except BadLineError:
        return None


def _recovery(data: Mapping[str, Json]) -> Recovery | None:
    offset, size_bytes, sha256 = (data.get(key) for key in ("offset", "bytes", "sha256"))
    if type(offset) is int and type(size_bytes) is int and isinstance(sha256, str):
        return Recovery(offset=offset, size_bytes=size_bytes, sha256=sha256)
    return None
