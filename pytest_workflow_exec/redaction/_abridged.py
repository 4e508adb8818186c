"""What is left of a secret where somebody shortened a text in its middle, as pytest does with long values."""

from __future__ import annotations

import json
from collections.abc import Iterator

from pytest_workflow_exec.lazy_patterns import lazy_pattern

from ._unbroken import Span

_GAP = lazy_pattern(r"\.\.\.|…")
_MIN_CHARACTERS = 4
"""Fewer say little, and would be found by chance."""


def abridged(text: str, value: str) -> Iterator[Span]:
    """Give the parts of a text that are the beginning or the end of a secret, next to the dots for what was left out."""
    gaps = [match.span() for match in _GAP.finditer(text)]
    if not gaps:
        return
    for spelling in dict.fromkeys((value, repr(value)[1:-1], json.dumps(value)[1:-1])):
        signs = frozenset(spelling)
        lengths = range(len(spelling) - 1, _MIN_CHARACTERS - 1, -1)
        for start, end in gaps:
            if text[start - 1 : start] not in signs and text[end : end + 1] not in signs:
                continue
            # From the longest on: what is shorter is part of it.
            before = next((n for n in lengths if text.endswith(spelling[:n], 0, start)), None)
            after = next((n for n in lengths if text.startswith(spelling[-n:], end)), None)
            if before is not None:
                yield Span(start - before, start)
            if after is not None:
                yield Span(end, end + after)
