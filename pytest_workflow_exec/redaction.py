"""Known secrets out of everything that is shown or stored."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from urllib.parse import quote, quote_plus

from pytest_workflow_exec.digests import Json

MIN_SECRET_BYTES = 8
"""A shorter value would be found by chance in ordinary text; it is not masked."""

_MASK = re.compile(r"\[secret [\w.:-]+\]")
_NO_NAME = re.compile(r"[^\w.:-]")


class Redactor:
    """Replaces the values of known secrets, also where they are encoded."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self._names = {
            spelling: name
            for name, value in secrets.items()
            if len(value.encode()) >= MIN_SECRET_BYTES
            for spelling in _spellings(value)
        }
        # Longest first: an alternation takes the first branch that matches, and a secret that
        # begins with another secret would otherwise leave its tail in the text.
        longest_first = sorted(self._names, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, longest_first))) if longest_first else None

    def text(self, text: str) -> str:
        """Return `text` with every known secret replaced by its name."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: _mask(self._names[match.group()]), text)

    def value(self, value: Json) -> Json:
        """Return a JSON value with every known secret in its texts and keys replaced."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.value(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.value(item) for item in value]
        return value


def holds_mask(text: str) -> bool:
    """Return whether `text` holds a mask as a `Redactor` writes it, such as `[secret TOKEN]`.

    Such a text is not the one that was there: nothing may be done with it as if it were.
    """
    return _MASK.search(text) is not None


def _mask(name: str) -> str:
    # Of few characters, so that every mask is known again as one, whatever its secret is called.
    return f"[secret {_NO_NAME.sub('_', name) or '_'}]"


def _spellings(value: str) -> Iterable[str]:
    raw = value.encode()
    yield value
    yield json.dumps(value)[1:-1]
    yield json.dumps(value, ensure_ascii=False)[1:-1]
    for quoted in (quote(value, safe=""), quote(value), quote_plus(value)):
        yield quoted
        yield _PERCENT.sub(lambda match: match.group().lower(), quoted)
    yield raw.hex()
    yield raw.hex().upper()
    yield from _base64_spellings(raw)


def _base64_spellings(raw: bytes) -> Iterable[str]:
    # Base64 of a text that holds the secret depends on the secret's offset modulo 3. For each
    # offset, the characters that only the secret's own bits decide are the same everywhere.
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode("ascii").rstrip("=")
        start = (offset * 8 + 5) // 6
        end = (offset + len(raw)) * 8 // 6
        stable = encoded[start:end]
        yield stable
        yield stable.translate(_URL_SAFE)


_URL_SAFE = str.maketrans("+/", "-_")
_PERCENT = re.compile("%[0-9A-F]{2}")
