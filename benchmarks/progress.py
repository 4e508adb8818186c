"""What it costs to show what goes on at a terminal, as a ratio: `python -m benchmarks.progress [PAIRS]`.

Each pair runs the same workflow twice at a terminal, once where it draws and once where `TERM=dumb` keeps it from drawing,
in turns. What counts is processor time, of the whole process and of those that it waited for.
"""

from __future__ import annotations

import os
import pty
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ._writers import python_steps

_PAIRS = 11
_STEPS = 1000
_SECONDS = 10
_LINES = f"""
import time
end = time.monotonic() + {_SECONDS}
while time.monotonic() < end:
    print(time.monotonic(), flush=True)
    time.sleep(0.01)
"""
_TALKING = """
workflow: talking
steps:
  - {id: talk, run: [python, talk.py]}
"""
_POLICY = '[policy]\nsandbox = "none"\ncommands = ["python talk.py"]\n'


class _Spent(NamedTuple):
    cpu_s: float
    wall_s: float


def main(pairs: int) -> None:
    """Print what drawing costs for steps that end at once, and for one that goes on."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        many, talking = folder / "many", folder / "talking"
        for what, root, file in (
            (f"{_STEPS:,} steps that do nothing", many, python_steps(many, _STEPS, durability="process")),
            (f"a command that prints 100 lines a second, {_SECONDS} s", talking, _talking(talking)),
        ):
            _report(what, [_pair(root, file, turn) for turn in range(pairs)])


def _talking(root: Path) -> str:
    for path, text in (("workflow-exec.toml", _POLICY), ("talk.py", _LINES), ("wf/talking.workflow.yaml", _TALKING)):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    return "wf/talking.workflow.yaml"


def _pair(root: Path, file: str, turn: int) -> tuple[_Spent, _Spent]:
    # In turns: what the first one of a pair warms up must not always help the same.
    terms = ("xterm", "dumb") if turn % 2 else ("dumb", "xterm")
    spent = {term: _run(root, file, term) for term in terms}
    return spent["xterm"], spent["dumb"]


def _run(root: Path, file: str, term: str) -> _Spent:
    leader, follower = pty.openpty()
    reader = threading.Thread(target=_drain, args=(leader,), daemon=True)
    reader.start()
    environment = {**os.environ, "TERM": term, "NO_COLOR": "1", "COLUMNS": "100"}
    command = [sys.executable, "-m", "pytest", file, "--workflow-new", "-p", "no:cacheprovider"]
    began = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=root, env=environment, stdin=follower, stdout=follower, stderr=follower, start_new_session=True
    )
    os.close(follower)
    _, status, used = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    reader.join()
    if process.returncode != 0:
        raise SystemExit(f"pytest failed with {process.returncode} in {root}")
    return _Spent(cpu_s=used.ru_utime + used.ru_stime, wall_s=wall_s)


def _drain(leader: int) -> None:
    try:
        while os.read(leader, 65536):
            pass
    except OSError:
        # The other side is closed.
        pass
    finally:
        os.close(leader)


def _report(what: str, pairs: Sequence[tuple[_Spent, _Spent]]) -> None:
    ratio = statistics.median(drawn.cpu_s / plain.cpu_s for drawn, plain in pairs)
    more_s = statistics.median(drawn.cpu_s - plain.cpu_s for drawn, plain in pairs)
    wall_s = statistics.median(plain.wall_s for _, plain in pairs)
    least = min(drawn.cpu_s for drawn, _ in pairs) / min(plain.cpu_s for _, plain in pairs)
    print(
        f"{what}: {ratio:.3f} times the processor time (least of each: {least:.3f}), {more_s * 1000:+.0f} ms, "
        f"{more_s / wall_s:+.2%} of the {wall_s:.1f} s that it takes",
        flush=True,
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else _PAIRS)
