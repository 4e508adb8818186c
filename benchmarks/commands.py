"""What a command costs beside `subprocess.run(["/bin/true"])`, as a ratio: `python -m benchmarks.commands [MIB]`.

Each round starts one of each kind, so that a busy machine slows all alike; with MIB, that much memory is held meanwhile.
"""

from __future__ import annotations

import functools
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pytest_workflow_exec.sandbox._confinement import Grant, confined
from pytest_workflow_exec.sandbox._environment import MARKER
from pytest_workflow_exec.sandbox._level import Level, offer_of
from pytest_workflow_exec.sandbox._process import RunningCommand

_ROUNDS = 60
_TRUE = "/bin/true"


def main(held_mib: int) -> None:
    """Print the median of each kind, and its ratio to the bare one."""
    held = b"x" * (held_mib << 20)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        kinds: dict[str, Callable[[], object]] = {
            "bare": lambda: subprocess.run([_TRUE], capture_output=True, check=True),
        }
        levels: tuple[Level, ...] = ("none", "landlock", "namespaces")
        for level in levels:
            if level == "none" or offer_of(level).level == level:
                kinds[level] = functools.partial(_run, folder, level)
        taken = _taken(kinds)
    bare = statistics.median(taken["bare"])
    for kind, times in taken.items():
        median = statistics.median(times)
        print(f"{kind:<11}{median * 1000:8.2f} ms  {median / bare:5.1f} times bare, {len(held) >> 20} MiB held")


def _taken(kinds: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    for start in kinds.values():
        start()
    taken: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(_ROUNDS):
        for kind, start in kinds.items():
            began = time.perf_counter()
            start()
            taken[kind].append(time.perf_counter() - began)
    return taken


def _run(folder: Path, level: Level) -> None:
    environment = {"PATH": "/usr/bin:/bin", MARKER: secrets.token_hex(16)}
    if level != "none":
        grant = Grant(program=Path(_TRUE), root=folder, private=(folder,), namespaces=level == "namespaces")
        with confined(grant, find=Path) as confinement:
            command = RunningCommand([_TRUE], cwd=folder, environment=environment, confinement=confinement)
    else:
        command = RunningCommand([_TRUE], cwd=folder, environment=environment)
    try:
        command.wait(None)
    finally:
        command.end()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 0)
