"""What every step of every run goes through, as often as asked: `python -m benchmarks.programs.hot_path NAME COUNT`.

It is counted, not timed: what two counts differ in is what one more costs, without the start.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks._writers import python_steps
from pytest_workflow_exec import events
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, create_run_directory, new_run_id
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run._state import Plan, RunState, admit, apply

_DIGEST = "0123456789abcdef" * 4


def append(count: int) -> None:
    """Write the two records of each step."""
    with tempfile.TemporaryDirectory() as folder:
        run = new_run_id()
        directory = create_run_directory(Path(folder), run)
        log = EvidenceLog.create(directory, run, redactor=Redactor({}), durability="process")
        with contextlib.closing(log):
            for number in range(count):
                for event in _happened(number):
                    log.append(event)


def judge(count: int) -> None:
    """Let each step start, and take in its start and its end."""
    state = RunState(plan=Plan(tuple(_name(number) for number in range(count))))
    for number in range(count):
        admit(state, _name(number))
        for event in _happened(number):
            state = apply(state, event)
    if not state.complete:
        sys.exit("the plan is not complete")


def collect(count: int) -> None:
    """Collect a workflow of so many steps."""
    _in_pytest(count, "--collect-only")


def step(count: int) -> None:
    """Run a workflow of so many steps that do nothing."""
    _in_pytest(count)


PATHS: Mapping[str, Callable[[int], None]] = {"append": append, "judge": judge, "collect": collect, "step": step}


def _name(number: int) -> str:
    return f"step-{number}"


def _happened(number: int) -> Sequence[Event]:
    return (
        events.step_started(_name(number), attempt=1, kind="function", digest=_DIGEST),
        events.step_finished(_name(number), attempt=1, outcome=Outcome.PASSED, duration_s=0.001, outputs={}, files={}),
    )


def _in_pytest(count: int, *options: str) -> None:
    import pytest

    with tempfile.TemporaryDirectory() as folder:
        target = python_steps(Path(folder), count, durability="process")
        os.chdir(folder)
        status = pytest.main(["-p", "no:cacheprovider", "-q", *options, target])
        if status != pytest.ExitCode.OK:
            sys.exit(f"pytest ended with {status}")


if __name__ == "__main__":
    PATHS[sys.argv[1]](int(sys.argv[2]))
