"""One system call that fails: `strace` attached to a process that is about to do something."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import subprocess
import sys
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import Head

from ._operations import Operation

FAULTS = {"kill": "signal=KILL", "EIO": "error=EIO", "ENOSPC": "error=ENOSPC", "EINTR": "error=EINTR"}
REFUSED, CRASHED = 10, 99
"""How the process exits if what it did was refused in words of ours, or in a traceback."""

_CALLS = (
    "openat,mkdir,mkdirat,chmod,fchmod,fchmodat,write,pwrite64,pread64,fsync,fdatasync,rename,renameat,renameat2,"
    "unlink,unlinkat,link,linkat,ftruncate,flock,stat,lstat,fstat,newfstatat,getdents64"
)
_LINE = re.compile(r"^(\w+)\(")
_PR_SET_PTRACER, _ANYBODY = 0x59616D61, -1


class Call(NamedTuple):
    """One system call of an operation, as it counts for `strace`."""

    name: str
    number: int
    """Which call of that name, from 1."""


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a process."""

    status: int
    """Its exit status; negative for the signal that ended it."""
    said: str
    """Its acknowledgements."""
    error: str
    """Why it was refused or crashed."""
    trace: str
    """Its system calls, as `strace` writes them."""


def usable() -> str | None:
    """Return why no process can be traced here, or None."""
    if sys.platform != "linux" or shutil.which("strace") is None:
        return "there is no strace"
    done = subprocess.run(["strace", "-qq", "-e", "trace=none", "true"], capture_output=True, text=True, check=False)
    return None if done.returncode == 0 else f"strace can't be used: {done.stderr.strip()}"


def calls_of(operation: Operation, root: Path) -> list[Call]:
    """Return the calls on files of the project, or of the user's ledger, that an operation makes."""
    trace = perform(operation, root, fault=None).trace
    count: Counter[str] = Counter()
    calls = []
    for line in trace.splitlines():
        if (match := _LINE.match(line)) is not None:
            count[match[1]] += 1
            if ".workflow-exec" in line or "/workflow-exec" in line:
                calls.append(Call(match[1], count[match[1]]))
    return calls


def perform(operation: Operation, root: Path, *, fault: tuple[Call, str] | None) -> Done:
    """Prepare an operation in a process of its own, let it act under `strace`, and return what became of it.

    Args:
        root: An empty folder.
        fault: The call that fails, and how; None to let all of them be.
    """
    root.mkdir()
    acknowledgements, errors, trace = (root.with_suffix(f".{name}") for name in ("said", "error", "trace"))
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if child == 0:
        _act(operation, root, acknowledgements, errors, (ready[1], go[0]))
    try:
        if os.read(ready[0], 1):
            tracer = _attach(child, trace, fault)
            os.write(go[1], b".")
    finally:
        for end in (*ready, *go):
            os.close(end)
    _, status = os.waitpid(child, 0)
    tracer.communicate()
    return Done(
        status=os.waitstatus_to_exitcode(status),
        said=acknowledgements.read_text(),
        error=errors.read_text(),
        trace=trace.read_text(errors="replace"),
    )


def _attach(process: int, trace: Path, fault: tuple[Call, str] | None) -> subprocess.Popen[str]:
    inject = [] if fault is None else ["-e", f"inject={fault[0].name}:{FAULTS[fault[1]]}:when={fault[0].number}"]
    # A name that this machine's kernel has no such call for is no error: `?`.
    calls = ",".join(f"?{name}" for name in _CALLS.split(","))
    tracer = subprocess.Popen(
        ["strace", "-y", "-o", str(trace), "-e", f"trace={calls}", *inject, "-p", str(process)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert tracer.stderr is not None
    assert "attached" in tracer.stderr.readline()
    return tracer


def _act(operation: Operation, root: Path, said: Path, errors: Path, ends: tuple[int, int]) -> NoReturn:
    code = CRASHED
    file = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    complaints = os.open(errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
        act = operation.prepare(root)
        os.write(ends[0], b".")
        os.read(ends[1], 1)
        act(_telling(file))
        code = 0
    except WorkflowExecError as error:
        code = REFUSED
        os.write(complaints, str(error).encode())
    except BaseException:  # noqa: BLE001  # a traceback is what is looked for
        os.write(complaints, traceback.format_exc().encode())
    finally:
        os._exit(code)


def _telling(file: int) -> Callable[[Head], None]:
    return lambda head: print(f"{head.seq} {head.hash}", file=open(file, "w", closefd=False), flush=True)
