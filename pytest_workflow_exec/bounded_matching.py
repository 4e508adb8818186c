"""Matching against regular expressions that people wrote: it ends, also where one would try for years."""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Callable
from typing import TypeVar

from pytest_workflow_exec.errors import EndlessMatchError

__all__ = ["full_match", "matches_in", "search"]

_MAX_CPU_S = 10.0
_REPEATS_AND_CHOICES = "*+{?|"
_SHORT_CHARACTERS = 1000

T = TypeVar("T")


def full_match(pattern: str, text: str, flags: int = 0) -> re.Match[str] | None:
    """Return what `re.fullmatch` would, in bounded time on the main thread.

    Raises:
        EndlessMatchError: It took too long, and whether the text matches is not known.
    """
    return _bounded(pattern, text, lambda: re.fullmatch(pattern, text, flags))


def search(pattern: str, text: str, flags: int = 0) -> re.Match[str] | None:
    """Return what `re.search` would, in bounded time on the main thread.

    Raises:
        EndlessMatchError: It took too long, and whether the text matches is not known.
    """
    return _bounded(pattern, text, lambda: re.search(pattern, text, flags))


def matches_in(pattern: str, text: str, flags: int = 0) -> list[re.Match[str]]:
    """Return all that `re.finditer` would yield, in bounded time on the main thread.

    Raises:
        EndlessMatchError: It took too long, and whether the text matches is not known.
    """
    return _bounded(pattern, text, lambda: list(re.finditer(pattern, text, flags)))


class _OverError(Exception):
    """The time is over."""


def _bounded(pattern: str, text: str, match: Callable[[], T]) -> T:
    # One repetition without a choice, in a short text, can't take long; and only the main thread is told of signals.
    quick = len(text) <= _SHORT_CHARACTERS and sum(map(pattern.count, _REPEATS_AND_CHOICES)) <= 1
    if quick or threading.current_thread() is not threading.main_thread():
        return match()
    before = signal.signal(signal.SIGVTALRM, _over)
    try:
        # Processor time, not the clock's: a busy machine must not make a pattern a bad one.
        timer = signal.setitimer(signal.ITIMER_VIRTUAL, _MAX_CPU_S)
        try:
            return match()
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, *timer)
    except _OverError:
        raise EndlessMatchError(pattern=pattern, characters=len(text), seconds=_MAX_CPU_S) from None
    finally:
        signal.signal(signal.SIGVTALRM, signal.SIG_DFL if before is None else before)


def _over(_number: int, _frame: object) -> None:
    raise _OverError
