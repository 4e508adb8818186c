"""The last line that a command printed: whole, of the stream that printed last, and never more."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.sandbox._last_line import LastLine


@pytest.mark.parametrize(
    ("chunks", "line"),
    [
        ([b"one\ntwo\n"], b"two"),
        ([b"one\ntw", b"o\n"], b"two"),
        ([b"one\ntwo"], b"one"),
        ([b"on", b"e", b"\n", b"\n\n"], b"one"),
        ([b"one\r\ntwo\r\n"], b"two"),
        ([b"10%\r20%\r30"], b"20%"),
        ([b"short\n", b"x" * 5000, b"\n"], b"short"),
        ([b"short\n", b"x" * 5000 + b"\n"], b"short"),
        ([b""], b""),
    ],
)
def test_only_whole_lines_that_hold_something_count(chunks: list[bytes], line: bytes) -> None:
    """A line counts once it has ended, wherever its parts came from; empty and overlong ones don't."""
    last = LastLine()

    for chunk in chunks:
        last.add(1, chunk)

    assert last.line == line


def test_streams_are_not_mixed() -> None:
    """What one stream has begun is not continued by the other."""
    last = LastLine()

    last.add(1, b"begun on one, ")
    last.add(2, b"whole on two\n")
    last.add(1, b"ended on one")

    assert last.line == b"whole on two"
