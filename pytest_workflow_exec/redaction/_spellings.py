"""Every way in which a secret may be written: as it is, escaped, quoted for a URL, in hex, in base64."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator

from pytest_workflow_exec.lazy_patterns import lazy_pattern

MIN_SECRET_BYTES = 8
"""A shorter value would be found by chance in ordinary text; it is not masked."""

_LAST_ASCII, _LAST_BYTE = 0x7F, 0xFF
_BETWEEN_BYTES = r"[ :,-]{0,2}(?:0x|\\x)?"
_CONTROLS = {"\n": "n", "\r": "r", "\t": "t", "\b": "b", "\f": "f", "\v": "v", "\a": "a", "\0": "0"}
_BACKSLASHES = lazy_pattern(r"\\+|[^\\]", re.DOTALL)
_WITH_SPACES = lazy_pattern(r"[\\\s]*\s[\\\s]*|\\+|[^\\\s]", re.DOTALL | re.ASCII)
_SPACES = lazy_pattern(r"\s+", re.ASCII)
_SPACE = r"(?:[\\ \t\n\r\f\v{plus}]|%(?:5[cC]|20|0[9a-dA-D])|(?<=\\)(?:[nrtfv]|(?:x|u00)(?:5[cC]|20|0[9a-dA-D])))"
"""One sign of white space or backslashes, however they are written: one after the other, each is of one kind only."""
_MAX_AMBIGUOUS = 4
_IN_BASE64 = {"+": r"(?:[+-]|%2[bB])", "/": r"(?:[/_]|\\{1,3}/|%2[fF])"}
_MAX_SIGNS = 6
"""How many of them one character may become."""


def escaped(value: str, *, across_lines: bool = False) -> str:
    """Return a pattern for a text of which any character may stand escaped: as in JSON, Python, a shell or a URL.

    Args:
        across_lines: For a text without its line breaks, in which white space of the secret was lost with them.
    """
    if not (across_lines and _may_lose_spaces(value)):
        return "".join(map(_run, _BACKSLASHES.findall(value)))
    space = _SPACE.format(plus="" if "+" in value else "+")
    return "".join(
        f"{space}{{{run.count(chr(92))},{_MAX_SIGNS * len(run)}}}" if _SPACES.search(run) else _run(run)
        for run in _WITH_SPACES.findall(value)
    )


def hexadecimal(value: str) -> str:
    """Return a pattern for the bytes of a text in hex, also with something between them."""
    return _BETWEEN_BYTES.join(map(_hex_digits, bytes_of(value)))


def base64_part(value: str) -> str:
    """Return a pattern for a text within base64 of any text that holds it."""
    raw, parts = bytes_of(value), []
    # What it looks like depends on its offset modulo 3. For each offset, the characters that only the secret's own
    # bits decide are the same everywhere.
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode("ascii").rstrip("=")
        stable = encoded[(offset * 8 + 5) // 6 : (offset + len(raw)) * 8 // 6]
        parts.append("".join(_IN_BASE64.get(character, character) for character in stable))
    return "|".join(parts)


def _may_lose_spaces(value: str) -> bool:
    words = _SPACES.split(value)
    # Too little would be left of it, or its own signs could be taken for parts of escapes in too many ways.
    ambiguous = ("\\" in value or "%" in value) and len(words) > _MAX_AMBIGUOUS
    return len(bytes_of("".join(words))) >= MIN_SECRET_BYTES and not ambiguous


def _run(run: str) -> str:
    if run.startswith("\\"):
        # One quantifier for all of them: of several in a row, a regular expression would try every combination.
        return rf"(?:\\{{{len(run)},{4 * len(run)}}}|(?:%5[cC]|\\{{1,3}}(?:u00|x)5[cC]){{{len(run)}}})"
    return f"(?:{'|'.join(_character(run))})"


def _character(character: str) -> Iterator[str]:
    code, raw = ord(character), bytes_of(character)
    yield re.escape(character)
    yield "".join(f"%{_hex_digits(byte)}" for byte in raw)
    units = character.encode("utf-16-be", "surrogatepass")
    yield "".join(
        rf"\\{{1,3}}u{_hex_digits(high)}{_hex_digits(low)}" for high, low in zip(units[::2], units[1::2], strict=True)
    )
    yield "".join(rf"\\{{1,3}}x{_hex_digits(byte)}" for byte in raw)
    if code > _LAST_ASCII:
        yield rf"\\{{1,3}}x{_hex_digits(code)}" if code <= _LAST_BYTE else rf"\\{{1,3}}U{_digits(f'{code:08x}')}"
    if character in _CONTROLS:
        yield rf"\\{{1,3}}{_CONTROLS[character]}"
    elif code <= _LAST_ASCII and not character.isalnum():
        yield rf"\\{{1,3}}{re.escape(character)}"
    if character == " ":
        yield r"\+"


def bytes_of(text: str) -> bytes:
    """Return a text's bytes; a variable may hold some that are no UTF-8, which Python writes as halves of characters."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _hex_digits(byte: int) -> str:
    return _digits(f"{byte:02x}")


def _digits(lower: str) -> str:
    return "".join(digit if digit.isdigit() else f"[{digit}{digit.upper()}]" for digit in lower)
