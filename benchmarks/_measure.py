"""What a process cost: processor time, wall time and peak memory, of it and of the processes that it waited for."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_KIB = 1024
_TIMEOUT_S = 900


@dataclass(frozen=True, kw_only=True)
class Spent:
    """What one run of a program cost."""

    cpu_s: float
    wall_s: float
    peak_mib: float
    pressed_ms: float | None = None
    """Where a key is pressed: the time from it to what follows."""


@dataclass(frozen=True, kw_only=True)
class Program:
    """A command to measure, where it runs, and what its output must say to count."""

    argv: Sequence[str]
    cwd: Path
    says: str
    variables: Mapping[str, str]
    exits: int = 0


class DidNotRunError(Exception):
    """A program did not do what is measured, so its figures would mean nothing."""


def measured(program: Program) -> Spent:
    """Run the program once and return what it cost.

    Raises:
        DidNotRunError: It failed, or did not say that it had done all of its steps.
    """
    with tempfile.TemporaryFile() as output:
        began_s = time.perf_counter()
        process = subprocess.Popen(
            program.argv,
            cwd=program.cwd,
            env=environment(program),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        # wait4 tells of this process and its children alone, whatever else runs on the machine.
        _, status, used = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began_s
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        said = output.read().decode("utf-8", "replace")
    if process.returncode != program.exits or program.says not in said:
        raise DidNotRunError(
            f"{' '.join(program.argv)} exited {process.returncode} and did not say {program.says!r}:\n{said[-1500:]}"
        )
    return Spent(cpu_s=used.ru_utime + used.ru_stime, wall_s=wall_s, peak_mib=used.ru_maxrss / _KIB)


def environment(program: Program) -> dict[str, str]:
    """Return the same few variables for everybody: nobody's settings count, and all keep their state in one place."""
    home = program.cwd / "home"
    home.mkdir(exist_ok=True)
    return {
        "PATH": os.pathsep.join([str(Path(program.argv[0]).parent), "/usr/local/bin", "/usr/bin", "/bin"]),
        "HOME": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "LANG": "C.UTF-8",
        **program.variables,
    }
