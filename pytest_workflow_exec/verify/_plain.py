"""The plain case: a line as the engine writes nearly all of them, known by its bytes.

This is a short way only. What is plain is a record in every respect; what is not may be one as well.
"""

from __future__ import annotations

import hashlib
import io
import re
from typing import BinaryIO, TypeAlias, cast

Plain: TypeAlias = "re.Match[bytes]"
"""A line's beginning, up to its step: seq, time, monotonic clock, boot and type are its groups."""

DOMAIN = hashlib.sha256(b"workflow-exec-evidence/1\n")
"""What each hash begins with; the long way does not rely on it."""

SEAL_BYTES = len(b',"hash":""}\n') + 64

END_BYTES = len(b',"prev":""') + 64 + SEAL_BYTES
"""How long the end of each line is that follows its data."""

_BUFFER_BYTES = 1 << 16


def plain_beginning(run: bytes) -> re.Pattern[bytes]:
    """Return what a plain line of that run begins with; a recovery and the end of a file are never plain."""
    return re.compile(
        rb'\{"v":1,"seq":(0|[1-9][0-9]{0,17}),"run":"'
        + re.escape(run)
        + rb'","ts":"([0-9]{4}-[0-9]{2}-[0-9]{2}T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z)",'
        rb'"mono_ns":(0|[1-9][0-9]{0,17}),"boot":"([0-9a-z]*)","type":"(?!recovery"|segment\.sealed")([a-z][a-z._]*)",'
    )


def buffered(file: BinaryIO) -> BinaryIO:
    """Return a file that reads more at once, in place of the given one."""
    raw = cast("io.BufferedReader", file).detach()
    return cast("BinaryIO", io.BufferedReader(raw, _BUFFER_BYTES))
