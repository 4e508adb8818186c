"""The workers' processes: an interrupt of the session is theirs, too, and they get the time to end in order."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import Protocol

import pytest

_TELL_PID = "import os; channel.send(os.getpid())"


class _Channel(Protocol):
    def receive(self, timeout: float | None = None) -> object: ...


class Gateway(Protocol):
    """What this module uses of execnet's side of a process."""

    def remote_exec(self, source: str) -> _Channel: ...


class WorkerProcesses:
    """The processes of a session's workers."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._pids: list[int] = []

    def add(self, gateway: Gateway) -> None:
        """Take note of a process that was just started."""
        pid = gateway.remote_exec(_TELL_PID).receive(timeout=60)
        if isinstance(pid, int):
            self._pids.append(pid)

    def interrupt(self) -> None:
        """Interrupt all workers, and return when each has ended what it does after an interrupt.

        A second interrupt goes through.
        """
        for pid in self._pids:
            # By SIGTERM, which a worker that was already interrupted by the terminal lets pass.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        distribution = self._config.pluginmanager.get_plugin("dsession")
        while distribution is not None and not distribution.session_finished:
            distribution.triggershutdown()
            distribution.loop_once()
