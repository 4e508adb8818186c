"""A run whose worker went away after its end, and before it said so: its log tells how it ended."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from pytest_workflow_exec.evidence import runs_directory
from pytest_workflow_exec.fleet._ends import cleaned_up, end_told_by
from tests.plugin.conftest import CONFIGURATION, PATIENCE_S, Project

FLOW = "workflow: site\nsteps:\n  - {{id: one, run: [touch, ran]}}\n  - {{id: two, {last}}}\n"
GATE = "gate: {question: Go on, wait: suspend, expires: 2h}"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Return a project of its own."""
    made = Project(tmp_path)
    made.write("workflow-exec.toml", CONFIGURATION)
    return made


def log_of(project: Project, last: str) -> Path:
    """Return the log of a run with that last step."""
    project.write("wf/site.workflow.yaml", FLOW.format(last=last))
    project.pytest("wf")
    [log] = runs_directory(project.root).glob("*/evidence.jsonl")
    return log


@pytest.mark.parametrize(
    ("last", "outcome", "step"),
    [("run: [echo, x]", "passed", ""), ('run: ["false"]', "failed", ""), (GATE, "suspended", "two")],
    ids=["passed", "failed", "suspended"],
)
def test_an_end_is_that_of_the_log(project: Project, last: str, outcome: str, step: str) -> None:
    """Nothing of it is played again, and a question that waits goes on waiting, for as long as it may."""
    end = end_told_by(log_of(project, last))

    assert end is not None
    assert (end.outcome, end.step, end.due is not None) == (outcome, step, outcome == "suspended")
    assert ("went away" in end.said) is (outcome != "passed")


@pytest.mark.parametrize("broken", ["without its end", "edited", "empty", "gone"])
def test_what_tells_of_no_end_is_none(project: Project, broken: str) -> None:
    """A log that stops in the middle, or that nobody can trust, makes no run one that passed."""
    log = log_of(project, "run: [echo, x]")
    lines = log.read_bytes().splitlines(keepends=True)
    if broken == "gone":
        log.unlink()
    else:
        kept = {"without its end": lines[:-1], "edited": [*lines[:2], lines[2].replace(b"one", b"two"), *lines[3:]]}
        log.write_bytes(b"".join(kept.get(broken, [])))

    assert end_told_by(log) is None


STRUCK = """
workflow: site
steps:
  - id: other
    when: "inputs.kind == 'major'"
    steps: [{id: never, run: [touch, ran-never]}]
    finally: [{id: mop, run: [touch, ran-mop]}]
  - {id: work, run: [sleep, "600"]}
finally:
  - {id: refund, run: [sleep, "600"]}
  - {id: tidy, run: [touch, ran-tidy]}
inputs: {kind: {default: minor}}
"""


def strike(project: Project, *steps: str) -> Path:
    """Return the log of a run that was told to end once in each of these steps."""
    process = project.start("wf")
    until = time.monotonic() + PATIENCE_S
    for step in steps:
        while not project.logs() or not any(
            each["type"] == "command.started" and each["step"] == step for each in project.records()
        ):
            assert time.monotonic() < until
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
    process.wait()
    [log] = project.logs()
    return log


def test_clean_up_that_was_struck_had_no_turn(project: Project) -> None:
    """A step of `finally` that never began is not cleaned up: the run is not over by being cancelled."""
    project.write("wf/site.workflow.yaml", STRUCK)
    log = strike(project, "work", "refund")

    assert not (project.root / "ran-tidy").exists()
    assert cleaned_up(log, "why") is None


def test_clean_up_had_its_turn(project: Project) -> None:
    """With all of `finally` behind it, whatever came of it, a cancelled run is over; blocks that never began leave nothing."""
    project.write(
        "wf/site.workflow.yaml", STRUCK.replace('refund, run: [sleep, "600"]', "refund, run: [touch, ran-refund]")
    )
    end = cleaned_up(strike(project, "work"), "why")

    assert {path.name for path in project.root.glob("ran-*")} == {"ran-refund", "ran-tidy"}
    assert (end and end.outcome, end and end.said) == ("cancelled", "why")
