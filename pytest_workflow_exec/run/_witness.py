"""A process that supervises the run from outside: it is told of each barrier, and nothing goes on without its word."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.evidence import Head

Confirm: TypeAlias = "Callable[[Path, Head], None]"
"""Returns once a log is known elsewhere up to a head, and raises EvidenceError if it is not to go on."""

_MAX_ANSWER_BYTES = 4096
_PAUSE_S = 0.001


class Witness:
    """The other end of a socket, which answers each question by its number: `ok N`, or `no N` and why."""

    def __init__(self, descriptor: int) -> None:
        """Take over a descriptor that this process inherited.

        Raises:
            EvidenceError: It is no socket.
        """
        # Only here: a run that nobody supervises loads nothing that could.
        import socket

        try:
            # No program that a step starts may speak for the run.
            os.set_inheritable(descriptor, False)
            self._socket = socket.socket(fileno=descriptor)
        except OSError as error:
            raise EvidenceError(f"descriptor {descriptor} is no witness: {error.strerror}") from error
        # Whoever starts it may have made it one that never waits.
        self._socket.settimeout(None)
        self._peek = socket.MSG_PEEK
        self._owner, self._asked = os.getpid(), 0
        self._lock = threading.Lock()
        self._refusal = ""

    def __call__(self, log: Path, head: Head) -> None:
        """Return once the witness says that it knows the log up to this head.

        Raises:
            EvidenceError: It said no, now or before, or is gone.
        """
        if os.getpid() != self._owner:
            raise EvidenceError(f"the witness of the run is that of process {self._owner}")
        with self._lock:
            if not self._refusal:
                self._refusal = self._ask(log, head)
            if self._refusal:
                raise EvidenceError(f"the run does not go on: {self._refusal}")

    def _ask(self, log: Path, head: Head) -> str:
        """Return why the run does not go on; empty if it does."""
        self._asked += 1
        question = {"n": self._asked, "log": str(log), "seq": head.seq, "hash": head.hash}
        try:
            self._socket.sendall((json.dumps(question) + "\n").encode("ascii"))
            return self._answer(self._asked)
        except OSError as error:
            return f"its witness can't be reached: {error.strerror}"

    def _answer(self, number: int) -> str:
        while True:
            # Looked at first and taken out afterwards: Ctrl-C in between must not lose an answer.
            seen = self._socket.recv(_MAX_ANSWER_BYTES, self._peek)
            line, end, _ = seen.partition(b"\n")
            word, of, reason = [*line.split(b" ", 2), b"", b""][:3]
            if not seen or (not end and len(seen) == _MAX_ANSWER_BYTES):
                return "its witness is gone"
            if not end:
                time.sleep(_PAUSE_S)
                continue
            if word not in (b"ok", b"no") or not of.isdigit() or int(of) > number:
                return "what its witness says is no answer"
            self._socket.recv(len(line) + 1)
            # A lower number answers a question that was interrupted.
            if int(of) == number:
                return "" if word == b"ok" else reason.decode("utf-8", "backslashreplace") or "its witness says no"
