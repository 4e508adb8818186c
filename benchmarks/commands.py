"""What a command costs beside `subprocess.run(["/bin/true"])`, as a ratio: `python -m benchmarks.commands [MIB]`.

Each round starts one of each kind, so that a busy machine slows all alike; with MIB, that much memory is held meanwhile.
"""

from __future__ import annotations

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
from pytest_workflow_exec.sandbox._level import offered_level
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
            "none": lambda: _run(folder, is_confined=False),
        }
        if offered_level().level == "landlock":
            kinds["landlock"] = lambda: _run(folder, is_confined=True)
        taken = _taken(kinds)
    bare = statistics.median(taken["bare"])
    for kind, times in taken.items():
        median = statistics.median(times)
        print(f"{kind:<9}{median * 1000:8.2f} ms  {median / bare:5.1f} times bare, {len(held) >> 20} MiB held")


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


def _run(folder: Path, *, is_confined: bool) -> None:
    environment = {"PATH": "/usr/bin:/bin", MARKER: secrets.token_hex(16)}
    if is_confined:
        with confined(Grant(program=Path(_TRUE), root=folder, private=(folder,)), find=Path) as confinement:
            command = RunningCommand([_TRUE], cwd=folder, environment=environment, confinement=confinement)
    else:
        command = RunningCommand([_TRUE], cwd=folder, environment=environment)
    try:
        command.wait(None)
    finally:
        command.end()


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 0)
