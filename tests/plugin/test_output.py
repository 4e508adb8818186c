"""Options of pytest's output, and output that nobody reads: the exit status and the log are the same."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .conftest import Project

FLOW = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: two, run: [%s]}
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "no:terminal"),
        ("-q",),
        ("-qq",),
        ("--no-header",),
        ("--no-summary",),
        ("--color=yes",),
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
    if arguments != ("-p", "no:terminal"):
        assert passed.text.splitlines()[-1].startswith("evidence head ")


def test_a_pipe_that_is_closed_early_leaves_a_whole_log(project: Project) -> None:
    """Nobody saw how it ended, so pytest exits 1; what was begun has its end in the log."""
    project.write("wf/flow.workflow.yaml", FLOW % "sleep, '0.5'")
    process = subprocess.Popen(
        [sys.executable, "-u", "-m", "pytest", "wf"],
        cwd=project.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    # The second step has begun by then, or begins now.
    assert any("[1/2] one" in line for line in process.stdout)
    process.stdout.close()
    said = process.stderr.read()
    status = process.wait()

    assert status == 1
    assert "Traceback" not in said
    assert project.records()[-1]["type"] == "run.finished"
    assert project.run("workflow-exec", "verify", "latest", "--chain-only").status in (0, 3)
