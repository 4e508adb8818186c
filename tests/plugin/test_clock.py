"""A clock that somebody sets back while a run is under way."""

from __future__ import annotations

import json

from pytest_workflow_exec.evidence import runs_directory

from .conftest import Project

_FLOW = """
import time
import types

from pytest_workflow_exec import Workflow, step
from pytest_workflow_exec.evidence import _instant

WORKFLOW = Workflow(name="late")


def two_days_slow():
    return time.time_ns() - 2 * 86_400 * 10**9


@step(max_age="7d")
def first() -> str:
    return "done"


@step
def set_back(workflow) -> str:
    # The machine's clock, as records have it.
    _instant.time = types.SimpleNamespace(time_ns=two_days_slow, strftime=time.strftime, gmtime=time.gmtime)
    return "set"


@step
def last(workflow):
    assert (workflow.root / "go").exists()
"""


def test_a_clock_that_is_set_back_is_said_and_breaks_nothing(project: Project) -> None:
    """Order is kept by numbers and hashes: a step that sets the clock back is warned of, and the run goes on and resumes."""
    project.write("wf/workflow_late.py", _FLOW)

    failed = project.pytest("wf")
    project.write("go", "")
    done = project.pytest("wf", "--workflow-resume")

    [log] = runs_directory(project.root).glob("*/evidence.jsonl")
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert failed.status == 1
    assert done.status == 0, done.text
    assert [record["seq"] for record in records] == list(range(len(records)))
    assert [record["ts"] for record in records] != sorted(record["ts"] for record in records)
    verdict = project.run("workflow-exec", "verify", "latest", "--expect-head", done.heads[-1])
    assert verdict.status == 0, verdict.text
    assert "warning   the clock went back" in verdict.text
