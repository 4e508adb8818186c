"""Starts commands for the engine, one after another, and ends all that is left of each before the next.

The server makes the process of the next command before it is asked for, so that nobody waits for that. Whatever detaches
itself from a command becomes the server's child. It waits for the command and tells how it ended. If nothing else of it
is left, the kernel says so by having no child to wait for. Else the rest is ended when the engine asks for it; if the
engine is gone first, the server does so by itself.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import resource
import select
import signal
import socket
import time
from collections.abc import Sequence

from . import _kernel as kernel
from . import _namespaces as namespaces
from ._connections import Connections
from ._start import EngineGoneError, Start, heard
from ._target import ALONE, become_next, take

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

# Else children made with another signal than the usual one are not waited for.
_WAIT_ALL = 0x40000000
_PAUSE_MS = 100
_FIRST_FREE = 6


def main(kind: str, control: int, engine: int) -> NoReturn:
    """Serve requests on the socket `control` until the process of the descriptor `engine` is gone.

    Args:
        kind: `plain` for commands that may do whatever the engine may, else the level that they are confined at.
    """
    dropped = _prepare(kind, control, engine)
    keeps_network = kind == "namespaces+network" or (kind == "namespaces" and namespaces.leave_network())
    requests = socket.socket(fileno=control)
    try:
        while True:
            _serve(requests, engine, kind, dropped, keeps_network=keeps_network)
    except EngineGoneError:
        os._exit(0)


def _prepare(kind: str, control: int, engine: int) -> tuple[int, ...]:
    """Do once what every command's process inherits, and what binds only programs that are started from here on.

    Returns:
        The capabilities that no program gets.
    """
    for descriptor in (control, engine):
        os.set_inheritable(descriptor, False)
    # Numbers below it are for the command's own.
    while os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC) < _FIRST_FREE:
        pass
    gc.disable()
    gc.freeze()
    for resettable in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP, signal.SIGPIPE}:
        signal.signal(resettable, signal.SIG_DFL)
    # A handler of its own is as good as ignoring it here, and gone in every program that is started.
    signal.signal(signal.SIGPIPE, _nothing)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    kernel.prctl(kernel.SET_SUBREAPER, 1)
    if kind == "plain":
        return ()
    # Each command's program has a number beyond what is usual until it is started.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    dropped = kernel.capabilities_to_drop()
    kernel.prctl(kernel.SET_NO_NEW_PRIVILEGES, 1)
    kernel.drop_inherited_capabilities()
    kernel.bound_capabilities(dropped)
    return dropped


def _nothing(_: int, __: object) -> None:
    pass


def _serve(requests: socket.socket, engine: int, kind: str, dropped: Sequence[int], *, keeps_network: bool) -> None:
    errors, theirs = socket.socketpair()
    report = theirs.detach()
    status: int | None = None
    try:
        if kind.startswith("namespaces"):
            pid, status = _make_first(requests, report, dropped, keeps_network=keeps_network)
        else:
            pid = os.fork()
            if pid == 0:
                become_next(requests, report)
        os.close(report)
    except OSError as error:
        os.close(report)
        _refuse_next(requests, f"no process can be made: {error}")
        return
    else:
        watch = _Watch(pid, status)
        try:
            _go_on(requests, engine, heard(errors, engine), watch)
        except BaseException:
            # Whatever went wrong, and if nobody is there any more who asked for it: nothing of it outlives this process.
            watch.end_all()
            raise
    finally:
        errors.close()
        if status is not None:
            os.close(status)


def _make_first(
    requests: socket.socket, report: int, dropped: Sequence[int], *, keeps_network: bool
) -> tuple[int, int]:
    """Return the first process of a namespace, and where it tells how its command ended."""
    mapped, mapping = os.pipe()
    status, ending = os.pipe()
    try:
        pid = namespaces.make_first_process(keeps_network=keeps_network)
        if pid == 0:
            try:
                os.close(mapping)
                if os.read(mapped, 1):
                    become_next(requests, report, dropped, ending)
            finally:
                os._exit(126)
        try:
            namespaces.map_users(pid)
            os.write(mapping, b"1")
        except OSError:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise
    except BaseException:
        os.close(status)
        raise
    finally:
        for descriptor in (mapped, mapping, ending):
            os.close(descriptor)
    return pid, status


def _go_on(requests: socket.socket, engine: int, start: Start, watch: _Watch) -> None:
    if start.problem:
        os.waitpid(watch.target, 0)
        namespaces.remove_masks(start.masked)
        if start.is_taken:
            _tell(requests, {"error": start.problem})
        else:
            _refuse_next(requests, start.problem)
        return
    _tell(requests, {"target": watch.target, "error": ""})
    is_over = watch.until_gone(requests, engine, start)
    if start.connections is not None:
        start.connections.close()
    namespaces.remove_masks(start.masked)
    # The last word: nothing of it is there any more.
    _tell(requests, watch.facts)
    if is_over:
        raise EngineGoneError


def _nobody_asks(requests: socket.socket) -> bool:
    """Return whether what can be read there is that nobody is there any more."""
    try:
        return not requests.recv(1)
    except ConnectionError:
        # So it ends if something that was said had not been read.
        return True


def _refuse_next(requests: socket.socket, problem: str) -> None:
    for descriptor in take(requests)[1]:
        os.close(descriptor)
    _tell(requests, {"error": problem})


class _Watch:
    """One command that runs, and what became of all its processes."""

    def __init__(self, target: int, status: int | None) -> None:
        """Hold a command.

        Args:
            target: Its process, or the first one of its namespace.
            status: Where that one tells how the command ended; None where the command is a child of this process.
        """
        self.target, self._status = target, status
        self._is_alone = False
        self._processes = 0
        self._connections: Connections | None = None
        self._answering: set[int] = set()
        self._next_count_s = time.monotonic() + _PAUSE_MS / 1000
        self.facts: dict[str, Any] = {"user_s": 0.0, "system_s": 0.0, "max_rss_kib": 0}

    def until_gone(self, requests: socket.socket, engine: int, start: Start) -> bool:
        """Return when there is none any more; whether there is nobody any more who could ask for another.

        Args:
            start: What was told of the command.
        """
        self._processes, self._connections = start.processes, start.connections
        handle, poll = os.pidfd_open(self.target), select.poll()
        ends = {handle} if self._status is None else {handle, self._status}
        asking = [] if self._connections is None else [self._connections.listener]
        for descriptor in (*ends, *asking, requests.fileno(), engine):
            poll.register(descriptor, select.POLLIN)
        try:
            while True:
                ready = dict(poll.poll(_PAUSE_MS))
                for descriptor in ends & ready.keys():
                    poll.unregister(descriptor)
                asked = requests.fileno() in ready
                if asked or engine in ready or self._is_too_many():
                    is_over = engine in ready or (asked and _nobody_asks(requests))
                    self.facts["ended"] = self.end_all()
                    return is_over
                was_known = "exit" in self.facts
                if self._status in ready:
                    self._hear()
                for descriptor in ready.keys() & set(asking):
                    if not ready[descriptor] & select.POLLIN:
                        poll.unregister(descriptor)
                    else:
                        self._answer()
                if self._collect():
                    self.facts["ended"] = 0
                    return False
                # Nothing has to be ended of a command that was alone: the next word is the last.
                if "exit" in self.facts and not was_known and not self._is_alone:
                    _tell(requests, self.facts)
        finally:
            os.close(handle)

    def _hear(self) -> None:
        if self._status is not None and "exit" not in self.facts and (told := os.read(self._status, 100)):
            self._is_alone = told.startswith(ALONE)
            self.facts["exit"] = int(told.removeprefix(ALONE))

    def _answer(self) -> None:
        answering = None if self._connections is None else self._connections.answer()
        if answering is not None:
            self._answering.add(answering)

    def _is_too_many(self) -> bool:
        # Not only when nothing else happens: a command can see to it that something does.
        if not self._processes or time.monotonic() < self._next_count_s:
            return False
        self._next_count_s = time.monotonic() + _PAUSE_MS / 1000
        # The kernel's own bound counts all of a user's, and none of root's.
        own = len(self._answering) + self._first()
        if len(_descendants(os.getpid())) - own <= self._processes:
            return False
        self.facts["limit"] = "processes"
        return True

    def _first(self) -> int:
        """Return how many processes are there that are not the command's."""
        return 0 if self._status is None else 1

    def _collect(self) -> bool:
        """Collect what ended; return whether there is no child any more."""
        try:
            while True:
                pid, status, usage = os.wait4(-1, os.WNOHANG | _WAIT_ALL)
                if pid == 0:
                    return False
                if pid in self._answering:
                    self._answering.discard(pid)
                    continue
                if pid == self.target:
                    self._note_end(os.waitstatus_to_exitcode(status))
                self.facts["user_s"] += usage.ru_utime
                self.facts["system_s"] += usage.ru_stime
                self.facts["max_rss_kib"] = max(self.facts["max_rss_kib"], usage.ru_maxrss)
        except ChildProcessError:
            return True

    def _note_end(self, code: int) -> None:
        self._hear()
        # How the first process of a namespace ended by itself says nothing of the command; its being killed does.
        if self._status is None or code < 0:
            self.facts.setdefault("exit", code)

    def end_all(self) -> int:
        """Kill every descendant: freeze all, kill all, until there is none; return how many besides the command's own."""
        ended: set[int] = set()
        own: int | None = None
        while not self._collect():
            if own is None:
                # In a namespace the command's own process is not known by its number.
                own = self._first() if "exit" not in self.facts else 0
            found: set[int] = set()
            while new := [pid for pid in _descendants(os.getpid()) if pid not in found]:
                for pid in new:
                    _signal(pid, signal.SIGSTOP)
                found.update(new)
            for pid in found:
                _signal(pid, signal.SIGKILL)
            ended.update(found - self._answering)
            # Without collecting it: which of them the command's own is, is told by the next look.
            with contextlib.suppress(ChildProcessError):
                os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT | _WAIT_ALL)
        return max(0, len(ended - {self.target}) - (own or 0))


def _tell(requests: socket.socket, facts: dict[str, Any]) -> None:
    try:
        requests.send(marshal.dumps(facts))
    except OSError:
        # Nobody hears it; the next look then ends everything.
        return


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
