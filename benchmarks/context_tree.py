"""Selecting from a tree of 1,000 CLAUDE.md files, beside the obvious plain way: walking the tree and reading them all.

    python -m benchmarks.context_tree

Cold is a process that has just begun, warm one that has selected before. Medians of nine rounds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from pytest_workflow_exec.context import Query, load_context

_ROUNDS = 9
_COLD = """
import sys, time
from pathlib import Path
from pytest_workflow_exec.context import Query, load_context
root, began = Path(sys.argv[1]), time.perf_counter()
load_context(root, root / "a1" / "b1", Query(task_type="t3", keywords=("k1",)))
print(time.perf_counter() - began)
"""


def main() -> None:
    """Print medians in milliseconds and their ratios."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder).resolve()
        _plant(root)
        time.sleep(0.1)
        cold = statistics.median(_cold(root) for _ in range(_ROUNDS))
        query = Query(task_type="t3", keywords=("k1",))
        _timed(lambda: load_context(root, root / "a1" / "b1", query))
        pairs = [
            (_timed(lambda: _walk(root)), _timed(lambda: load_context(root, root / "a1" / "b1", query)))
            for _ in range(_ROUNDS)
        ]
    walk, warm = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"os.walk and reading   {walk * 1e3:7.1f} ms")
    print(f"cold selection        {cold * 1e3:7.1f} ms  {cold / walk:5.2f} x")
    print(f"warm selection        {warm * 1e3:7.1f} ms  {warm / walk:5.2f} x")


def _plant(root: Path) -> None:
    for number in range(1_000):
        first, second, third = number // 100, number // 10 % 10, number % 10
        file = root / f"a{first}" / f"b{second}" / f"c{third}" / "CLAUDE.md"
        file.parent.mkdir(parents=True, exist_ok=True)
        front = f"keywords: [k{first}, w{second}]\ntask_types: [t{number % 7}]\npriority: high\nmax_tokens: 500\n"
        file.write_text(f"---\n{front}---\n\n# Title\n\n" + "words and words\n" * 40 + "\n## More\n\ntext\n")


def _cold(root: Path) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _COLD, str(root)], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    return float(done.stdout)


def _walk(root: Path) -> None:
    for folder, _, files in os.walk(root):
        for name in files:
            (Path(folder) / name).read_bytes()


def _timed(act: object) -> float:
    began = time.perf_counter()
    act()  # type: ignore[operator]  # a benchmark's own function
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
