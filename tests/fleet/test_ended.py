"""A run whose worker went away after its end, and before it said so: its log tells how it ended."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_workflow_exec.evidence import runs_directory
from pytest_workflow_exec.fleet._ends import end_told_by
from tests.plugin.conftest import CONFIGURATION, Project

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
