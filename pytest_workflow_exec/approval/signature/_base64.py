"""Base64 in the one spelling that its bytes have."""

from __future__ import annotations

import base64
import binascii

from ._wire import MalformedError


def decoded(text: str) -> bytes:
    """Return the bytes that a text of base64 stands for.

    Raises:
        MalformedError: It is none, or not the one that encoding the bytes gives.
    """
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise MalformedError("it is not base64") from error
    # Bits that decoding ignores would let one signature have several spellings.
    if base64.b64encode(raw).decode("ascii") != text:
        raise MalformedError("its base64 is not the one that its bytes have")
    return raw
