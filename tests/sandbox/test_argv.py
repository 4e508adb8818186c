"""Argument lists that no program could be given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest

from pytest_workflow_exec.errors import CommandRefusedError
from pytest_workflow_exec.sandbox._argv import checked_argv


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        ([], "empty"),
        ("git status", "a list of arguments"),
        (b"git", "argument 0 is a int"),
        (None, "a list of arguments"),
        ({"git": 1}, "a list of arguments"),
        (["git", 1], "argument 1 is a int"),
        (["git", None], "argument 1 is a NoneType"),
        (["git", b"x"], "argument 1 is a bytes"),
        (["git", "a\0b"], "argument 1 holds a NUL"),
        (["git\0x"], "argument 0 holds a NUL"),
        (["git", "\udcff"], "argument 1 holds half a surrogate"),
        (["git", "x" * (128 * 1024)], "argument 1 is 131072 bytes"),
        (["git", "é" * (64 * 1024)], "argument 1 is 131072 bytes"),
        (["git", *["x" * 100_000] * 11], "bytes long together"),
    ],
)
def test_impossible_argument_list_is_refused(argv: object, words: str) -> None:
    """What no program could be started with is refused before any rule is asked."""
    with pytest.raises(CommandRefusedError, match=words):
        checked_argv(cast("Sequence[str]", argv))


def test_longest_argument_is_accepted() -> None:
    """An argument just below the kernel's bound is no reason to refuse."""
    argument = "x" * (128 * 1024 - 2)

    assert checked_argv(["echo", argument]) == ("echo", argument)


def test_text_that_lies_about_itself_is_copied() -> None:
    """A subclass of str can't compare as one thing and be started as another."""

    class Liar(str):
        __slots__ = ()

        def __eq__(self, other: object) -> bool:
            return True

        def __hash__(self) -> int:
            return 0

    [copied] = checked_argv([Liar("rm")])

    assert type(copied) is str
    assert copied != "git"
