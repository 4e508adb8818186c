"""What it takes to collect many YAML steps: `python -m benchmarks.collect_many [STEPS ...]` prints a Markdown table.

Nothing is run: pytest's `--collect-only` for a workflow, and for as many tests that do nothing, in pairs. The ratio is that
of the processor times of a pair, which other work on the machine changes little; of several pairs, the middle one counts.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from .many_steps import CONFIGURATION, computed_s, plain_tests, written, yaml_steps

STEPS = (1_000, 10_000)
PAIRS = 3


def main(arguments: list[str]) -> int:
    """Measure and print; the arguments are numbers of steps."""
    counts = [int(argument) for argument in arguments] or STEPS
    print(f"Python {platform.python_version()}, pytest {pytest.__version__}, {platform.system()}.\n")
    print("| Steps | Number | Plain tests, CPU seconds | Workflow, CPU seconds | Ratio |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for row in _rows(counts):
        print(f"| {' | '.join(row)} |", flush=True)
    return 0


def _rows(counts: list[int] | tuple[int, ...]) -> Iterator[tuple[str, ...]]:
    for kind, write in KINDS.items():
        for count in counts:
            pairs = [(collected_s(plain_tests, count), collected_s(write, count)) for _ in range(PAIRS)]
            plain, workflow = sorted(pairs, key=lambda pair: pair[1] / pair[0])[PAIRS // 2]
            middle = statistics.median(each / other for other, each in pairs)
            yield kind, f"{count:,}", f"{plain:.2f}", f"{workflow:.2f}", f"{middle:.2f}"


def collected_s(write: Callable[[Path, int], str], count: int) -> float:
    """Return the processor time that collecting takes, in seconds."""
    with tempfile.TemporaryDirectory(prefix="collect-many-") as folder:
        target = write(Path(folder), count)
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "--collect-only", target]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        before_s = computed_s()
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        spent_s = computed_s() - before_s
    if done.returncode != 0 or f"{count} tests collected" not in done.stdout:
        sys.exit(f"{' '.join(command)} did not collect:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return spent_s


def command_steps(root: Path, count: int) -> str:
    """Write a YAML workflow of commands with references, and return its file's path from the root."""
    steps = "".join(
        f'  - {{id: step-{number}, run: [echo, "v${{inputs.version}}", "{number}"], timeout: 5m, expect: {{stdout: x}}}}\n'
        for number in range(count)
    )
    written(root / "workflow-exec.toml", CONFIGURATION)
    text = f"workflow: many\ninputs: {{version: {{default: '1'}}}}\nsteps:\n{steps}"
    return written(root / "wf" / "many.workflow.yaml", text)


KINDS: Mapping[str, Callable[[Path, int], str]] = {"call": yaml_steps, "run": command_steps}
"""What is collected, by what its steps are."""


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
