"""Signals while a command runs: held back until it has ended and that is written down, then delivered."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import TypeAlias, final

_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM)

_Handler: TypeAlias = Callable[[int, FrameType | None], object] | int

# The same calls as in `signal`, which before Python 3.13 tries to make a name of every handler. Twenty of them stand
# around each command, and took half as long as its two records.
_calls = sys.modules.get("_signal", signal)


@final
class HeldSignals:
    """Holds back what Python would do on a signal, as long as the context lasts; in the main thread only."""

    def __init__(self) -> None:
        self.arrived: list[signal.Signals] = []
        """The signals that wait to be delivered, each once, in the order in which they came."""
        self._before: dict[signal.Signals, _Handler] = {}
        self._holding = False

    def __enter__(self) -> HeldSignals:
        """Put the recorder in place of the handlers that Python code installed, and of the system's defaults."""
        if threading.current_thread() is not threading.main_thread():
            return self
        try:
            for number in _HELD:
                self._take_over(number)
            self._holding = True
        except BaseException:
            # A handler that was not replaced yet raised; nothing is under way.
            self._release()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore the handlers, then deliver what arrived to them; they may raise."""
        __tracebackhide__ = True
        self._release()

    def _take_over(self, number: signal.Signals) -> None:
        handler = _calls.getsignal(number)
        # None: installed by code that is not Python, which can't be put back from here.
        if handler is None or handler == signal.SIG_IGN:
            return
        self._before[number] = handler
        _calls.signal(number, self._note)

    def _note(self, number: int, _: FrameType | None) -> None:
        __tracebackhide__ = True
        held = signal.Signals(number)
        # Once each, as the kernel keeps signals that are blocked.
        if held not in self.arrived:
            self.arrived.append(held)
        # Not holding: a handler raised while the others were being replaced or restored. Whatever of
        # this recorder is still in place then does what the handler before it would.
        if not self._holding:
            self._deliver()

    def _release(self) -> None:
        __tracebackhide__ = True
        try:
            self._holding = False
            self._restore()
        finally:
            self._deliver()

    def _restore(self) -> None:
        __tracebackhide__ = True
        for number, handler in self._before.items():
            # Only in its own place: what somebody installed meanwhile stays.
            if _calls.getsignal(number) == self._note:
                _calls.signal(number, handler)

    def _deliver(self) -> None:
        __tracebackhide__ = True
        if not self.arrived:
            return
        # A time limit first: of several handlers that raise, the last one's exception goes on, and
        # a limit that fails one step may not hide that the whole session was told to end.
        number = min(self.arrived, key=lambda each: each is not signal.SIGALRM)
        self.arrived.remove(number)
        try:
            self._hand_over(number)
        finally:
            self._deliver()

    def _hand_over(self, number: signal.Signals) -> None:
        __tracebackhide__ = True
        handler = self._before[number]
        if callable(handler):
            handler(number, inspect.currentframe())
        else:
            signal.signal(number, handler)
            os.kill(os.getpid(), number)


def held_signals() -> HeldSignals:
    """Return a context in which signals raise nowhere: they are noted in `arrived`, and delivered at its end.

    Ignored signals stay ignored, and handlers that were not installed from Python are left alone. In other
    threads than the main one, where no handler ever runs, it does nothing.
    """
    return HeldSignals()
