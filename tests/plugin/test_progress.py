"""What a person sees of a step while it runs, on real terminals and in logs."""

from __future__ import annotations

import re

import pytest

from ._pyte import Screen
from .conftest import Project

POLICY = '[policy]\nsandbox = "none"\ncommands = ["echo *", "python slow.py"]\n'
# It goes on until the test has seen enough.
SLOW = """
import pathlib, time
for number in range(600):
    print("compiling", number, flush=True)
    if pathlib.Path("enough").exists():
        break
    time.sleep(0.1)
"""
MODULE = """
import pathlib, time

def hosts(workflow):
    with workflow.progress(8, "hosts") as bar:
        bar.advance(3)
        for number in range(600):
            print("said by the step")
            if pathlib.Path("enough").exists():
                break
            time.sleep(0.1)
            bar.advance(0)

def flaky(workflow):
    tried = workflow.root / "ran-flaky"
    if not tried.exists():
        tried.touch()
        raise ConnectionResetError("gone")
"""
SLOW_FLOW = "workflow: flow\nsteps:\n  - {id: build, run: [python, slow.py]}\n"
BATCH_FLOW = 'workflow: flow\nsteps:\n  - {id: hosts, call: "m:hosts"}\n'
GATE_FLOW = """
workflow: flow
steps:
  - {id: build, run: [python, slow.py]}
  - {id: approve, gate: Go on?}
"""
RETRY_FLOW = 'workflow: flow\nsteps:\n  - {id: flaky, call: "m:flaky", retry: {attempts: 2, wait: 2s}}\n'
# Nobody wants to wait for a real one.
SHORT_MINUTES = """
import functools
from pytest_workflow_exec.plugin import _screen
_screen.Screen = functools.partial(_screen.Screen, beat_s=0.3)
"""
DRAWING = "\x1b[?7l"


@pytest.fixture
def slow(project: Project) -> Project:
    """A project whose commands and code go on until there is a file `enough`."""
    project.write("workflow-exec.toml", POLICY)
    project.write("slow.py", SLOW)
    project.write("wf/m.py", MODULE)
    return project


def _enough(project: Project) -> None:
    project.write("enough", "")


@pytest.mark.parametrize("arguments", [(), ("-s",), ("--capture=tee-sys",)])
@pytest.mark.parametrize("columns", [36, 80, 120])
def test_a_command_shows_its_time_and_last_line(slow: Project, arguments: tuple[str, ...], columns: int) -> None:
    """Behind the step's name stand a spinner, the time and the last line, and nothing of it is left at the end."""
    slow.write("wf/flow.workflow.yaml", SLOW_FLOW)

    screen = Screen(slow, "wf", *arguments, columns=columns)
    screen.until_shows(r"(?m)^\[1/1\] build \.\.\. \S \d+\.\ds  comp")
    _enough(slow)

    assert screen.finish() == 0
    assert re.search(r"(?m)^\[1/1\] build \.\.\. PASSED \d+\.\ds$", screen.text)
    assert "compiling" not in screen.text


@pytest.mark.parametrize("verbosity", ["-v", "-vv"])
def test_pytests_own_line_is_kept(slow: Project, verbosity: str) -> None:
    """With -v the same stands behind the node id, and pytest's word takes its place."""
    slow.write("wf/flow.workflow.yaml", SLOW_FLOW)

    screen = Screen(slow, "wf", verbosity, columns=100)
    screen.until_shows(r"flow\.workflow\.yaml::build \S \d+\.\ds  compiling \d")
    _enough(slow)

    assert screen.finish() == 0
    assert re.search(r"(?m)^wf/flow\.workflow\.yaml::build PASSED +\[100%\]$", screen.text)
    assert "compiling" not in screen.text


def test_quiet_is_quiet(slow: Project) -> None:
    """With -q nothing is drawn."""
    slow.write("wf/flow.workflow.yaml", SLOW_FLOW)
    screen = Screen(slow, "wf", "-q")
    slow.wait_for("command.started")
    screen.linger()
    _enough(slow)

    assert screen.finish() == 0
    assert DRAWING not in screen.raw


@pytest.mark.parametrize(
    ("variables", "term"), [({"TERM": "dumb"}, "dumb"), ({"CI": "true"}, "xterm")], ids=["dumb", "ci"]
)
def test_where_nothing_can_be_drawn_lines_stay_plain(slow: Project, variables: dict[str, str], term: str) -> None:
    """On a terminal that can't draw, and in CI, a step is one plain line as long as no minute is over."""
    slow.environment.update(variables)
    slow.write("wf/flow.workflow.yaml", SLOW_FLOW)
    screen = Screen(slow, "wf", term=term)
    slow.wait_for("command.started")
    screen.linger()
    _enough(slow)

    assert screen.finish() == 0
    assert DRAWING not in screen.raw
    assert re.search(r"(?m)^\[1/1\] build \.\.\. PASSED \d+\.\ds$", screen.text)


@pytest.mark.parametrize("variables", [{}, {"CI": "true"}], ids=["no-ci", "ci"])
@pytest.mark.parametrize("arguments", [(), ("-v",), ("-s",)], ids=" ".join)
def test_a_log_gets_a_line_each_minute(slow: Project, variables: dict[str, str], arguments: tuple[str, ...]) -> None:
    """Without a terminal, and in CI, a step that goes on says so in whole lines, and then how it ended."""
    slow.environment.update(variables)
    slow.write("conftest.py", SHORT_MINUTES)
    slow.write("wf/flow.workflow.yaml", SLOW_FLOW)

    with slow.reading("wf", *arguments) as session:
        session.until(r"(?m)^  \[1/1\] build is still running, \d+\.\ds: compiling \d+$")
        _enough(slow)

    assert session.status == 0
    assert "\x1b" not in session.text
    assert not [
        line for line in session.text.splitlines() if "still running" in line and not line.startswith("  [1/1]")
    ]
    assert re.search(r"(?m)^(\[1/1\] build \.\.\. PASSED \d+\.\ds|.*PASSED +\[100%\])$", session.text)


