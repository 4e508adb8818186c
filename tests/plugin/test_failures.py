"""What is shown of a step that failed: pytest's own traceback of anybody's code, and a block of ours beneath it."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from .conftest import Project, Session

CODE = """
from pytest_workflow_exec import Workflow, step
WORKFLOW = Workflow(name="code")

def deeper():
    raise ConnectionResetError("the registry\\nhung up")

@step(retry={"attempts": 2, "wait": "0.05s"})
def push():
    print("said by the step")
    deeper()
"""
COMMAND = """
workflow: command
steps:
  - {id: "build", run: [python, make.py]}
"""
MAKE = """
import sys
print("many lines\\n" * 3 + "made half of it")
sys.exit("no space left")
"""
POLICY = '[policy]\nsandbox = "none"\ncommands = ["python make.py"]\n'
FRAMES = {
    "auto": "raise ConnectionResetError(",
    "long": "raise ConnectionResetError(",
    "short": "workflow_code.py:6: in deeper",
    "native": "Traceback (most recent call last):",
    "line": "workflow_code.py:6: ConnectionResetError: the registry",
}
"""What only pytest says, by its style of traceback."""


@pytest.fixture
def failing(project: Project) -> Project:
    """A project with a step whose code raises, and one whose command fails."""
    project.write("workflow-exec.toml", POLICY)
    project.write("make.py", MAKE)
    project.write("wf/workflow_code.py", CODE)
    project.write("wf/command.workflow.yaml", COMMAND)
    return project


def _block(session: Session, title: str) -> dict[str, str]:
    """Return the block of a step, by the words that its lines begin with; what has none stands behind the word before it."""
    lines = iter(session.text.splitlines())
    assert any(re.fullmatch(f"-+ {re.escape(title)} -+", line) for line in lines), session.text
    block: dict[str, str] = {}
    word = ""
    for line in lines:
        if re.match("[-=_]{5}", line):
            return block
        word = line[:10].strip() or word
        block[word] = f"{block.get(word, '')}\n{line[10:]}".strip("\n")
    return block


@pytest.mark.parametrize("style", ["auto", "long", "short", "native"])
def test_a_block_of_ours_stands_beneath_pytests_traceback(failing: Project, style: str) -> None:
    """Whatever the style of traceback: what happened, class, what was tried, evidence, and what to do next."""
    session = failing.pytest("wf", f"--tb={style}", "--show-capture=no")

    runs = {log.parent.name for log in failing.logs()}
    block = _block(session, "step push, attempt 2")
    assert session.status == 1
    assert FRAMES[style] in session.text
    assert "Captured stdout" not in session.text
    assert list(block) == ["failed", "class", "tried", "evidence", "next"]
    assert (block["failed"], block["class"]) == ("ConnectionResetError: the registry ...", "transient")
    assert block["tried"].startswith("attempt 1 of 2 failed (transient): ConnectionResetError: the registry; waited ")
    assert re.fullmatch(rf"workflow-exec show ({'|'.join(runs)}) --step push", block["evidence"])
    assert block["next"].split("\n") == ["give it time, then:", "pytest wf/workflow_code.py --workflow-resume"]
    assert session.text.count("class     ") == 2
    shown = failing.run(*block["evidence"].split())
    assert (shown.status, "the registry" in shown.text) == (0, True)


def test_what_a_command_said_is_not_said_twice(failing: Project) -> None:
    """The message of a failed command is whole; the block beneath it adds what it does not say."""
    session = failing.pytest("wf/command.workflow.yaml")

    assert "no space left" in session.text
    assert list(_block(session, "step build, attempt 1")) == ["class", "evidence", "next"]


def test_a_line_is_one_line(failing: Project) -> None:
    """With --tb=line each failure is pytest's line, and one of ours; also from a worker."""
    for arguments in ((), ("-n1", "--workflow-new")):
        session = failing.pytest("wf", "--tb=line", *arguments)

        lines = [line for line in session.text.splitlines() if line.startswith("step ")]
        assert session.status == 1
        assert FRAMES["line"] in session.text
        assert "class     " not in session.text
        assert sorted(line.partition(": workflow-exec show ")[0] for line in lines) == [
            "step build, attempt 1, business",
            "step push, attempt 2, transient",
        ]
        [push] = [line for line in lines if "push" in line]
        assert push.endswith(" --step push; then pytest wf/workflow_code.py --workflow-resume")


def test_no_traceback_is_none(failing: Project) -> None:
    """With --tb=no the short summary and the closing lines are all: they name the steps and what to do."""
    session = failing.pytest("wf", "--tb=no")

    assert session.status == 1
    assert "class     " not in session.text
    assert "FAILED wf/workflow_code.py::push - ConnectionResetError" in session.text
    assert "\n          pytest wf/workflow_code.py --workflow-resume\n" in session.text


def test_everything_is_shown_where_it_is_wanted(failing: Project) -> None:
    """With -vv, the type of the error, where the log stood, and the command with all that it printed; no message twice."""
    session = failing.pytest("wf", "-vv")

    block = _block(session, "step build, attempt 1")
    assert block["error"] == "pytest_workflow_exec.errors.ExpectationError"
    assert re.fullmatch(r"\.workflow-exec/runs/\S+/evidence\.jsonl, behind record \d+", block["log"])
    assert block["command"].startswith("python make.py\nprogram: ")
    assert "exit: 1\n" in block["command"]
    assert block["stdout"] == "many lines\nmany lines\nmany lines\nmade half of it"
    assert block["stderr"] == "no space left"
    assert _block(session, "step push, attempt 2")["error"] == "ConnectionResetError"


def test_the_block_is_in_junit_and_not_in_the_log(failing: Project) -> None:
    """Whoever reads the report elsewhere is told the same; the log's message is that of the error alone."""
    failing.pytest("wf/workflow_code.py", "--junitxml=junit.xml")

    [failure] = ET.parse(failing.root / "junit.xml").iter("failure")  # noqa: S314  # a file of our own
    [*_, end] = failing.of_type("step.finished")
    assert failure.text is not None
    assert re.search(r"evidence  workflow-exec show \S+ --step push\n", failure.text)
    assert end["data"]["message"] == "ConnectionResetError: the registry\nhung up"
