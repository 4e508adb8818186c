"""The short code that a person types, so that an approval belongs to one request."""

from __future__ import annotations

ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Capitals and digits without those that are read as each other: 0 and O, 1 and I."""

_HALF = 4
_BITS = 5
_MASK = (1 << _BITS) - 1


def code_of(digest: str) -> str:
    """Return the code of a request, `XXXX-XXXX`, made of the first 40 bits of its digest.

    Args:
        digest: SHA-256 in hex.

    Raises:
        ValueError: `digest` is not hexadecimal.
    """
    length = 2 * _HALF
    bits = int(digest[: length * _BITS // 4], 16)
    letters = [ALPHABET[(bits >> (_BITS * place)) & _MASK] for place in reversed(range(length))]
    return "".join(letters[:_HALF]) + "-" + "".join(letters[_HALF:])
