"""Many workflows on one machine, over the workers of pytest-xdist: `python -m benchmarks.many_workflows [N] [WORKERS]`.

N workflows of five steps, every fifth with a gate that suspends it. It prints how each part ended and where the page is.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

_TOOL = "from pytest_workflow_exec.cli import main; raise SystemExit(main())"
_FLOW = """
workflow: flow-{number}
steps:
  - {{id: one, run: [echo, "1"]}}
  - {{id: two, run: [echo, "2"], outputs: {{said: {{stdout: '[0-9]'}}}}}}
  - {third}
  - {{id: four, run: [echo, "${{steps.two.said}}"]}}
  - {{id: five, run: [echo, "5"]}}
"""
_PLAIN = '{id: three, run: [echo, "3"]}'
_GATE = "{id: three, gate: {question: Go on?, wait: suspend}}"
_GATED_EVERY = 5


def main(count: int, workers: int) -> None:
    """Print the figures."""
    with TemporaryDirectory() as name:
        root = Path(name) / "project"
        write_workflows(root, count)
        began = time.monotonic()
        done = _run(root, "-m", "pytest", "workflows", f"-n{workers}", "--workflow-new", "-q", "-p", "no:cacheprovider")
        took = time.monotonic() - began
        said = re.findall(r"^workflow flow-[0-9]+: (passed|NOT passed)", done.stdout, flags=re.MULTILINE)
        print(f"{count} workflows over {workers} workers in {took:.0f} s, exit {done.returncode}")
        print(f"ended: {dict(Counter(said))}")
        runs = json.loads(_run(root, "-c", _TOOL, "runs", "--json").stdout)
        waiting = json.loads(_run(root, "-c", _TOOL, "pending", "--json").stdout)
        logs, known = len(list(root.glob(".workflow-exec/runs/*/evidence.jsonl"))), len(runs["runs"])
        print(f"logs: {logs}, known runs: {known}, gates that wait: {len(waiting)}")
        report = _run(root, "-c", _TOOL, "report", "--all")
        print(f"report --all: exit {report.returncode}, {report.stdout.strip().splitlines()[-1]}")


def write_workflows(root: Path, count: int) -> None:
    """Write a project with that many workflows."""
    (root / "workflows").mkdir(parents=True, exist_ok=True)
    (root / "workflow-exec.toml").write_text('[policy]\nsandbox = "none"\ncommands = ["echo *"]\n')
    for number in range(count):
        third = _GATE if number % _GATED_EVERY == 0 else _PLAIN
        (root / f"workflows/flow-{number}.workflow.yaml").write_text(_FLOW.format(number=number, third=third))


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(root.parent / "state")}
    return subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    main(*(given + [50, 4][len(given) :]))
