"""Whether and when a step that failed is tried again: pure, but for the chance in a wait."""

from __future__ import annotations

import time
from collections.abc import Callable

from pytest_workflow_exec.errors import OutputError, PollFailedError
from pytest_workflow_exec.events import WaitsFor
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import POLLED_CLASSES, ErrorClass, Poll, Retry, Step, looks_in

_NAP_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAttempt:
    """Another attempt at a step, after a while."""

    error_class: ErrorClass
    """Of the attempt that failed."""
    wait_s: float
    number: int
    """Which attempt of this session it is, from 2."""
    of: int
    """How many there are at most."""
    why: WaitsFor = "retry"


def next_attempt(
    step: Step, *, tries: int, error_class: ErrorClass, error: BaseException | None = None, waited_s: float = 0.0
) -> NextAttempt | None:
    """Return the attempt that follows a failed one; None if the step stays failed.

    Args:
        tries: How many attempts there were in this session.
        error_class: Why the last one failed.
        error: The error itself, if one was raised.
        waited_s: How long ago the step was first reached, if the run ends between its attempts.
    """
    retry = step.retry
    if step.poll is not None:
        return _next_look(step.poll, tries, error_class, error, waited_s)
    if retry is None or tries >= retry.attempts or error_class not in retry.classes:
        return None
    wait_s = wait_before(retry, tries)
    return NextAttempt(error_class=error_class, wait_s=wait_s, number=tries + 1, of=retry.attempts)


def _next_look(
    poll: Poll, tries: int, error_class: ErrorClass, error: BaseException | None, waited_s: float
) -> NextAttempt | None:
    # What it leaves, or must not become, does not get better by waiting.
    ended = isinstance(error, (OutputError, PollFailedError)) or error_class not in POLLED_CLASSES
    looks = looks_in(poll.every_s, poll.timeout_s)
    if ended or tries >= looks or (poll.holds_no_process and waited_s + poll.every_s > poll.timeout_s):
        return None
    return NextAttempt(error_class=error_class, wait_s=poll.every_s, number=tries + 1, of=looks, why="poll")


def wait_before(retry: Retry, tries: int) -> float:
    """Return how long to wait after so many attempts, in seconds: twice as long each time, and a little at random."""
    # Not before it is needed: tenacity brings asyncio along.
    from tenacity import RetryCallState, Retrying, wait_exponential, wait_random

    strategy = wait_exponential(multiplier=retry.wait_s, max=retry.max_wait_s) + wait_random(0, retry.wait_s)
    state = RetryCallState(Retrying(), None, (), {})
    state.attempt_number = tries
    return min(strategy(state), retry.max_wait_s)


def wait_for(seconds: float, *, tell: Callable[[float], None]) -> None:
    """Return after a while; whatever interrupts the process ends the wait at once.

    Args:
        tell: Is told again and again how many seconds are left.
    """
    began, end = time.time(), time.monotonic() + seconds
    # By either clock: the monotonic one stands still while a machine sleeps, and the other one can be set.
    while (left_s := min(end - time.monotonic(), began + seconds - time.time())) > 0:
        tell(left_s)
        time.sleep(min(left_s, _NAP_S))
