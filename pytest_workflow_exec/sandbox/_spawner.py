"""The engine's side of the spawn server: started when the first confined command is, one for this process."""

from __future__ import annotations

import array
import atexit
import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ._seccomp import EXEC_DESCRIPTOR

_FAREWELL_S = 2.0
_SERVER = Path(__file__).with_name("_spawn_server.py")


@dataclass(frozen=True, slots=True, kw_only=True)
class Confinement:
    """What a command is started with: the program's open file, and what it may do. Its descriptors are the caller's."""

    program: int
    prefix: tuple[str, ...]
    """What stands before the command's arguments: a script's interpreter as the kernel would put it there."""
    unchanged: tuple[tuple[str, tuple[int, ...]], ...]
    """Files that must still be what they were when they were identified."""
    ruleset: int
    filter: bytes


class ConfinedChild:
    """A confined command's monitor, which is a child of this process, and what it tells of the command."""

    def __init__(self, reply: socket.socket, stdout: IO[bytes], stderr: IO[bytes], started: Mapping[str, Any]) -> None:
        """Hold a command that was started."""
        self._reply = reply
        self.stdout, self.stderr = stdout, stderr
        self.pid: int = started["monitor"]
        self.target: int = started["target"]
        self.returncode: int | None = None
        self.ended: tuple[int, float] | None = None
        """How the command ended and what time it took of the processor, when it is known."""
        self.others: int | None = None
        """How many other processes of it had to be ended; None while there may be some."""
        self._gone = False

    def has_ended(self) -> bool:
        """Return whether the command ended, or nobody can tell any more."""
        while self.ended is None and not self._gone:
            try:
                self._hear(socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
        return True

    def end(self, patience_s: float) -> bool:
        """Have its monitor end whatever is left of it; return whether the monitor says that it is all gone."""
        deadline = time.monotonic() + patience_s
        with contextlib.suppress(OSError):
            if self.others is None:
                self._reply.send(b"E")
        while self.others is None and not self._gone:
            self._reply.settimeout(max(deadline - time.monotonic(), 0.001))
            try:
                self._hear(0)
            except (TimeoutError, BlockingIOError):
                return False
        return self.others is not None

    def _hear(self, flags: int) -> None:
        try:
            try:
                told = self._reply.recv(4096, flags)
            except ConnectionResetError:
                # Its monitor ended before it read the request; what it said before is still there.
                told = self._reply.recv(4096, flags)
        except (TimeoutError, BlockingIOError):
            raise
        except OSError:
            told = b""
        if not told:
            self._gone = True
            return
        facts = json.loads(told)
        if "exit" in facts:
            self.ended = (facts["exit"], facts["cpu_s"])
        self.others = facts.get("ended", self.others)

    def fileno(self) -> int:
        """Return a descriptor that is readable when its monitor says something."""
        return self._reply.fileno()

    def close(self) -> None:
        """Let go of it: a monitor that still lives ends the command."""
        self._reply.close()


class _Server:
    def __init__(self) -> None:
        self.owner = os.getpid()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        engine = os.pidfd_open(self.owner)
        try:
            self._process = subprocess.Popen(  # noqa: S603  # our own program
                [sys.executable, "-I", "-S", str(_SERVER), str(theirs.fileno()), str(engine)],
                env={"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), engine),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
            os.close(engine)
        self._socket = ours

    def is_usable(self) -> bool:
        return self.owner == os.getpid() and self._process.poll() is None

    def send(self, descriptors: Sequence[int]) -> None:
        self._socket.sendmsg([b"C"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", descriptors))])

    def close(self) -> None:
        """Let it end, and collect it: it does so as soon as nobody can ask it any more."""
        self._socket.close()
        if self.owner == os.getpid():
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_FAREWELL_S)


_lock = threading.Lock()
_servers: list[_Server] = []


def spawn_confined(
    argv: Sequence[str],
    *,
    cwd: Path,
    environment: Mapping[str, str],
    confinement: Confinement,
    stdin: int | None = None,
) -> ConfinedChild:
    """Start a command as `confinement` says.

    Args:
        stdin: A descriptor that it reads from; None: it has nothing to read.

    Raises:
        OSError: It can't be started, or not be confined; nothing of it runs then.
    """
    request = {
        "argv": [*confinement.prefix, *argv[1:]] if confinement.prefix else list(argv),
        "environment": dict(environment),
        "unchanged": confinement.unchanged,
        "filter": confinement.filter.hex(),
        "exec_descriptor": EXEC_DESCRIPTOR,
    }
    with contextlib.ExitStack() as lent:
        payload = _lent(lent, os.memfd_create("command"))
        if stdin is None:
            stdin = _lent(lent, os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
        with os.fdopen(os.dup(payload), "wb") as file:
            file.write(json.dumps(request).encode())
        directory = _lent(lent, os.open(cwd, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        reply, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        lent.callback(theirs.close)
        with contextlib.ExitStack() as kept:
            kept.callback(reply.close)
            stdout, out = _pipe(kept, lent)
            stderr, err = _pipe(kept, lent)
            given = [stdin, out, err, payload, confinement.program, directory, confinement.ruleset, theirs.fileno()]
            _ask(given)
            # Or its end would never be seen here.
            theirs.close()
            started = _started(reply)
            kept.pop_all()
    return ConfinedChild(reply, stdout, stderr, started)


def _ask(descriptors: Sequence[int]) -> None:
    with _lock:
        if not _servers or not _servers[0].is_usable():
            for server in _servers:
                server.close()
            _servers[:] = [_Server()]
            atexit.unregister(_close_all)
            atexit.register(_close_all)
        _servers[0].send(descriptors)


def _close_all() -> None:
    for server in _servers:
        server.close()
    _servers.clear()


def _started(reply: socket.socket) -> Mapping[str, Any]:
    told = reply.recv(4096)
    if not told:
        raise OSError("the process that starts commands ended")
    started: dict[str, Any] = json.loads(told)
    if started["error"]:
        if "monitor" in started:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(started["monitor"], 0)
        raise OSError(started["error"])
    return started


def _pipe(kept: contextlib.ExitStack, lent: contextlib.ExitStack) -> tuple[IO[bytes], int]:
    ours, theirs = os.pipe()
    _lent(lent, theirs)
    file = os.fdopen(ours, "rb", buffering=0)
    kept.callback(file.close)
    return file, theirs


def _lent(stack: contextlib.ExitStack, descriptor: int) -> int:
    stack.callback(os.close, descriptor)
    return descriptor
