"""From the last key at a gate to the next step: a real run on a real pseudo-terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

from . import _writers
from ._measure import DidNotRunError, Program, Spent, environment

_ASKED = re.compile(rb"Type ([A-Z0-9]{4}-[A-Z0-9]{4}) to approve, or reject to stop: $")
_PATIENCE_S = 60


def key_to_step(us: Path, root: Path) -> Spent:
    """Approve a gate as a person would, and return what the run cost and how long the next step let wait.

    Raises:
        DidNotRunError: The gate did not ask, or the step behind it did not begin.
    """
    target = _writers.gate_and_step(root)
    argv = [str(us / "python"), "-m", "pytest", "-p", "no:cacheprovider", "-s", target]
    variables = environment(Program(argv=argv, cwd=root, says="", variables={"TERM": "xterm"}))
    began_s = time.perf_counter()
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(root)
        os.execve(argv[0], argv, variables)  # noqa: S606  # a fixed command
    try:
        code = _code(terminal)
        # A person's answer comes later than the question: what is typed ahead is thrown away.
        time.sleep(0.5)
        os.write(terminal, code)
        time.sleep(0.1)
        pressed_ns = time.monotonic_ns()
        os.write(terminal, b"\n")
        _rest(terminal)
    finally:
        os.close(terminal)
        _, status, used = os.wait4(pid, 0)
    note = root / "began"
    if os.waitstatus_to_exitcode(status) != 0 or not note.exists():
        raise DidNotRunError(f"{subprocess.list2cmdline(argv)} did not get past its gate")
    return Spent(
        cpu_s=used.ru_utime + used.ru_stime,
        wall_s=time.perf_counter() - began_s,
        peak_mib=used.ru_maxrss / 1024,
        pressed_ms=(int(note.read_text(encoding="utf-8")) - pressed_ns) / 1e6,
    )


def _code(terminal: int) -> bytes:
    shown = b""
    until_s = time.monotonic() + _PATIENCE_S
    while not (asked := _ASKED.search(shown)):
        readable, _, _ = select.select([terminal], [], [], max(0, until_s - time.monotonic()))
        if not readable:
            raise DidNotRunError(f"the gate did not ask: {shown[-500:]!r}")
        shown += os.read(terminal, 65536)
    return asked[1]


def _rest(terminal: int) -> None:
    """Read what is shown until the other end is closed, which Linux tells as an error."""
    try:
        while os.read(terminal, 65536):
            pass
    except OSError:
        pass