def test_a_terminal_of_ci_gets_a_line_each_minute(slow: Project) -> None:
    """Where CI has a terminal, too, its log is read later: whole lines, nothing drawn."""
    slow.environment["CI"] = "true"
    slow.write("conftest.py", SHORT_MINUTES)
    slow.write("wf/flow.workflow.yaml", SLOW_FLOW)
    screen = Screen(slow, "wf")
    screen.until_shows(r"(?m)^  \[1/1\] build is still running, \d+\.\ds: compiling \d")
    _enough(slow)

    assert screen.finish() == 0
    assert DRAWING not in screen.raw
    assert re.search(r"(?m)^\[1/1\] build \.\.\. PASSED \d+\.\ds$", screen.text)


def test_without_color_nothing_is_colored(slow: Project) -> None:
    """NO_COLOR leaves the drawing and takes the colors."""
    slow.environment["NO_COLOR"] = "1"
    slow.write("wf/flow.workflow.yaml", SLOW_FLOW)
    screen = Screen(slow, "wf")
    screen.until_shows(r"build \.\.\. \S \d+\.\ds  compiling \d")
    _enough(slow)

    assert screen.finish() == 0
    assert re.search(r"\x1b\[[0-9;]*m", screen.raw) is None


def test_a_batch_shows_a_bar(slow: Project) -> None:
    """`workflow.progress` shows how far the step has come."""
    slow.write("wf/flow.workflow.yaml", BATCH_FLOW)
    screen = Screen(slow, "wf")
    screen.until_shows(r"hosts \.\.\. \S \d+\.\ds  hosts ━{7}─{13} 3/8")
    _enough(slow)

    assert screen.finish() == 0
    assert "━" not in screen.text


def test_a_batch_among_a_steps_own_output_is_lines(slow: Project) -> None:
    """With -s nothing is drawn while a step's own code prints: a line tells how far it has come."""
    slow.write("wf/flow.workflow.yaml", BATCH_FLOW)
    screen = Screen(slow, "wf", "-s")
    screen.until_shows(r"(?m)^  hosts 3/8$")
    _enough(slow)

    assert screen.finish() == 0
    assert DRAWING not in screen.raw
    assert {line for line in screen.text.splitlines() if "said by" in line} <= {
        "said by the step",
        "[1/1] hosts ... said by the step",
    }


def test_a_retry_counts_down(slow: Project) -> None:
    """The wait for the next attempt is shown, and gone afterwards."""
    slow.write("wf/flow.workflow.yaml", RETRY_FLOW)
    screen = Screen(slow, "wf")
    screen.until_shows(r"\[1/1\] flaky \S \d+\.\ds  attempt 2 of 2 in \d s")

    assert screen.finish() == 0
    assert "attempt 2 of 2 in" not in screen.text
    assert re.search(r"(?m)^\[1/1\] flaky \.\.\. PASSED \d+\.\ds$", screen.text)


def test_nothing_is_drawn_while_a_person_decides(slow: Project) -> None:
    """Before a gate asks, what was drawn goes away, and nothing more is until it was answered."""
    slow.write("wf/flow.workflow.yaml", GATE_FLOW)
    screen = Screen(slow, "wf", "-s")
    screen.until_shows(r"build \.\.\. \S \d+\.\ds  compiling \d")
    _enough(slow)
    screen.until_shows("Type [A-Z0-9]{4}-[A-Z0-9]{4} to approve, or reject to stop:")
    asked = len(screen.raw)
    screen.linger()
    waited = screen.raw[asked:]
    code = re.findall(r"Type ([A-Z0-9-]+) to approve", screen.text)[-1]
    screen.send(code)

    assert screen.finish() == 0
    assert DRAWING not in waited
    assert "compiling" not in screen.text


def test_a_run_with_secrets_shows_no_line_of_a_command(slow: Project) -> None:
    """What is printed so far may be a part of a secret that nobody would know again: only the time is shown."""
    slow.environment["TOKEN"] = "compiling-and-more"  # noqa: S105
    slow.write("workflow-exec.toml", POLICY + '[[policy.command]]\nrule = "echo never"\nsecrets = ["TOKEN"]\n')
    slow.write("wf/flow.workflow.yaml", SLOW_FLOW)
    screen = Screen(slow, "wf")
    screen.until_shows(r"build \.\.\. \S 1\.\ds")
    _enough(slow)

    assert screen.finish() == 0
    assert "compiling" not in screen.raw


def test_a_log_holds_no_control_sequence(slow: Project) -> None:
    """Output to a pipe is plain lines."""
    slow.write("wf/flow.workflow.yaml", SLOW_FLOW)
    _enough(slow)

    done = slow.pytest("wf")

    assert done.status == 0
    assert "\x1b" not in done.text
    assert re.search(r"(?m)^\[1/1\] build \.\.\. PASSED \d+\.\ds$", done.text)


def test_rich_is_loaded_only_where_something_is_drawn(slow: Project) -> None:
    """A workflow without a terminal, and one whose steps are short, load nothing that draws."""
    slow.write(
        "conftest.py",
        "import sys\ndef pytest_unconfigure():\n    print('DRAWS', 'pytest_workflow_exec.progress._frame' in sys.modules)\n",
    )
    slow.write("wf/flow.workflow.yaml", "workflow: flow\nsteps:\n  - {id: build, run: [echo, hi]}\n")

    done = slow.pytest("wf")

    assert "DRAWS False" in done.text
