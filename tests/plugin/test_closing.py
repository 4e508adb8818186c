"""The closing lines of a run: verdict, time, decisions, what to do next, and the head at the very end."""

from __future__ import annotations

import json
import os
import re
import shlex

import pytest

from .conftest import Project, Session, code_at, finish

GATED = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: approve, gate: Go on?}
  - {id: two, run: [touch, ran-two]}
"""
FAILING = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: two, run: ["false"]}
"""

ASKING = """
workflow: flow
steps:
  - {id: ask, ai: {prompt: How many?, output: {n: {type: integer}}, attempts: 1}}
"""


def _closing(session: Session) -> list[str]:
    lines = session.text.splitlines()
    return lines[
        next(at for at, line in enumerate(lines) if line.startswith("workflow flow: ") and ", plan" not in line) :
    ]


def _command(lines: list[str], begin: str) -> list[str]:
    """Return the one command that the closing lines name, as a shell reads the line as it stands."""
    [line] = [
        line.removeprefix("next").strip() for line in lines if line.removeprefix("next").strip().startswith(begin)
    ]
    return shlex.split(line)


def test_a_passed_run_names_who_decided(project: Project) -> None:
    """Time, the decision and its assurance stand behind the verdict; the evidence and its head end it."""
    project.write("wf/flow.workflow.yaml", GATED)
    child = project.terminal("wf", "-s")
    child.sendline(code_at(child))

    done = finish(child)
    lines = _closing(done)

    assert done.status == 0
    assert lines[0] == "workflow flow: passed, 3 of 3 steps"
    assert re.fullmatch(r"time      \d+\.\ds", lines[1])
    assert re.fullmatch(r"gate      approve: approved by \S+ \(terminal, assurance 1\)", lines[2])
    checked = project.run(*_command(lines, "workflow-exec verify"))
    assert checked.status == 0, checked.text
    assert lines[-2].startswith("evidence .workflow-exec/runs/")
    assert lines[-1].startswith("evidence head ")


def test_a_rejection_is_told_with_its_reason_and_the_way_on(project: Project) -> None:
    """The reason stands beside who gave it, and the command that asks again does."""
    project.write("wf/flow.workflow.yaml", GATED)
    child = project.terminal("wf", "-s")
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("not on a friday")

    done = finish(child)
    lines = _closing(done)
    words = _command(lines, "pytest")
    child = project.terminal(*words[1:])
    child.expect("[Rr]eason")
    child.sendeof()
    finish(child)

    assert done.status == 1
    assert re.fullmatch(r"gate      approve: rejected by \S+ \(terminal, assurance 1\): not on a friday", lines[2])
    assert words[:1] == ["pytest"]
    assert not (project.root / "ran-two").exists()


def test_a_failed_run_names_commands_that_go_on(project: Project) -> None:
    """What is said to be next can be typed as it stands."""
    project.write("wf/flow.workflow.yaml", FAILING)

    done = project.pytest("wf")
    lines = _closing(done)
    shown = project.run(*_command(lines, "workflow-exec show"))
    project.write("wf/flow.workflow.yaml", FAILING.replace('["false"]', "[echo, ok]"))
    resumed = project.pytest(*_command(lines, "pytest")[1:])

    assert done.status == 1
    assert shown.status == 0
    assert "two" in shown.text
    assert resumed.status == 0
    assert "[1/2] one ... CARRIED" in resumed.text


def test_the_lines_lead_on_from_where_pytest_was_started(project: Project) -> None:
    """In a folder of the project, the file is named as it is seen from there."""
    project.write("wf/flow.workflow.yaml", FAILING)
    below = Project(project.root / "wf")

    lines = _closing(below.pytest("flow.workflow.yaml"))

    assert _command(lines, "pytest") == ["pytest", "flow.workflow.yaml", "--workflow-resume"]


def test_a_verdict_of_many_steps_stays_readable(project: Project) -> None:
    """Of many steps that are not satisfied the first ones are named, and the others counted."""
    steps = "".join(f"  - {{id: s{number}, run: [touch, ran-{number}]}}\n" for number in range(30))
    project.write("wf/flow.workflow.yaml", f'workflow: flow\nsteps:\n  - {{id: first, run: ["false"]}}\n{steps}')

    lines = _closing(project.pytest("wf"))

    named = ", ".join(["first", *(f"s{number}" for number in range(19))])
    assert lines[0] == f"workflow flow: NOT passed (first failed), 31 of 31 steps not satisfied: {named} and 11 more"


def test_a_suspended_run_names_commands_that_go_on(project: Project) -> None:
    """Where nobody is asked at a terminal, the command that goes on needs none."""
    project.write("wf/flow.workflow.yaml", GATED.replace("gate: Go on?", "gate: {question: Go on?, wait: suspend}"))

    done = project.pytest("wf")

    lines = _closing(done)
    child = project.terminal_of(*_command(lines, "workflow-exec approve"))
    child.sendline(code_at(child))
    finish(child)
    resumed = project.pytest(*_command(lines, "pytest")[1:])
    assert (done.status, resumed.status) == (1, 0), resumed.text
    assert (project.root / "ran-two").exists()


