"""One event loop in the background for the whole process, and the calls back into the thread that waits for it."""

from __future__ import annotations

import asyncio
import os
import queue
import threading
from collections.abc import Callable, Coroutine
from typing import Generic, TypeVar

T = TypeVar("T")
_PATIENCE_S = 10.0
"""How long someone who interrupts waits for the clean end."""

_lock = threading.Lock()
_loops: dict[int, asyncio.AbstractEventLoop] = {}


class Caller:
    """The thread that asked: everything of the user's runs there, as it would without an event loop."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()

    def post(self, act: Callable[[], None]) -> None:
        """Have something done in that thread, some time soon."""
        self._inbox.put(act)

    async def call(self, act: Callable[[], T]) -> T:
        """Have something done in that thread, and return what comes of it."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def answer() -> None:
            value = act()
            loop.call_soon_threadsafe(_set, done, value)

        self._inbox.put(answer)
        return await done

    def serve(self) -> None:
        """Do what is asked for until `close` is called."""
        while (act := self._inbox.get()) is not None:
            act()

    def close(self) -> None:
        """Let `serve` end."""
        self._inbox.put(None)


def _set(done: asyncio.Future[T], value: T) -> None:
    if not done.done():
        done.set_result(value)


class _Task(Generic[T]):
    def __init__(self, make: Callable[[Caller], Coroutine[None, None, T]]) -> None:
        self.caller = Caller()
        self.ended = threading.Event()
        self._make = make
        self._task: asyncio.Task[T] | None = None

    async def run(self) -> T:
        try:
            self._task = asyncio.ensure_future(self._make(self.caller))
            return await self._task
        finally:
            self.ended.set()
            self.caller.close()

    def cancel(self) -> None:
        if self._task is not None:
            self._task.cancel()


def converse(make: Callable[[Caller], Coroutine[None, None, T]]) -> T:
    """Run a coroutine in the background loop, serve its calls in this thread, and return its result.

    What this thread raises meanwhile (Ctrl-C, an error in what it was asked to do) cancels the coroutine, which has a
    bounded time to clean up.
    """
    task = _Task(make)
    loop = background_loop()
    future = asyncio.run_coroutine_threadsafe(task.run(), loop)
    try:
        task.caller.serve()
    except BaseException:
        loop.call_soon_threadsafe(task.cancel)
        task.ended.wait(_PATIENCE_S)
        raise
    return future.result()


def background_loop() -> asyncio.AbstractEventLoop:
    """Return the process's own loop, which runs in a thread of its own."""
    with _lock:
        # By process: a fork has the loop but not its thread.
        if (loop := _loops.get(os.getpid())) is None:
            loop = _loops[os.getpid()] = asyncio.new_event_loop()
            threading.Thread(target=loop.run_forever, name="workflow-exec-ai", daemon=True).start()
        return loop
