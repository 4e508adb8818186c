"""Options of pytest's output, and output that nobody reads: the exit status and the log are the same."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from ._pyte import Screen
from .conftest import Project

FLOW = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: two, run: [%s]}
"""

RETRIED = FLOW.replace("[%s]", '["false"], retry: {attempts: 2, for: [business], wait: 0.05s}')


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "no:terminal"),
        ("-q",),
        ("-qq",),
        ("--no-header",),
        ("--no-summary",),
        ("--color=yes",),
        ("--color=no",),
        ("-p", "no:terminal", "--junitxml=junit.xml"),
        ("-n1", "-q", "--no-header"),
        ("-p", "no:capture"),
        ("-q", "--junitxml=junit.xml"),
    ],
    ids=" ".join,
)
def test_how_pytest_prints_changes_nothing(project: Project, arguments: tuple[str, ...]) -> None:
    """A run that passes and one that fails exit as always, and say no word of an error of ours."""
    project.write("wf/flow.workflow.yaml", FLOW % "echo, ok")
    passed = project.pytest("wf", *arguments)
    project.write("wf/flow.workflow.yaml", FLOW % '"false"')
    failed = project.pytest("wf", *arguments)

    assert (passed.status, failed.status) == (0, 1), passed.text + failed.text
    assert "Traceback" not in passed.text + failed.text
    assert "INTERNALERROR" not in passed.text + failed.text
    if "--junitxml=junit.xml" in arguments:
        # The last run of both.
        assert 'tests="2" ' in (project.root / "junit.xml").read_text()
        assert "workflow_exec.head" in (project.root / "junit.xml").read_text()
    if arguments[:2] == ("-p", "no:terminal"):
        assert passed.text + failed.text == ""
    else:
        assert passed.text.splitlines()[-1].startswith("evidence head ")


def test_color_is_taken_away_from_a_terminal(project: Project) -> None:
    """With --color=no nothing that is shown is colored, while a step runs and afterwards."""
    project.write("wf/flow.workflow.yaml", FLOW % '"false"')

    screen = Screen(project, "wf", "--color=no")

    assert screen.finish() == 1
    assert re.search(r"\x1b\[[0-9;]*m", screen.raw) is None
    assert "[2/2] two ... FAILED" in screen.text


@pytest.mark.parametrize("arguments", [(), ("-v",), ("-n1",)], ids=" ".join)
def test_what_a_worker_or_a_step_says_begins_a_line(project: Project, arguments: tuple[str, ...]) -> None:
    """With -q, a line among the letters of steps is a line of its own."""
    project.write("wf/flow.workflow.yaml", RETRIED)

    session = project.pytest("wf", "-q", *arguments)

    assert session.status == 1
    assert [line for line in session.text.splitlines() if line.startswith("wf/flow.workflow.yaml::two: attempt 1 of 2")]


def test_a_pipe_that_is_closed_early_leaves_a_whole_log(project: Project) -> None:
    """Nobody saw how it ended, so pytest exits 1; what was begun has its end in the log."""
    project.write("wf/flow.workflow.yaml", FLOW % "sleep, '0.5'")
    with subprocess.Popen(
        [sys.executable, "-u", "-m", "pytest", "wf"],
        cwd=project.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        # The second step has begun by then, or begins now.
        assert any("[1/2] one" in line for line in process.stdout)
        process.stdout.close()
        said = process.stderr.read()

    assert process.returncode == 1
    assert "Traceback" not in said
    assert project.records()[-1]["type"] == "run.finished"
    assert project.run("workflow-exec", "verify", "latest", "--chain-only").status in (0, 3)
