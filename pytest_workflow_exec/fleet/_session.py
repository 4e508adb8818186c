"""One session of pytest in a child of this process, whose witness this process is."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ._database import UnreachableError
from ._ends import end_of, end_of_cancelled
from ._errors import FleetError, FleetLostError, FleetRefusedError
from ._host import Host
from ._legs import LegEnd, Standing, cancelled_for
from ._restore import Stored
from ._shipping import Shipper
from ._submission import Submission

if TYPE_CHECKING:
    from io import BufferedRandom

_CHILD = Path(__file__).with_name("_start_child.py")
_TICK_S = 0.5
_LOOK_S = 2.0
"""How often it is looked whether a run was cancelled."""
_GRACE_S = 60.0
"""How long a run that is to end has for its `finally:` steps before it is killed."""
_MAX_QUESTION_BYTES = 1 << 16
_SHOWN_BYTES = 6000
_USAGE = 4
_HIDDEN = ("PYTEST_", "PG")
_HIDDEN_NAMES = frozenset({"WORKFLOW_EXEC_FLEET", "WORKFLOW_EXEC_INPUTS", "WORKFLOW_EXEC_SUMMARY"})


class Session:
    """One child of pytest, whose witness this process is."""

    def __init__(
        self,
        host: Host,
        standing: Standing,
        submission: Submission,
        shipper: Shipper,
        stored: Stored | None,
        *,
        terminal: bool,
        only_finally: str = "",
    ) -> None:
        self._host, self._standing, self._submission, self._shipper = host, standing, submission, shipper
        self._stored, self._terminal, self._only_finally = stored, terminal, only_finally
        self._refusal: FleetError | None = None
        self._ending = ""
        """Why it is to end early; empty if it is not."""
        self._kill_at, self._look_at = float("inf"), time.monotonic() + _LOOK_S

    def run(self) -> LegEnd:
        ours, theirs = socket.socketpair()
        with ours, contextlib.ExitStack() as stack:
            output = None if self._terminal else stack.enter_context(_temporary())
            child = self._start(theirs, output)
            theirs.close()
            try:
                self._serve(child, ours)
            finally:
                if child.poll() is None:
                    child.kill()
                    child.wait()
            if isinstance(self._refusal, FleetLostError):
                raise self._refusal
            if self._refusal is None:
                self._ship_rest()
            return self._end(child.returncode, b"" if output is None else _tail(output))

    def _ship_rest(self) -> None:
        try:
            self._host.patiently(self._shipper.ship_rest)
        except UnreachableError as error:
            # Another kind: whoever waits for the database must not begin the session again.
            raise FleetRefusedError(str(error)) from error

    def _start(self, theirs: socket.socket, output: BufferedRandom | None) -> subprocess.Popen[bytes]:
        return subprocess.Popen(  # noqa: S603  # this interpreter
            [sys.executable, str(_CHILD), str(os.getpid()), *self._arguments(theirs.fileno())],
            cwd=self._shipper.root,
            env={name: value for name, value in os.environ.items() if not _is_hidden(name)},
            stdin=None if self._terminal else subprocess.DEVNULL,
            stdout=output,
            stderr=None if output is None else subprocess.STDOUT,
            pass_fds=(theirs.fileno(),),
            # Ctrl-C is the worker's; at a terminal it is the run's.
            start_new_session=not self._terminal,
        )

    def _arguments(self, descriptor: int) -> Sequence[str]:
        how = ["--workflow-new"]
        if self._stored is not None:
            how = ["--workflow-resume", f"--workflow-run={self._stored.run}"]
        else:
            how += [f"--workflow-input={name}={text}" for name, text in self._submission.inputs.items()]
        if self._only_finally:
            how.append(f"--workflow-finally={self._only_finally}")
        if self._terminal:
            how.append("-s")
        file = self._shipper.root / self._submission.file
        return [str(file), "-p", "no:cacheprovider", "--no-header", f"--workflow-witness={descriptor}", *how]

    def _serve(self, child: subprocess.Popen[bytes], ours: socket.socket) -> None:
        buffer = b""
        while True:
            ended = child.poll() is not None
            readable, _, _ = select.select([ours], [], [], 0 if ended else _TICK_S)
            if not readable and ended:
                return
            self._look_around(child)
            if not readable:
                continue
            chunk = ours.recv(_MAX_QUESTION_BYTES)
            if not chunk:
                break
            buffer += chunk
            while b"\n" in buffer:
                line, _, buffer = buffer.partition(b"\n")
                self._answer(line, ours)
        while child.poll() is None:
            self._look_around(child)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(_TICK_S)

    def _answer(self, line: bytes, ours: socket.socket) -> None:
        number = 0
        try:
            question = json.loads(line)
            number, log = int(question["n"]), Path(str(question["log"]))
            seq, head = int(question["seq"]), str(question["hash"])
            if self._refusal is None:
                self._host.patiently(lambda: self._shipper.ship(log, seq=seq, hash_=head))
        except (ValueError, KeyError, TypeError):
            self._refusal = FleetRefusedError("what pytest says to its worker can't be read")
        except FleetError as error:
            self._refusal = error
        answer = f"ok {number}" if self._refusal is None else f"no {number} {_one_line(str(self._refusal))}"
        with contextlib.suppress(OSError):
            ours.sendall(f"{answer}\n".encode("utf-8", "backslashreplace"))

    def _look_around(self, child: subprocess.Popen[bytes]) -> None:
        if child.poll() is not None:
            return
        if not self._ending:
            self._ending = self._why_end()
            if self._ending:
                self._kill_at = time.monotonic() + _GRACE_S
                child.send_signal(signal.SIGTERM)
        elif time.monotonic() >= self._kill_at:
            child.kill()

    def _why_end(self) -> str:
        if self._host.stopping.is_set():
            return "its worker was stopped"
        if self._only_finally or time.monotonic() < self._look_at:
            return ""
        self._look_at = time.monotonic() + _LOOK_S
        try:
            with self._host.database.transaction() as transaction:
                return cancelled_for(transaction, self._submission.id)
        except UnreachableError:
            return ""

    def _end(self, status: int, output: bytes) -> LegEnd:
        shown = output.decode("utf-8", "backslashreplace")
        if self._refusal is not None:
            return LegEnd(outcome="refused", said=f"{self._refusal}\n{shown}")
        began = bool(self._shipper.run) and self._shipper.log.exists()
        if self._cancelled and not began:
            return LegEnd(outcome="cancelled", said=self._cancelled)
        if not began:
            return LegEnd(outcome="refused", said=shown or f"pytest ended with status {status} before it began a run")
        if self._stored is not None and status == _USAGE:
            # It did not go on: nothing was added to its log.
            return LegEnd(outcome="refused", said=shown)
        if self._cancelled:
            return end_of_cancelled(self._shipper.log, self._cancelled, status=status, shown=shown)
        return end_of(self._shipper.log, status=status, shown=self._ending or shown)

    @property
    def _cancelled(self) -> str:
        """Why the run is not to go on; empty if it is."""
        return self._only_finally or (self._ending if self._ending.startswith("cancelled") else "")


def _is_hidden(name: str) -> bool:
    # Nothing that a workflow runs needs the way to the database; and what a run is given was submitted.
    return name in _HIDDEN_NAMES or name.startswith(_HIDDEN)


@contextlib.contextmanager
def _temporary() -> Iterator[BufferedRandom]:
    import tempfile

    with tempfile.TemporaryFile() as file:
        yield file


def _tail(file: BufferedRandom) -> bytes:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _SHOWN_BYTES))
    return file.read()


def _one_line(text: str) -> str:
    return " ".join(text.split())[:1000]
