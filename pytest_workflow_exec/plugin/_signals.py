"""SIGTERM, SIGHUP and SIGQUIT end a session with workflows like Ctrl-C: what happened is written down first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


@contextmanager
def ending_signals_interrupt(unless: Callable[[], bool] = lambda: False) -> Iterator[None]:
    """Turn the signals that end a process into an interrupt, as long as the context lasts.

    Args:
        unless: Asked at each signal; if it holds, the signal means nothing any more.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        if not unless():
            raise KeyboardInterrupt(signal.Signals(number).name)

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number, handler in before.items():
        # nohup sets SIGHUP aside on purpose.
        if handler is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
