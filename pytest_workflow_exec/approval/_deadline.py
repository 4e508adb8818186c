"""One limit on the time of all answers together, kept by the process's alarm."""

from __future__ import annotations

import builtins
import signal
import time
from types import FrameType, TracebackType
from typing import final

# A clock that also runs while the machine sleeps: the alarm's own clock may stand still then.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_LOOK_S = 1.0
"""So often the alarm rings: a signal that came just before Python began to read is heard at the next ring, not only when the
person types something, and a machine that slept finds out how late it is."""


class NoAnswerError(BaseException):
    """The time for an answer is over; no handler of ordinary errors may take it for one of them."""


@final
class Deadline:
    """Time for answers; a timer and handler that were there before rest meanwhile and then go on.

    Entering raises OverflowError, ValueError or OSError if the time is none that a timer can count.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._ends_s = 0.0
        self._rang = False
        self._reading = False

    def __enter__(self) -> Deadline:
        """Start the time."""
        if not self._timeout_s > 0:
            message = f"{self._timeout_s} s is no time to answer in"
            raise ValueError(message)
        self._timer = signal.setitimer(signal.ITIMER_REAL, 0)
        self._handler = signal.signal(signal.SIGALRM, self._ring)
        # A blocked alarm would never ring, and the gate would hang.
        self._mask = signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGALRM})
        try:
            self._ends_s = time.clock_gettime(_CLOCK) + self._timeout_s
            # The whole time first, which has to be one that a timer can count.
            signal.setitimer(signal.ITIMER_REAL, self._timeout_s)
            self._set(self._timeout_s)
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Put back what was there before."""
        self._restore()

    @property
    def is_over(self) -> bool:
        """Whether the time is over, also if the alarm was lost."""
        return self._rang or time.clock_gettime(_CLOCK) >= self._ends_s

    def read(self, prompt: str) -> str:
        """Return one line that a person typed after `prompt`.

        Raises:
            NoAnswerError: The time is over.
            EOFError: The terminal's end of input was typed.
        """
        # Only in here does the alarm raise: nothing else can be cut off half done.
        self._reading = True
        try:
            if self.is_over:
                raise NoAnswerError
            answer = builtins.input(prompt)
        finally:
            self._reading = False
        if self.is_over:
            raise NoAnswerError
        return answer

    def _ring(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        left_s = self._ends_s - time.clock_gettime(_CLOCK)
        if left_s > 0:
            # The time is not over, and saying so would be a false record.
            self._set(left_s)
            return
        self._rang = True
        if self._reading:
            raise NoAnswerError

    def _set(self, left_s: float) -> None:
        signal.setitimer(signal.ITIMER_REAL, min(left_s, _LOOK_S))

    def _restore(self) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
        # None: the handler was not made by Python, which can't put it back.
        signal.signal(signal.SIGALRM, signal.SIG_DFL if self._handler is None else self._handler)
        remaining_s, interval_s = self._timer
        if remaining_s > 0:
            signal.setitimer(signal.ITIMER_REAL, remaining_s, interval_s)