def test_every_command_works_as_it_is_printed(project: Project, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Also where pytest was started outside of the project, and where names need quotes."""
    project.write("my wf/a flow.workflow.yaml", FAILING.replace("id: two", "id: two, foreach: {on: [a]}"))
    outside = Project(tmp_path_factory.mktemp("elsewhere"))

    done = outside.pytest(os.path.relpath(project.root / "my wf", outside.root))
    commands = [
        shlex.split(found)
        for found in re.findall(r"(?m)^(?:next|evidence)? {2,}((?:workflow-exec|pytest) .*)$", done.text)
    ]
    results = [
        outside.run(*command) if command[0] != "pytest" else outside.pytest(*command[1:]) for command in commands
    ]

    assert done.status == 1, done.text
    assert [command[:2] for command in commands] == [
        ["workflow-exec", "show"],
        ["pytest", commands[1][1]],
        ["workflow-exec", "show"],
        ["pytest", commands[1][1]],
    ]
    assert [result.status for result in results] == [0, 1, 0, 1]
    assert "expected exit status 0" in results[0].text
    assert "1 failed, 1 carried" in results[1].text
    assert "1 failed, 1 carried" in results[3].text


def test_who_answers_is_said_again(project: Project) -> None:
    """A run that was scripted goes on with the script: without it, a model would be asked, and paid."""
    project.write("wf/flow.workflow.yaml", ASKING)
    project.write("my answers.json", json.dumps({"ask": [{"n": "many"}]}))

    lines = _closing(project.pytest("wf", "--workflow-ai-answers=my answers.json", "--workflow-ai-budget=0.50"))
    project.write("my answers.json", json.dumps({"ask": [{"n": 1}]}))
    resumed = project.pytest(*_command(lines, "pytest")[1:])

    assert "--workflow-ai-budget=0.50" in _command(lines, "pytest")
    assert resumed.status == 0, resumed.text


@pytest.mark.parametrize(("act", "status"), [("end", 1), ("interrupt", 2)])
def test_run_that_is_not_let_go_on_says_its_new_head(project: Project, act: str, status: int) -> None:
    """A person is asked before the first step, and the log has the answer: its head is printed last, as ever."""
    project.write(
        "wf/flow.workflow.yaml", "steps:\n  - {id: one, run: [touch, ran-one]}\n  - {id: two, run: ['false']}\n"
    )
    assert project.pytest("wf").status == 1
    (project.root / "ran-one").unlink()
    project.write(
        "wf/flow.workflow.yaml", "steps:\n  - {id: one, run: [touch, ran-1]}\n  - {id: two, run: ['false']}\n"
    )
    child = project.terminal("wf", "-s", "--workflow-resume")
    code_at(child)

    if act == "end":
        child.sendeof()
    else:
        child.sendintr()
    session = finish(child)

    assert session.status == status, session.text
    assert session.heads == [project.records()[-1]["hash"]]
    assert "NOT passed (stopped before one), 2 of 2 steps not satisfied" in session.text
    assert "once it is to go on:" in session.text
    assert "put right what is wrong" not in session.text
    assert not list(project.root.glob("ran-*"))


@pytest.mark.parametrize(
    "hook",
    [
        "def pytest_unconfigure(config):\n    sys.exit(0)",
        "def pytest_configure(config):\n    config.add_cleanup(lambda: sys.exit(0))",
        "def pytest_sessionfinish(session):\n    sys.exit(0)",
        "def pytest_terminal_summary(terminalreporter):\n    sys.exit()",
    ],
    ids=["unconfigure", "cleanup", "sessionfinish", "summary"],
)
def test_a_hook_that_ends_the_process_makes_nothing_green(project: Project, hook: str) -> None:
    """Whichever hook of another plugin leaves with 0, the status is 1 where a planned step is not satisfied."""
    project.write("wf/flow.workflow.yaml", FAILING)
    project.write("conftest.py", f"import sys\n\n\n{hook}\n")

    done = project.pytest("wf")

    assert done.status == 1, done.text
    assert "workflow flow: NOT passed (two failed), 1 of 2 steps not satisfied: two" in done.text
    assert done.text.count("evidence head ") == 1


def test_a_hook_that_ends_the_process_leaves_what_passed_green(project: Project) -> None:
    """Its own status stands where the workflow passed, also if it is another than 0."""
    project.write("wf/flow.workflow.yaml", FAILING.replace('["false"]', "[touch, ran-two]"))
    project.write("conftest.py", "import sys\n\n\ndef pytest_sessionfinish(session):\n    sys.exit(0)\n")

    passed = project.pytest("wf")
    project.write("conftest.py", "import sys\n\n\ndef pytest_sessionfinish(session):\n    sys.exit(7)\n")
    other = project.pytest("wf", "--workflow-new")

    assert (passed.status, other.status) == (0, 7)
    assert "workflow flow: passed, 2 of 2 steps" in passed.text


@pytest.mark.parametrize("one", [["touch", "ran-one"], ["false"]], ids=["failing late", "failing early"])
def test_a_summary_that_breaks_off_hides_no_end(project: Project, one: list[str]) -> None:
    """Where another plugin's summary raises, what is blocked, how the run ended and its head are still written."""
    project.write("wf/flow.workflow.yaml", FAILING.replace("[touch, ran-one]", json.dumps(one)))
    project.write(
        "conftest.py", "def pytest_terminal_summary(terminalreporter):\n    raise RuntimeError('no summary')\n"
    )

    done = project.pytest("wf")

    assert done.status == 1
    assert "RuntimeError: no summary" in done.text
    if one == ["false"]:
        assert "BLOCKED wf/flow.workflow.yaml::two - waits for one (failed)" in done.text
    assert done.text.count("evidence head ") == 1
    assert "workflow flow: NOT passed" in done.text
