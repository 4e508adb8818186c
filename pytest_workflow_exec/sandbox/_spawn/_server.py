"""Starts commands for the engine, one after another, and ends all that is left of each before the next.

The server makes the process of the next command before it is asked for, so that nobody waits for that. Whatever detaches
itself from a command becomes the server's child. It waits for the command and tells how it ended. If nothing else of it
is left, the kernel says so by having no child to wait for. Else the rest is ended when the engine asks for it; if the
engine is gone first, the server does so by itself.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import signal
import socket
from typing import Any, NamedTuple, NoReturn

from . import _kernel as kernel
from ._target import TAKEN, become_next, take

# Else children made with another signal than the usual one are not waited for.
_WAIT_ALL = 0x40000000
_PAUSE_MS = 100
_FIRST_FREE = 6


class _Start(NamedTuple):
    """What the process told that was to become a command."""

    is_taken: bool
    """Whether it took a request."""
    processes: int
    """How many the command may have; 0 for no bound."""
    problem: str
    """Why it did not become the command; empty if it did."""


def main(kind: str, control: int, engine: int) -> NoReturn:
    """Serve requests on the socket `control` until the process of the descriptor `engine` is gone.

    Args:
        kind: `plain` for commands that may do whatever the engine may, else the level that they are confined at.
    """
    _prepare(kind, control, engine)
    requests = socket.socket(fileno=control)
    while True:
        _serve(requests, engine, kind)


def _prepare(kind: str, control: int, engine: int) -> None:
    """Do once what every command's process inherits, and what binds only programs that are started from here on."""
    for descriptor in (control, engine):
        os.set_inheritable(descriptor, False)
    # Numbers below it are for the command's own.
    while os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC) < _FIRST_FREE:
        pass
    gc.disable()
    gc.freeze()
    for resettable in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}:
        signal.signal(resettable, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    kernel.prctl(kernel.SET_SUBREAPER, 1)
    if kind != "plain":
        kernel.prctl(kernel.SET_NO_NEW_PRIVILEGES, 1)
        kernel.bound_capabilities()


def _serve(requests: socket.socket, engine: int, kind: str) -> None:
    errors, report = os.pipe()
    try:
        pid = os.fork()
    except OSError as error:
        os.close(errors)
        os.close(report)
        _refuse_next(requests, f"no process can be made: {error.strerror}")
        return
    if pid == 0:
        become_next(requests, report, kind)
    os.close(report)
    try:
        start = _told(errors, engine, pid)
    finally:
        os.close(errors)
    if start.problem:
        os.waitpid(pid, 0)
        if start.is_taken:
            _tell(requests, {"error": start.problem})
        else:
            _refuse_next(requests, start.problem)
        return
    _tell(requests, {"target": pid, "error": ""})
    _Watch(pid, start.processes).until_gone(requests, engine)


def _refuse_next(requests: socket.socket, problem: str) -> None:
    for descriptor in take(requests)[1]:
        os.close(descriptor)
    _tell(requests, {"error": problem})


def _told(errors: int, engine: int, pid: int) -> _Start:
    """Wait until the process took a request and became the command, or failed to."""
    poll = select.poll()
    poll.register(errors, select.POLLIN)
    poll.register(engine, select.POLLIN)
    if errors not in dict(poll.poll()):
        os.kill(pid, signal.SIGKILL)
        os._exit(0)
    told = b""
    while chunk := os.read(errors, 4096):
        told += chunk
    if not told:
        # It ended without a request: nobody can ask any more.
        os._exit(0)
    if not told.startswith(TAKEN):
        return _Start(is_taken=False, processes=0, problem=told.decode(errors="replace"))
    bound, _, problem = told[len(TAKEN) :].partition(b"\n")
    return _Start(is_taken=True, processes=int(bound), problem=problem.decode(errors="replace"))


class _Watch:
    """One command that runs, and what became of all its processes."""

    def __init__(self, target: int, processes: int) -> None:
        self._target, self._processes = target, processes
        self._facts: dict[str, Any] = {"user_s": 0.0, "system_s": 0.0, "max_rss_kib": 0}

    def until_gone(self, requests: socket.socket, engine: int) -> None:
        """Return when there is none any more; without the engine, end with it."""
        handle, poll = os.pidfd_open(self._target), select.poll()
        for descriptor in (handle, requests.fileno(), engine):
            poll.register(descriptor, select.POLLIN)
        try:
            while True:
                ready = dict(poll.poll(_PAUSE_MS))
                if handle in ready:
                    poll.unregister(handle)
                asked = requests.fileno() in ready
                if asked or engine in ready or self._is_too_many(ready):
                    gone = engine in ready or (asked and not requests.recv(1))
                    self._facts["ended"] = self._end_all()
                    _tell(requests, self._facts)
                    if gone:
                        os._exit(0)
                    return
                was_known, alone = "exit" in self._facts, self._collect()
                if alone:
                    _tell(requests, {**self._facts, "ended": 0})
                    return
                if "exit" in self._facts and not was_known:
                    _tell(requests, self._facts)
        finally:
            os.close(handle)

    def _is_too_many(self, ready: dict[int, int]) -> bool:
        # The kernel's own bound counts all of a user's, and none of root's.
        if ready or not self._processes or len(_descendants(os.getpid())) <= self._processes:
            return False
        self._facts["limit"] = "processes"
        return True

    def _collect(self) -> bool:
        """Collect what ended; return whether there is no child any more."""
        try:
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG | _WAIT_ALL)
                if pid == 0:
                    return False
                if pid == self._target:
                    self._facts["exit"] = os.waitstatus_to_exitcode(status)
                self._facts["user_s"] += usage.ru_utime
                self._facts["system_s"] += usage.ru_stime
                self._facts["max_rss_kib"] = max(self._facts["max_rss_kib"], usage.ru_maxrss)
        except ChildProcessError:
            return True

    def _end_all(self) -> int:
        """Kill every descendant: freeze all, kill all, until there is none; return how many besides the target."""
        ended: set[int] = set()
        while not self._collect():
            found: set[int] = set()
            while new := [pid for pid in _descendants(os.getpid()) if pid not in found]:
                for pid in new:
                    _signal(pid, signal.SIGSTOP)
                found.update(new)
            for pid in found:
                _signal(pid, signal.SIGKILL)
            ended.update(found)
            # Without collecting it: which of them the command's own is, is told by the next look.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | _WAIT_ALL)
        return len(ended - {self._target})


def _tell(requests: socket.socket, facts: dict[str, Any]) -> None:
    # Nobody may hear it; the next look then ends everything.
    with contextlib.suppress(OSError):
        requests.send(json.dumps(facts).encode())


def _descendants(pid: int) -> list[int]:
    found, waiting = [], [pid]
    while waiting:
        current = waiting.pop()
        with contextlib.suppress(OSError):
            for thread in os.listdir(f"/proc/{current}/task"):  # noqa: PTH208  # path objects take ten times as long
                with open(f"/proc/{current}/task/{thread}/children", "rb") as file:  # noqa: PTH123
                    new = [int(word) for word in file.read().split()]
                found += new
                waiting += new
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(OSError):
        os.kill(pid, number)
