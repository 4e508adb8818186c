"""The files that signers and revoked keys stand in, line by line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ._refusals import SignersError

_MAX_BYTES = 1 << 20


def content_of(path: Path) -> bytes:
    """Return what is in a file.

    Raises:
        SignersError: It can't be read, or is longer than any list.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SignersError(file=str(path), message=f"it can't be read: {error}") from error
    if len(content) > _MAX_BYTES:
        raise SignersError(file=str(path), message=f"it is longer than {_MAX_BYTES} bytes")
    return content


def lines_of(content: bytes, *, file: str) -> Iterator[tuple[int, str]]:
    """Yield the number and text of each line that is no comment and not empty.

    Raises:
        SignersError: A line is not UTF-8, or has control characters.
    """
    for number, raw in enumerate(content.split(b"\n"), start=1):
        try:
            line = raw.removesuffix(b"\r").decode("utf-8")
        except UnicodeDecodeError as error:
            raise SignersError(file=file, line=number, message="it is not UTF-8") from error
        # OpenSSH ends a line at a zero byte: what follows it would be seen here and not there.
        if not line.replace("\t", "").isprintable():
            raise SignersError(file=file, line=number, message="it has characters that can't be seen")
        text = line.strip(" \t")
        if text and not text.startswith("#"):
            yield number, text
