"""`finally:` steps run once the workflow has begun, whatever happens, and make no failure green."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import pytest

from .conftest import PATIENCE_S, Project, code_at, finish

FLOW = """
workflow: flow
steps:
  - {{id: one, run: [touch, ran-one]}}
  - {{id: two, {two}}}
  - {{id: three, run: [touch, ran-three]}}
finally:
  - {{id: tidy, run: [{tidy}]}}
  - {{id: last, run: [touch, ran-last]}}
"""
FAILS, PASSES = 'run: ["false"]', "run: [touch, ran-two]"
PYTHON = """
import pytest
from pytest_workflow_exec import Workflow, step
WORKFLOW = Workflow(name="flow")

@step(always=True)
def tidy(workflow) -> None:
    (workflow.root / "ran-tidy").touch()

@step
def one(workflow) -> None:
    {one}

@step
def two(workflow) -> None:
    (workflow.root / "ran-two").touch()
"""


def ran(project: Project) -> list[str]:
    """Return which steps left a mark."""
    return sorted(path.name.removeprefix("ran-") for path in project.root.glob("ran-*"))


@pytest.mark.parametrize("options", [[], ["-x"], ["--maxfail=1"], ["-p", "no:cacheprovider"]])
@pytest.mark.parametrize("two", [FAILS, PASSES])
def test_they_run_after_success_and_failure(project: Project, two: str, options: list[str]) -> None:
    """Also with -x, the steps of `finally` run in their order, and the exit status is that of the others."""
    project.write("wf/flow.workflow.yaml", FLOW.format(two=two, tidy="touch, ran-tidy"))

    session = project.pytest("wf", *options)

    assert session.status == (1 if two == FAILS else 0), session.text
    assert {"last", "tidy"} <= set(ran(project))
    assert ("three" in ran(project)) is (two == PASSES)
    outcomes = project.outcomes()
    assert (outcomes["tidy"], outcomes["last"]) == ("passed", "passed")
    assert outcomes["three"] == ("passed" if two == PASSES else "blocked")


def test_failing_one_fails_the_run_but_not_the_next(project: Project) -> None:
    """A `finally` step that fails makes the run red, and the next one still runs."""
    project.write("wf/flow.workflow.yaml", FLOW.format(two=PASSES, tidy='"false"'))

    session = project.pytest("wf")

    assert session.status == 1
    assert "last" in ran(project)
    assert project.of_type("run.finished")[0]["data"]["result"] == "failed"


def test_they_do_not_run_before_anything_began(project: Project) -> None:
    """A session that ends before the workflow's first step leaves nothing to clean up."""
    project.write("wf/flow.workflow.yaml", FLOW.format(two=PASSES, tidy="touch, ran-tidy"))
    project.write("wf/a_test.py", "")
    project.write("aa/test_first.py", "def test_first():\n    assert 0\n")

    session = project.pytest("aa", "wf", "-x")

    assert session.status == 1
    assert ran(project) == []
    assert set(project.outcomes().values()) == {"blocked"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_they_run_after_an_interruption(project: Project, number: signal.Signals) -> None:
    """After Ctrl-C and SIGTERM in a step, `finally` runs, the session exits 2, and the log says all of it."""
    project.write("wf/flow.workflow.yaml", FLOW.format(two="run: [sleep, '1000']", tidy="touch, ran-tidy"))
    session = subprocess.Popen(
        [sys.executable, "-m", "pytest", "wf"], cwd=project.root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + PATIENCE_S
    while not (project.logs() and b'"command.started","step":"two"' in project.logs()[0].read_bytes()):
        assert time.monotonic() < deadline
        time.sleep(0.05)

    session.send_signal(number)

    assert session.wait(PATIENCE_S) == 2
    assert ran(project) == ["last", "one", "tidy"]
    assert project.outcomes() == {
        "one": "passed",
        "two": "interrupted",
        "three": "blocked",
        "tidy": "passed",
        "last": "passed",
    }
    assert project.of_type("run.finished")[0]["data"]["result"] == "interrupted"


def test_they_run_after_a_rejection_and_the_gate_says_so(project: Project) -> None:
    """The gate shows what runs if it is rejected, and that is what runs."""
    project.write("wf/flow.workflow.yaml", FLOW.format(two="gate: Go on?", tidy="touch, ran-tidy"))
    child = project.terminal("wf", "-s")
    code_at(child)
    shown = child.before or ""
    assert "['touch', 'ran-tidy']" in shown.split("If you reject")[1].split("Outputs shown")[0]
    assert "ran-three" in shown.split("If you approve")[1].split("If you reject")[0]
    assert "in the end, too, what runs if you reject" in shown.split("If you approve")[1]

    child.sendline("reject")
    child.sendline("no")
    session = finish(child)

    assert session.status == 1
    assert ran(project) == ["last", "one", "tidy"]


@pytest.mark.parametrize(
    ("one", "status"), [("pass", 0), ("raise RuntimeError", 1), ("pytest.exit('enough', returncode=0)", 1)]
)
def test_python_steps_can_stand_in_it(project: Project, one: str, status: int) -> None:
    """`@step(always=True)` runs last, wherever it stands in the file."""
    project.write("wf/workflow_flow.py", PYTHON.format(one=one))

    session = project.pytest("wf")

    assert session.status == status, session.text
    assert "tidy" in ran(project)
    assert [record["step"] for record in project.of_type("step.finished")][-1] == "tidy"
    assert ("two" in ran(project)) is (status == 0)


def test_they_do_not_run_when_evidence_is_lost(project: Project) -> None:
    """Nothing runs that leaves no evidence, not even to clean up."""
    project.write(
        "wf/workflow_flow.py", PYTHON.format(one="import shutil; shutil.rmtree(workflow.root / '.workflow-exec')")
    )

    session = project.pytest("wf")

    assert session.status == 3
    assert ran(project) == []
