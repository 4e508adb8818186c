"""`workflow-exec run`: whatever becomes of pytest, the exit status is no better than the evidence."""

from __future__ import annotations

import signal
import textwrap

import pytest

from .conftest import Project, code_at, finish

FLOW = '''\
import atexit, os, threading, time

import pytest
from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow(name="{name}")


@pytest.fixture(scope="module", autouse=True)
def around():
    yield
{after}


@step()
def one(workflow):
    """One."""
{body}


@step()
def two(workflow):
    """Two."""
    (workflow.root / "ran-two").touch()
'''
LEAVE_OUT_THE_END = """
def cut():
    import glob
    log = max(glob.glob(".workflow-exec/runs/*/evidence.jsonl"))
    lines = open(log, "rb").read().splitlines(keepends=True)
    open(log, "wb").write(b"".join(lines[:-2]))
atexit.register(cut)
"""


def written(project: Project, *, name: str = "flow", body: str = "pass", after: str = "pass") -> None:
    """Write a workflow whose first step does that."""
    project.write(
        f"wf/workflow_{name}.py",
        FLOW.format(name=name, body=textwrap.indent(body, "    "), after=textwrap.indent(after, "    ")),
    )


def test_what_passes_passes(project: Project) -> None:
    """A run that passes, stops as asked or goes on is 0, and pytest prints what it prints alone."""
    written(project)

    partial = project.run("workflow-exec", "run", "wf", "--workflow-until", "one")
    resumed = project.run("workflow-exec", "run", "--workflow-resume", "wf", "-q")

    assert (partial.status, resumed.status) == (0, 0), partial.text + resumed.text
    assert (project.root / "ran-two").exists()
    assert len(resumed.heads) == 1
    assert "NOT PASSED" not in partial.text + resumed.text


@pytest.mark.parametrize(
    "body",
    [
        "os._exit(0)",
        "threading.Thread(target=os._exit, args=(0,)).start()\ntime.sleep(600)",
        "atexit.register(os._exit, 0)\nraise AssertionError",
        LEAVE_OUT_THE_END,
    ],
    ids=["exit", "thread", "atexit", "cut log"],
)
def test_process_that_ends_itself_has_not_passed(project: Project, body: str) -> None:
    """A step's own code can end pytest with 0, and cut its log: pytest says 0 then, and this says 1, and why."""
    written(project, body=body)

    alone = project.pytest("wf")
    held = project.run("workflow-exec", "run", "wf", "--workflow-new")

    assert alone.status == 0, alone.text
    assert held.status == 1, held.text
    if body != LEAVE_OUT_THE_END:
        assert not (project.root / "ran-two").exists()


def test_end_between_two_workflows_is_seen(project: Project) -> None:
    """A process that ends when the first of two has nothing left to do has not passed: the second did not run."""
    written(project, name="first", after="os._exit(0)")
    written(project, name="second")

    session = project.run("workflow-exec", "run", "wf")

    assert session.status == 1, session.text
    assert session.text.count("NOT PASSED, though pytest exited with 0") == 2
    assert "of workflow 'second' has no end" in session.text


@pytest.mark.parametrize("how", ["collected", "ended early"])
def test_nothing_that_ran_is_no_pass(project: Project, how: str) -> None:
    """Where no run was begun, because nothing was to run or the process ended before, the status is 1."""
    written(project)
    if how == "ended early":
        project.write("wf/conftest.py", "import os\nos._exit(0)\n")

    session = project.run("workflow-exec", "run", "wf", *(["--collect-only"] if how == "collected" else []))

    assert session.status == 1, session.text
    assert "it ran no workflow to an end" in session.text
    assert project.untouched


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["wf"], 1),
        (["nowhere"], 4),
        (["wf", "-k", "two"], 4),
        (["wf", "-n2"], 4),
        ([], 2),
        (["--workflow-witness=3"], 2),
    ],
)
def test_other_ends_are_passed_on(project: Project, arguments: list[str], status: int) -> None:
    """What pytest refuses or fails keeps its status; what can't be supervised is refused, and nothing runs."""
    if "-n2" in arguments:
        pytest.importorskip("xdist")
    written(project, body="raise AssertionError")

    session = project.run("workflow-exec", "run", *arguments)

    assert session.status == status, session.text
    if status != 1:
        assert project.untouched


GATED = """
workflow: flow
steps:
  - {id: ask, gate: Go on?}
  - {id: two, run: [touch, ran-two]}
finally:
  - {id: tidy, run: [touch, ran-tidy]}
"""


def test_gates_are_asked_below_it(project: Project) -> None:
    """The terminal is pytest's as well: a person decides there, and the run passes."""
    project.write("wf/flow.workflow.yaml", GATED)
    child = project.terminal_of("workflow-exec", "run", "wf", "-s")

    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert project.outcomes() == {"ask": "passed", "two": "passed", "tidy": "passed"}


@pytest.mark.parametrize("kind", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_the_run_below_it(project: Project, kind: signal.Signals) -> None:
    """Ctrl-C at the terminal and SIGTERM end the run as they end pytest alone: once, with its `finally:`."""
    project.write("wf/flow.workflow.yaml", GATED)
    child = project.terminal_of("workflow-exec", "run", "wf", "-s")
    code_at(child)

    if kind is signal.SIGINT:
        child.sendintr()
    else:
        child.kill(kind)
    session = finish(child)

    assert session.status == 2, session.text
    assert project.outcomes() == {"ask": "interrupted", "two": "blocked", "tidy": "passed"}
