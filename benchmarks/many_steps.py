"""How long a workflow of many steps takes: `python -m benchmarks.many_steps [STEPS ...]` prints a Markdown table.

Each step does nothing, so that the time is the plugin's and pytest's own. Beside it runs plain pytest with as many tests
that do nothing, on the same machine and in the same minute. Of several tries, the quickest counts.
"""

from __future__ import annotations

import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

STEPS = (500, 1_000, 2_500, 5_000)
TRIES = 3
CONFIGURATION = '[policy]\nsandbox = "none"\ncommands = []\n'


def main(arguments: list[str]) -> int:
    """Measure and print; the arguments are numbers of steps."""
    counts = [int(argument) for argument in arguments] or STEPS
    print(f"Python {platform.python_version()}, pytest {pytest.__version__}, {platform.system()}.\n")
    print("| Workflow | Steps | Seconds | ms per step | of it computing | Plain pytest, seconds | Ratio |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in _rows(counts):
        print(f"| {' | '.join(row)} |", flush=True)
    return 0


class _Row(NamedTuple):
    kind: str
    steps: str
    seconds: str
    per_step: str
    computing: str
    plain: str
    ratio: str


def _rows(counts: list[int] | tuple[int, ...]) -> Iterator[_Row]:
    for kind, write in (("YAML", yaml_steps), ("Python", python_steps)):
        for count in counts:
            tries = [(_measured(plain_tests, count), _measured(write, count)) for _ in range(TRIES)]
            plain, workflow = min(each for each, _ in tries), min(each for _, each in tries)
            yield _Row(
                kind=kind,
                steps=f"{count:,}",
                seconds=f"{workflow.wall_s:.1f}",
                per_step=f"{workflow.wall_s / count * 1000:.2f}",
                computing=f"{workflow.cpu_s / count * 1000:.2f}",
                plain=f"{plain.wall_s:.1f}",
                ratio=f"{workflow.wall_s / plain.wall_s:.1f}",
            )


class _Spent(NamedTuple):
    wall_s: float
    cpu_s: float


def _measured(write: Callable[[Path, int], str], count: int) -> _Spent:
    with tempfile.TemporaryDirectory(prefix="many-steps-") as folder:
        target = write(Path(folder), count)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", target]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        started_s, before_s = time.perf_counter(), computed_s()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        spent = _Spent(wall_s=time.perf_counter() - started_s, cpu_s=computed_s() - before_s)
    if done.returncode != 0 or f"{count} passed" not in done.stdout:
        sys.exit(f"{' '.join(command)} did not pass:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return spent


def computed_s() -> float:
    """Return the processor time of all processes that were started and have ended, in seconds."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def plain_tests(root: Path, count: int) -> str:
    """Write plain tests that do nothing, and return their file's path from the root."""
    tests = "".join(f"def test_{number}():\n    pass\n" for number in range(count))
    return written(root / "tests" / "test_many.py", tests)


def python_steps(root: Path, count: int) -> str:
    """Write a Python workflow whose steps do nothing, and return its file's path from the root."""
    head = "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='many')\n"
    steps = "".join(f"@step\ndef step_{number}(workflow) -> None:\n    pass\n" for number in range(count))
    written(root / "workflow-exec.toml", CONFIGURATION)
    return written(root / "wf" / "workflow_many.py", head + steps)


def yaml_steps(root: Path, count: int) -> str:
    """Write a YAML workflow whose steps do nothing, and return its file's path from the root."""
    steps = "".join(f"  - {{id: step-{number}, call: 'nothing:nothing'}}\n" for number in range(count))
    written(root / "workflow-exec.toml", CONFIGURATION)
    written(root / "wf" / "nothing.py", "def nothing() -> None:\n    pass\n")
    return written(root / "wf" / "many.workflow.yaml", f"workflow: many\nsteps:\n{steps}")


def written(path: Path, text: str) -> str:
    """Write a file with its folders, and return its path from the root that is two folders up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path.relative_to(path.parents[1]).as_posix()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
