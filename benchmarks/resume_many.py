"""What it costs to resume a run of many completed steps: `python -m benchmarks.resume_many [STEPS]` prints a table.

A first run stops one step before its end; what is measured is `--workflow-resume`, which carries all the steps and runs the
last one. Beside it, in turns, runs plain pytest with as many tests that do nothing. The measure is processor time of the
whole process, start included; of several tries, the least counts, and their ratio can be compared between machines.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest

from benchmarks.many_steps import computed_s, plain_tests, python_steps, yaml_steps

STEPS = 10_000
TRIES = 3


def main(arguments: Sequence[str]) -> int:
    """Measure and print; the argument is the number of steps."""
    count = int(arguments[0]) if arguments else STEPS
    print(f"Python {platform.python_version()}, pytest {pytest.__version__}, {platform.system()}.\n")
    print(
        "| Workflow | Steps | First run, seconds | Resume, seconds | Plain pytest, seconds | First run, ratio | Ratio |"
    )
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in _rows(count):
        print(f"| {' | '.join(row)} |", flush=True)
    return 0


class _Row(NamedTuple):
    kind: str
    steps: str
    first: str
    resume: str
    plain: str
    first_ratio: str
    ratio: str


def _rows(count: int) -> Iterator[_Row]:
    for kind, write in (("YAML", yaml_steps), ("Python", python_steps)):
        with tempfile.TemporaryDirectory(prefix="resume-many-") as folder:
            tries = list(_tries(Path(folder), write, count))
        plain, first, resume = (min(column) for column in zip(*tries, strict=True))
        yield _Row(
            kind=kind,
            steps=f"{count:,}",
            first=f"{first:.1f}",
            resume=f"{resume:.1f}",
            plain=f"{plain:.1f}",
            first_ratio=f"{first / plain:.2f}",
            ratio=f"{resume / plain:.2f}",
        )


class _Try(NamedTuple):
    plain_s: float
    first_s: float
    resume_s: float


def _tries(root: Path, write: Callable[[Path, int], str], count: int) -> Iterator[_Try]:
    tests, steps = plain_tests(root, count), write(root, count + 1)
    for _ in range(TRIES):
        shutil.rmtree(root / ".workflow-exec", ignore_errors=True)
        yield _Try(
            plain_s=_spent(root, [tests], says=f"{count} passed"),
            first_s=_spent(
                root,
                [steps, "--workflow-until", f"step{'_' if steps.endswith('.py') else '-'}{count - 1}"],
                says=f"{count} passed",
            ),
            resume_s=_spent(root, [steps, "--workflow-resume"], says=f"1 passed, {count} carried"),
        )


def _spent(root: Path, arguments: Sequence[str], *, says: str) -> float:
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", *arguments]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    before = computed_s()
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    spent = computed_s() - before
    if done.returncode != 0 or says not in done.stdout:
        sys.exit(f"{' '.join(command)} did not say {says!r}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return spent


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
