"""What little of Markdown matters here: where sections begin, and which files a text imports."""

from __future__ import annotations

import re
from collections.abc import Iterator

_FENCE = re.compile(r" {0,3}(?P<fence>`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_INDENTED = re.compile(r"(?: {4}|\t)")
_SPAN = re.compile(r"(?P<ticks>`+)(?!`).*?(?<!`)(?P=ticks)(?!`)")
_IMPORT = re.compile(r"(?:^|(?<=[\s(]))@(?P<path>[^\s`@()\[\]{}<>\"',;]+)")
_ENDS = ".:!?"


def sections_of(text: str) -> tuple[str, ...]:
    """Return a text cut in front of each heading; joined, they are the text again."""
    starts, position = [0], 0
    for line, is_code in _lines(text):
        if position and not is_code and _HEADING.match(line):
            starts.append(position)
        position += len(line)
    return tuple(text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True) if start < end)


def imports_of(text: str) -> tuple[str, ...]:
    """Return the paths after an `@`, outside of code, each once: `@docs/style.md`, but not `@alice`."""
    found: dict[str, None] = {}
    for line, is_code in _lines(text):
        if not is_code and "@" in line:
            for match in _IMPORT.finditer(_SPAN.sub(" ", line)):
                path = match["path"].rstrip(_ENDS)
                # A name without a slash or an ending is a person or a decorator.
                if "/" in path or "." in path:
                    found[path] = None
    return tuple(found)


def _lines(text: str) -> Iterator[tuple[str, bool]]:
    """Give each line with its end, and whether it belongs to a block of code."""
    fence, blank, indented = "", True, False
    for line in text.splitlines(keepends=True):
        mark = _FENCE.match(line)
        if fence:
            yield line, True
            closes = mark is not None and mark["fence"].startswith(fence) and not line[mark.end() :].strip()
            fence = "" if closes else fence
        elif mark is not None and not ("`" in mark["fence"] and "`" in line[mark.end() :]):
            fence = mark["fence"]
            yield line, True
        else:
            indented = bool(_INDENTED.match(line)) and (blank or indented)
            yield line, indented
        blank = not line.strip()
