"""What a command costs beside `subprocess.run(["/bin/true"])`, as a ratio of processor time: `python -m benchmarks.commands`.

With a number, `python -m benchmarks.commands MIB`, that much memory is held by the process that asks, and only the sandbox alone
is measured: filling memory would take longer than what is recorded. Counted is the processor time of that process and of all that it
starts, of each kind in turns, so that a busy machine slows all alike.
"""

from __future__ import annotations

import functools
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from pytest_workflow_exec.sandbox import _spawner
from pytest_workflow_exec.sandbox._confinement import Grant, confined
from pytest_workflow_exec.sandbox._environment import MARKER
from pytest_workflow_exec.sandbox._level import Level, offer_of
from pytest_workflow_exec.sandbox._process import RunningCommand

from ._measure import Program, measured

_ROUNDS = 5
_COUNT, _FEW, _MANY = 60, 20, 120
_TRUE = "/bin/true"
_BARE = ("bare", "bare, captured")
_WORKFLOW = """
from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow(name="many")

@step
def go(sandbox) -> None:
    for _ in range({count}):
        sandbox.run(["true"])
"""


def main(mib: int) -> None:
    """Print the median of each kind, and of each round's ratio to both bare ones: as it is, and with its output captured."""
    held = b"x" * (mib << 20)
    levels: tuple[Level, ...] = ("none", "landlock", "namespaces")
    there = [level for level in levels if level == "none" or offer_of(level).level == level]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = (functools.partial(_of_one, start) for start in (_bare, _captured))
        kinds: dict[str, Callable[[], float]] = dict(zip(_BARE, plain, strict=True))
        for level in there:
            kinds[f"{level}, alone"] = functools.partial(_of_one, functools.partial(_run, folder, level))
        for level in there if not mib else ():
            kinds[f"{level}, recorded"] = functools.partial(_of_one_recorded, level)
        rounds = [{kind: cost() for kind, cost in kinds.items()} for _ in range(_ROUNDS)]
    for kind in kinds:
        median = statistics.median(each[kind] for each in rounds)
        bare, captured = (statistics.median(each[kind] / each[other] for each in rounds) for other in _BARE)
        print(
            f"{kind:<22}{median * 1000:8.2f} ms  {bare:5.2f} times bare, {captured:5.2f} captured, {len(held) >> 20} MiB held"
        )


def _of_one(start: Callable[[], object]) -> float:
    """Return the processor time of one more command, without that of the server's own start."""
    return (_spent(start, _COUNT + 1) - _spent(start, 1)) / _COUNT


def _spent(start: Callable[[], object], count: int) -> float:
    before = _used()
    for _ in range(count):
        start()
    # What a server and its commands used is known when it has ended.
    _spawner._close_all()  # noqa: SLF001  # nobody else wants them ended before the process ends
    return _used() - before


def _used() -> float:
    both = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in both)


def _bare() -> None:
    subprocess.run([_TRUE], check=True)


def _captured() -> None:
    subprocess.run([_TRUE], capture_output=True, check=True)


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


def _of_one_recorded(level: Level) -> float:
    """Return the processor time of one more `sandbox.run` in a step: judged, pinned, announced, run and recorded."""
    return (_spent_recorded(level, _MANY) - _spent_recorded(level, _FEW)) / (_MANY - _FEW)


def _spent_recorded(level: Level, count: int) -> float:
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        mode = level if level == "none" else f"required:{level}"
        (root / "workflow-exec.toml").write_text(
            f'[policy]\nsandbox = "{mode}"\ncommands = ["true"]\n', encoding="utf-8"
        )
        (root / "wf").mkdir()
        (root / "wf/workflow_many.py").write_text(_WORKFLOW.format(count=count), encoding="utf-8")
        argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "wf/workflow_many.py"]
        return measured(Program(argv=argv, cwd=root, says="1 passed", variables={})).cpu_s


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 0)
