"""Matching ends, whatever pattern and text come together."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable

import pytest

from pytest_workflow_exec import bounded_matching
from pytest_workflow_exec.bounded_matching import full_match, matches_in, search
from pytest_workflow_exec.errors import EndlessMatchError

ENDLESS = ("(a+)+$", "a" * 60 + "b")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up after a moment: what never ends is no different after ten seconds."""
    monkeypatch.setattr(bounded_matching, "_MAX_CPU_S", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("match", [full_match, search, matches_in])
@pytest.mark.parametrize(
    ("pattern", "text"),
    [ENDLESS, ("(?:a|ab?)*$", "a" * 60 + "c"), ("(.*)(.*)(.*)(.*)x", "a" * 5000)],
)
def test_what_would_not_end_is_given_up(match: Callable[[str, str], object], pattern: str, text: str) -> None:
    """Repetitions in each other or beside each other are tried for a bounded time, and then nothing is said of the text."""
    with pytest.raises(EndlessMatchError, match=re.escape(repr(pattern))):
        match(pattern, text)


@pytest.mark.usefixtures("impatient")
def test_signals_and_timers_are_left_as_they_were() -> None:
    """Neither a match that ends nor one that is given up leaves a handler or a running timer of ours."""

    def own(_number: int, _frame: object) -> None: ...

    before = signal.signal(signal.SIGVTALRM, own)
    try:
        assert search("(a+)(b+)", "aabb") is not None
        with pytest.raises(EndlessMatchError):
            search(*ENDLESS)

        assert signal.getsignal(signal.SIGVTALRM) is own
        assert signal.getitimer(signal.ITIMER_VIRTUAL) == (0.0, 0.0)
    finally:
        signal.signal(signal.SIGVTALRM, before)


def test_what_ends_is_as_the_standard_library_has_it() -> None:
    """A match, none, several, and flags are those of `re`, on another thread too."""
    found: list[object] = []

    def look() -> None:
        match = search(r"(?P<major>\d+)\.(\d+)", "v12.3")
        found.append(match and match.groupdict())
        found.append(full_match("[a-z]+-[a-z]+", "a-b-c"))
        found.append([each.group() for each in matches_in("^a+b*$", "aab\nc\nab", re.MULTILINE)])
        found.append(full_match(r"\w+x*", "é", re.ASCII))

    look()
    thread = threading.Thread(target=look)
    thread.start()
    thread.join()

    assert found == [{"major": "12"}, None, ["aab", "ab"], None] * 2
