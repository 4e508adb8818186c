"""The source that the steps of a module share: what is left of it without them, its comments and its blank lines."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Container

from ._outline import Outline

_NO_CODE = frozenset({
    tokenize.COMMENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER, tokenize.INDENT, tokenize.NEWLINE,
    tokenize.NL,
})  # fmt: skip


def shared_source(source: bytes, outline: Outline, steps: Container[str]) -> bytes:
    """Return what the steps of a module share: helpers, fixtures, imports, constants, the rest of their classes.

    It is text, no syntax tree: two versions of Python spell the same tree differently, and both must find the same
    digest for a plan.

    Args:
        source: The module's source, which parses.
        outline: Its outline.
        steps: The functions that are steps, by qualified name. A fixture called `test_client` is none, and a step that
            the module calls by name is a helper, too.
    """
    apart = (each.lines for name, each in outline.functions.items() if name in steps and not each.is_helper)
    own = {number for lines in apart for number in lines}
    lines, kept = _code(source, own)
    left_out = own | outline.said_elsewhere
    return "\n".join(lines[number - 1] for number in sorted(kept - left_out)).encode()


def _code(source: bytes, passed_over: set[int]) -> tuple[list[str], set[int]]:
    """Return a module's lines without their comments, and the numbers of those that hold more than a comment.

    Args:
        passed_over: Lines that only whole functions stand in: no token of another statement goes over them.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    text = source.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    # No `splitlines`: it also ends lines where Python does not, such as at a form feed.
    lines = text.split("\n")
    numbers = [number for number in range(1, len(lines) + 1) if number not in passed_over]
    left = "\n".join([lines[number - 1] for number in numbers])
    kept = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(left).readline):
        first, last = token.start[0], token.end[0]
        if token.type == tokenize.COMMENT:
            number = numbers[first - 1]
            lines[number - 1] = lines[number - 1].removesuffix(token.string).rstrip()
        elif token.type not in _NO_CODE:
            kept.update(numbers[first - 1 : last])
    return lines, kept
