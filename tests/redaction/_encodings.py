"""Every way to write a secret that is promised to be known, made without the code that knows them."""

from __future__ import annotations

import base64
import json
import re
import urllib.parse
import warnings
from collections.abc import Callable, Mapping


def _wrapped(text: str, width: int, ending: str = "\n") -> str:
    return ending.join(text[place : place + width] for place in range(0, len(text), width))


def _lower_percent(text: str) -> str:
    return re.sub("%[0-9A-F]{2}", lambda match: match.group().lower(), text)


def _base64(offset: int, alphabet: Callable[[bytes], bytes], *, padded: bool) -> Callable[[str], str]:
    def spelled(value: str) -> str:
        encoded = alphabet(b"u:x"[:offset] + value.encode() + b"tail").decode()
        return encoded if padded else encoded.rstrip("=")

    return spelled


WHOLE: Mapping[str, Callable[[str], str]] = {
    "as it is": lambda value: value,
    "JSON": json.dumps,
    "JSON, not ASCII": lambda value: json.dumps(value, ensure_ascii=False),
    "JSON, capitals": lambda value: re.sub(
        r"\\u[0-9a-f]{4}", lambda match: "\\u" + match.group()[2:].upper(), json.dumps(value)
    ),
    "JSON, slashes": lambda value: json.dumps(value).replace("/", "\\/"),
    "JSON in JSON": lambda value: json.dumps(json.dumps({"a": value})),
    "Python": repr,
    "Python, ASCII": ascii,
    "Python, bytes": lambda value: repr(value.encode()),
    "URL, all": lambda value: urllib.parse.quote(value, safe=""),
    "URL, path": urllib.parse.quote,
    "URL, form": urllib.parse.quote_plus,
    "URL, small letters": lambda value: _lower_percent(urllib.parse.quote(value, safe="")),
    "URL, form, small letters": lambda value: _lower_percent(urllib.parse.quote_plus(value)),
    "URL, every byte": lambda value: "".join(f"%{byte:02X}" for byte in value.encode()),
    "hex": lambda value: value.encode().hex(),
    "hex, capitals": lambda value: value.encode().hex().upper(),
    "hex, apart": lambda value: value.encode().hex(":"),
    **{
        f"base64, {name}, offset {offset}{', padded' if padded else ''}": _base64(offset, alphabet, padded=padded)
        for name, alphabet in (("standard", base64.b64encode), ("for URLs", base64.urlsafe_b64encode))
        for offset in range(3)
        for padded in (True, False)
    },
}
"""On one line, unless the secret itself has several."""

BROKEN: Mapping[str, Callable[[str], str]] = {
    "as it is, in lines": lambda value: _wrapped(value, 5),
    "as it is, in DOS lines": lambda value: _wrapped(value, 3, "\r\n"),
    "as it is, indented": lambda value: _wrapped(value, 6, "\n    "),
    "in a traceback": lambda value: _wrapped(value, 4, "\nE       "),
    "URL, in lines": lambda value: _wrapped(urllib.parse.quote(value, safe=""), 4),
    "hex, in lines": lambda value: _wrapped(value.encode().hex(), 10),
    "base64, in lines of 76": lambda value: _wrapped(base64.b64encode(b"x" * 50 + value.encode() * 2).decode(), 76),
    "base64, in lines of 64": lambda value: _wrapped(base64.b64encode(b"x" * 40 + value.encode() * 2).decode(), 64),
    "base64, of MIME": lambda value: base64.encodebytes(b"x" * 47 + value.encode()).decode(),
    "base64, in lines, in JSON": lambda value: json.dumps(_wrapped(base64.b64encode(value.encode()).decode(), 7)),
}
"""Over several lines."""

ALL = {**WHOLE, **BROKEN}


def readings(text: str) -> list[str]:
    """Return everything that somebody can read out of a text by undoing encodings, one at a time."""
    joined = "".join(text.split())
    found = [text, joined, re.sub(r"\nE {3,}", "", text)]
    found += [urllib.parse.unquote(each) for each in (text, joined)]
    found += [urllib.parse.unquote_plus(each) for each in (text, joined)]
    found += [_unescaped(text)] if "\\" in text else []
    for run in re.findall(r"[0-9a-fA-F]{8,}", joined.replace(":", "")):
        found.append(bytes.fromhex(run[: len(run) // 2 * 2]).decode("utf-8", "replace"))
    for run in re.findall(r"[A-Za-z0-9+/_-]{8,}", joined.replace("\\n", "")):
        standard = run.replace("-", "+").replace("_", "/")
        for start in range(4):
            piece = standard[start:]
            piece = piece[: len(piece) // 4 * 4]
            found.append(base64.b64decode(piece).decode("utf-8", "replace"))
    return found


def _unescaped(text: str) -> str:
    with warnings.catch_warnings():
        # Any text may hold a backslash that begins no escape; it is then read as itself.
        warnings.simplefilter("ignore", DeprecationWarning)
        return text.encode("ascii", "replace").decode("unicode_escape", "replace")
