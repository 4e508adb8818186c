"""The text form of a signature: base64 between two lines."""

from __future__ import annotations

from ._base64 import decoded
from ._wire import MalformedError

_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"
MAX_ARMOR = 1 << 14
"""So many characters at most; the longest real one has about 6000."""


def unarmored(armor: str) -> bytes:
    """Return the bytes of an armored signature.

    Raises:
        MalformedError: The text is not exactly one, with nothing before or after it.
    """
    if len(armor) > MAX_ARMOR:
        raise MalformedError("it is longer than any")
    if "\r" in armor:
        raise MalformedError("its lines end in carriage returns: they may only end in line feeds")
    lines = armor.removesuffix("\n").split("\n")
    if lines[0] != _BEGIN:
        raise MalformedError(f"it does not begin with the line {_BEGIN!r}")
    if lines[-1] != _END:
        raise MalformedError(f"it does not end with the line {_END!r}")
    body = lines[1:-1]
    if not body or "" in body:
        raise MalformedError("it has an empty line, or nothing between its first and last")
    return decoded("".join(body))
