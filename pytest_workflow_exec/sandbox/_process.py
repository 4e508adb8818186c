"""One running command: started without a shell, read within bounds, never left behind."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from signal import Signals
from typing import IO

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._environment import MARKER
from ._last_line import LastLine
from ._limits import UNLIMITED, Limits
from ._spawner import Confinement, SpawnedChild, Use, can_spawn, spawn
from ._tree import Sweep, end_tree

KEPT_BYTES = 1 << 20
"""How much of each stream is kept."""
MARGIN_BYTES = 1 << 18
"""Read beyond what is kept, so that a secret across the border is seen whole and can be masked."""
_FLOOD_BYTES = 64 << 20
_CHUNK_BYTES = 1 << 16
_GRACE_S = 1.0
_REAP_S = 5.0
_SWEEP_S = 10.0
_LOST = 255
# Of what the system calls the most memory that was held.
_RSS_UNIT_BYTES = 1 if sys.platform == "darwin" else 1024
_SHORT_PAUSE_S, _LONG_PAUSE_S = 0.001, 0.02
# Of three descriptors at most, that live for one command: the kernel keeps nothing for it in between.
_Selector = selectors.PollSelector if sys.platform == "linux" else selectors.DefaultSelector


@dataclass(slots=True)
class Stream:
    """What came out of one stream, up to a bound."""

    content: bytearray = field(default_factory=bytearray)
    seen_bytes: int = 0

    def add(self, chunk: bytes) -> None:
        """Keep as much of `chunk` as still fits, and count all of it."""
        self.seen_bytes += len(chunk)
        self.content += chunk[: KEPT_BYTES + MARGIN_BYTES - len(self.content)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    exit: int | None
    signal: int | None
    """Which signal ended it. With `exit` also None, how it ended is not known."""
    timed_out: bool
    flooded: bool
    """Whether it was killed because it printed more than is read."""
    interrupted_by: Signals | None
    """The signal to the engine because of which it was ended; None if there was none."""
    limit: str = ""
    """Which bound ended it, as the policy names it; empty if none did."""
    use: Use
    duration_s: float
    stdout: Stream
    stderr: Stream
    sweep: Sweep
    trespasses: tuple[str, ...] = ()
    """What it made that is protected, though it could not be kept from it."""


NOT_STARTED = Ended(
    exit=None,
    signal=None,
    timed_out=False,
    flooded=False,
    interrupted_by=None,
    use=Use(),
    duration_s=0.0,
    stdout=Stream(),
    stderr=Stream(),
    sweep=Sweep(ended=0, clean=True),
)


class RunningCommand:
    """A command's process with its output; `end` must be called whatever happens."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        environment: Mapping[str, str],
        limits: Limits = UNLIMITED,
        confinement: Confinement | None = None,
        stdin: int | None = None,
        is_real: bool = False,
    ) -> None:
        """Start the process.

        Args:
            is_real: Whether `cwd` was judged with its links resolved, so that the folder has to be there still.
            limits: What it may use up; kept to where `can_limit` says so.
            confinement: What it may do; None for whatever this process may.
            stdin: A descriptor that it reads from; None: it has nothing to read.

        Raises:
            OSError: It can't be started, or not be confined.
        """
        self._stdout, self._stderr = Stream(), Stream()
        self.last_line = LastLine()
        self._timed_out = self._cut_off = False
        self._interrupted_by: Signals | None = None
        self._marker = f"{MARKER}={environment[MARKER]}"
        self._began = time.monotonic()
        self._limits, self._confinement = limits, confinement
        self._status: tuple[int, Use] | None = None
        self._bell: int | None = None
        self._handle: int | None = None
        self._selector = _Selector()
        try:
            self._process: subprocess.Popen[bytes] | SpawnedChild = (
                _opened(argv, cwd, environment, stdin)
                if confinement is None and not can_limit()
                else spawn(
                    argv,
                    cwd=cwd,
                    environment=environment,
                    limits=limits,
                    confinement=confinement,
                    stdin=stdin,
                    is_real=is_real,
                )
            )
        except BaseException:
            # An interrupt may arrive when the process exists but nobody holds it yet.
            self._selector.close()
            end_tree(None, self._marker)
            raise
        self._watch(self._process.stdout, self._stdout)
        self._watch(self._process.stderr, self._stderr)
        self._listen()

    def wait(self, timeout_s: float | None, *, arrived: Sequence[Signals] = ()) -> None:
        """Read its output until it exits, floods, has taken `timeout_s`, or a signal arrived.

        Args:
            timeout_s: Counted from its start; None for no bound.
            arrived: Signals that were held back; looked at again and again.
        """
        # Where its end wakes whoever waits, only a signal has to be looked for.
        pause_s = _SHORT_PAUSE_S if self._bell is None else _LONG_PAUSE_S
        while not self._has_exited():
            if arrived:
                self._interrupted_by = arrived[0]
                return
            left_s = _LONG_PAUSE_S if timeout_s is None else self._began + timeout_s - time.monotonic()
            if left_s <= 0:
                self._timed_out = True
                return
            if self._flooded():
                self._cut_off = True
                return
            self._read(min(pause_s, left_s))
            pause_s = min(pause_s * 1.5, _LONG_PAUSE_S)
        self._listen_no_more()
        # Something that it left behind may hold the streams open: its end is not waited for.
        self._read_for(_GRACE_S, arrived=arrived)

    def end(self) -> Ended:
        """Kill whatever is left of it, and return how it ended."""
        try:
            self._listen_no_more()
            sweep = self._swept()
            self._read_for(0)
            exit_status, use = self._collect()
        finally:
            self._close()
        number = -exit_status if exit_status is not None and exit_status < 0 else None
        return Ended(
            exit=exit_status if exit_status is not None and exit_status >= 0 else None,
            signal=number,
            timed_out=self._timed_out,
            # It may have ended by itself just before it was killed.
            flooded=self._cut_off and (exit_status is None or exit_status < 0),
            interrupted_by=self._interrupted_by,
            limit=self._limit(number, use),
            use=use,
            duration_s=time.monotonic() - self._began,
            stdout=self._stdout,
            stderr=self._stderr,
            sweep=sweep,
            trespasses=() if self._confinement is None else self._confinement.trespasses(),
        )

    def _limit(self, number: int | None, use: Use) -> str:
        if not isinstance(self._process, SpawnedChild) or self._timed_out or self._cut_off or self._interrupted_by:
            return ""
        return self._process.limit or self._limits.hit(number, use.user_s + use.system_s)

    def _swept(self) -> Sweep:
        # Before it is collected: until then no other process can get its pid.
        child = self._process
        if not isinstance(child, SpawnedChild):
            return end_tree(child.pid, self._marker)
        if child.end(_SWEEP_S) and child.others is not None:
            return Sweep(ended=child.others, clean=True)
        return end_tree(child.pid, self._marker, command=child.target)

    def _flooded(self) -> bool:
        return self._stdout.seen_bytes + self._stderr.seen_bytes > _FLOOD_BYTES

    def _watch(self, pipe: IO[bytes] | None, stream: Stream) -> None:
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, selectors.EVENT_READ, stream)

    def _listen(self) -> None:
        """Let its end wake whoever waits for output; without that it is looked for again and again."""
        if isinstance(self._process, SpawnedChild):
            self._bell = self._process.fileno()
        elif sys.platform == "linux":
            with contextlib.suppress(OSError):
                self._bell = self._handle = os.pidfd_open(self._process.pid)
        if self._bell is not None:
            self._selector.register(self._bell, selectors.EVENT_READ)

    def _listen_no_more(self) -> None:
        if self._bell is not None:
            self._selector.unregister(self._bell)
            self._bell = None

    def _read(self, pause_s: float) -> bool:
        """Read what is there, waiting for it at most `pause_s`; return whether something was."""
        if not self._selector.get_map():
            time.sleep(pause_s)
            return False
        ready = self._selector.select(pause_s)
        for key, _ in ready:
            if key.data is None:
                continue
            try:
                chunk = os.read(key.fd, _CHUNK_BYTES)
            except BlockingIOError:
                continue
            if chunk:
                key.data.add(chunk)
                self.last_line.add(key.fd, chunk)
            else:
                self._selector.unregister(key.fileobj)
        return bool(ready)

    def _read_for(self, grace_s: float, *, arrived: Sequence[Signals] = ()) -> None:
        """Read until both streams end, a signal arrived, or there is nothing more within `grace_s` from now."""
        deadline = time.monotonic() + grace_s
        while self._selector.get_map() and not self._flooded() and not arrived:
            left_s = deadline - time.monotonic()
            if not self._read(min(max(left_s, 0), _LONG_PAUSE_S)) and left_s <= 0:
                return
            if left_s <= -_GRACE_S:
                return

    def _has_exited(self) -> bool:
        if self._status is not None:
            return True
        if isinstance(self._process, SpawnedChild):
            return self._process.has_ended()
        if sys.platform == "linux":
            options = os.WEXITED | os.WNOHANG | os.WNOWAIT
            try:
                return os.waitid(os.P_PID, self._process.pid, options) is not None
            except ChildProcessError:
                return True
        return self._try_collect(self._process)

    def _try_collect(self, process: subprocess.Popen[bytes]) -> bool:
        try:
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
        except ChildProcessError:
            # Somebody else in this process waited for it; how it ended is lost. Popen must not
            # look for it again: the pid may be another process's by now.
            process.returncode = _LOST
            return True
        if pid == 0:
            return False
        process.returncode = os.waitstatus_to_exitcode(status)
        used = Use(user_s=usage.ru_utime, system_s=usage.ru_stime, max_rss_bytes=usage.ru_maxrss * _RSS_UNIT_BYTES)
        self._status = (process.returncode, used)
        return True

    def _collect(self) -> tuple[int | None, Use]:
        if isinstance(self._process, SpawnedChild):
            return self._process.status, self._process.use
        deadline = time.monotonic() + _REAP_S
        while self._status is None and not self._try_collect(self._process) and time.monotonic() < deadline:
            time.sleep(_SHORT_PAUSE_S)
        return self._status if self._status is not None else (None, Use())

    def _close(self) -> None:
        self._selector.close()
        if self._handle is not None:
            os.close(self._handle)
        if isinstance(self._process, SpawnedChild):
            self._process.close()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()


def can_limit() -> bool:
    """Return whether bounds can be kept to here: a spawn server sets them before a program starts."""
    return can_spawn()


def _opened(
    argv: Sequence[str], cwd: Path, environment: Mapping[str, str], stdin: int | None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # the policy judged it
        list(argv),
        cwd=cwd,
        env=dict(environment),
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,
        close_fds=True,
        start_new_session=True,
    )
