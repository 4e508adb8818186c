"""What a person sees of steps that run in workers, on a real terminal and in a log."""

from __future__ import annotations

import re

import pytest

from tests.plugin._pyte import Screen
from tests.plugin.conftest import Project
from tests.plugin.test_progress import DRAWING, MODULE, POLICY, SHORT_MINUTES, SLOW

pytest.importorskip("xdist")

FLOW = "workflow: %s\nsteps:\n  - {id: build, run: [python, slow.py]}\n  - {id: publish, run: [echo, out]}\n"
RETRY = 'workflow: again\nsteps:\n  - {id: flaky, call: "m:flaky", retry: {attempts: 2, wait: 0.05s}}\n'
ORDINARY = "import pytest\n@pytest.mark.parametrize('i', range(4))\ndef test_x(i): pass\n"


@pytest.fixture
def two(project: Project) -> Project:
    """A project with two workflows that go on until there is a file `enough`."""
    project.write("workflow-exec.toml", POLICY)
    project.write("slow.py", SLOW)
    project.write("wf/a.workflow.yaml", FLOW % "a")
    project.write("wf/b.workflow.yaml", FLOW % "b")
    return project


@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_shows_every_step_that_runs(two: Project, columns: int) -> None:
    """The steps of all workers stand in one line with their times, and nothing of it is left at the end."""
    screen = Screen(two, "wf", "-n2", columns=columns)
    screen.until_shows(r"(?m)^\S \[[ab] 1/2\] build \d+\.\ds  \[[ab] 1/2\] build \d+\.\ds$")
    two.write("enough", "")

    assert screen.finish() == 0
    lines = screen.text.splitlines()
    assert sorted(re.sub(r" \d+\.\ds$", "", line) for line in lines if re.match(r"\[[ab] ", line)) == [
        "[a 1/2] build PASSED", "[a 2/2] publish PASSED", "[b 1/2] build PASSED", "[b 2/2] publish PASSED",
    ]  # fmt: skip
    assert not [line for line in lines if re.match(r"\S \[", line)]


@pytest.mark.parametrize("variables", [{}, {"CI": "true"}], ids=["no-ci", "ci"])
@pytest.mark.parametrize("arguments", [(), ("-v",)], ids=" ".join)
def test_a_log_gets_a_line_each_minute(two: Project, variables: dict[str, str], arguments: tuple[str, ...]) -> None:
    """A step that goes on in a worker says so in a line that names its workflow."""
    two.environment.update(variables)
    two.write("conftest.py", SHORT_MINUTES)

    with two.reading("wf", "-n2", *arguments) as session:
        for name in "ab":
            session.until(rf"(?m)^  \[{name} 1/2\] build is still running, \d+\.\ds$")
        two.write("enough", "")

    assert session.status == 0, session.text
    assert "\x1b" not in session.text
    assert not [line for line in session.text.splitlines() if "still running" in line and not line.startswith("  [")]


def test_quiet_is_quiet(two: Project) -> None:
    """With -q nothing is drawn."""
    screen = Screen(two, "wf", "-n2", "-q")
    two.wait_for("command.started", count=2)
    screen.linger()
    two.write("enough", "")

    assert screen.finish() == 0
    assert DRAWING not in screen.raw


def test_steps_and_letters_have_lines_of_their_own(project: Project) -> None:
    """What a worker has to say comes with its step; steps do not stand among the letters of ordinary tests."""
    project.write("wf/m.py", MODULE)
    project.write("wf/again.workflow.yaml", RETRY)
    project.write("tests/test_x.py", ORDINARY)

    session = project.pytest("tests", "wf", "-n1")

    lines = session.text.splitlines()
    assert session.status == 0, session.text
    [said] = [
        at for at, line in enumerate(lines) if "attempt 1 of 2 failed (transient): ConnectionResetError: gone" in line
    ]
    assert lines[said].startswith("wf/again.workflow.yaml::flaky: ")
    assert re.fullmatch(r"\[again 1/1\] flaky PASSED \d+\.\ds", lines[said + 1])
