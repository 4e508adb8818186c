"""A failed check goes on by a person's word alone, and is shown as waived wherever it stands."""

from __future__ import annotations

import json
import re
import subprocess

import pytest

from .conftest import Project, code_at, finish

FLOW = """
workflow: release
steps:
  - {{id: builders, {builders}, waive: "Release with red builders?"}}
  - {{id: after, run: [touch, ran-after]}}
  - {{id: go, gate: "Publish?"}}
  - {{id: publish, {publish}}}
"""
RED = 'run: ["false"]'
_WHO = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
TOUCH = "run: [touch, ran-publish]"


def write(project: Project, *, builders: str = RED, publish: str = TOUCH) -> None:
    """Write the workflow."""
    project.write("wf/release.workflow.yaml", FLOW.format(builders=builders, publish=publish))
    project.write("wf/checks.py", "def red():\n    assert 1 == 2, 'two builders are red'\n")
    project.write("red/test_red.py", "def test_red():\n    assert False\n")


def test_failure_that_a_person_accepts_is_waived_and_never_green_silently(project: Project) -> None:
    """The line, the summary, JUnit, the closing line, the next gate, `show` and `verify` all say that it was waived."""
    write(project)

    child = project.terminal("wf", "-s", "--junitxml=report.xml")
    code = code_at(child)
    asked = child.before or ""
    child.sendline(code)
    second = code_at(child)
    gate = child.before or ""
    child.sendline(second)
    session = finish(child)

    assert session.status == 0, session.text
    assert "expected exit status 0, found 1" in asked
    assert "Release with red builders?" in asked
    assert "Waived steps" in gate
    assert "- builders" in gate
    assert "3 passed, 1 waived" in session.text
    assert "workflow release: passed, 4 of 4 steps, 1 waived: builders" in session.text
    report = (project.root / "report.xml").read_text()
    assert '<property name="workflow_exec.outcome" value="waived" />' in report
    assert "<failure" not in report
    assert project.outcomes() == {"builders": "waived", "after": "passed", "go": "passed", "publish": "passed"}
    kinds = [record["type"] for record in project.records() if record["step"] == "builders"]
    assert kinds == [
        "step.started",
        "command.started",
        "command.finished",
        "gate.requested",
        "gate.decided",
        "gate.used",
        "step.finished",
    ]
    verified = project.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 0, verified.text
    assert "waived    builders" in verified.text
    assert "waived by" in project.run("workflow-exec", "show", "latest").text


def test_failure_that_nobody_accepts_stays_one(project: Project) -> None:
    """Rejected, the step is failed with both reasons, and nothing behind it runs; the plan is not rejected by that."""
    write(project)

    child = project.terminal("wf", "-s")
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("fix them")
    session = finish(child)

    assert session.status == 1, session.text
    assert "expected exit status 0, found 1" in session.text
    [end] = [record for record in project.of_type("step.finished") if record["step"] == "builders"]
    assert end["data"]["outcome"] == "failed"
    assert "its failure was not accepted" in end["data"]["message"]
    assert "fix them" in end["data"]["message"]
    assert project.outcomes()["after"] == "blocked"
    assert not list(project.root.glob("ran-*"))
    assert not project.of_type("gate.used")

    write(project, builders="run: [echo, green]", publish='run: ["false"]')
    child = project.terminal("wf", "-s", "--workflow-resume")
    child.sendline(code_at(child))
    finish(child)
    assert project.outcomes() == {"builders": "passed", "after": "passed", "go": "passed", "publish": "failed"}


def test_waiver_needs_a_terminal_before_anything_runs(project: Project) -> None:
    """Where nobody could be asked, the workflow does not start, as for a gate; also on workers."""
    project.write("wf/w.workflow.yaml", 'steps: [{id: a, run: [touch, ran-a], waive: "Go on?"}]\n')

    plain, spread = project.pytest("wf"), project.pytest("wf", "-n2")

    assert (plain.status, spread.status) == (4, 4)
    assert "step 'a' may be waived, which needs a person at a terminal" in plain.text
    assert "step 'a' may be waived, which needs a person at a terminal" in spread.text
    assert project.untouched


def test_step_that_passes_asks_nothing(project: Project) -> None:
    """Only a failure is a question."""
    project.write("wf/w.workflow.yaml", 'steps: [{id: a, run: [echo, hello], waive: "Go on?"}]\n')

    session = finish(project.terminal("wf", "-s"))

    assert session.status == 0, session.text
    assert project.outcomes() == {"a": "passed"}
    assert not project.of_type("gate.requested")


@pytest.mark.parametrize(
    ("builders", "why"),
    [
        ('call: "checks:red"', "two builders are red"),
        ("verify: ../red/test_red.py", "1 failed"),
        ('run: ["false"], retry: {attempts: 2, for: [business], wait: 1s}', "found 1"),
        ('run: ["false"], poll: {every: 1s, timeout: 1s}', "found 1"),
    ],
)
def test_every_kind_of_check_can_be_waived(project: Project, builders: str, why: str) -> None:
    """Functions, tests, and what is tried again: asked once, after the last attempt, with what went wrong."""
    write(project, builders=builders)

    child = project.terminal("wf", "-s")
    code = code_at(child)
    child.sendline(code)
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 0, session.text
    assert project.outcomes()["builders"] == "waived"
    asked = project.of_type("gate.requested")
    assert [record["step"] for record in asked] == ["builders", "go"]
    assert why in json.dumps(asked[0]["data"]["request"]["failure"])
    verified = project.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 0, verified.text


def test_what_the_policy_refuses_can_not_be_waived(project: Project) -> None:
    """A command that was not allowed is no finding that a person could accept."""
    project.write(
        "wf/w.workflow.yaml",
        "steps:\n  - {id: word, run: [echo, RM]}\n"
        '  - {id: a, run: [echo, "${steps.word.stdout}", x], when: "steps.word.exit == 0", waive: "Go on?"}\n',
    )
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["echo RM", "echo {:[a-z]+} x"]\n')

    session = finish(project.terminal("wf", "-s"))

    assert session.status == 1, session.text
    assert project.outcomes()["a"] == "failed"
    assert project.of_type("command.refused")
    assert not project.of_type("gate.requested")


def _git(project: Project, *arguments: str) -> None:
    subprocess.run(["git", *_WHO, *arguments], cwd=project.root, check=True)


def _committed(project: Project) -> None:
    _git(project, "init", "-q")
    _git(project, "add", "-A")
    _git(project, "commit", "-qm", "x")


def _waive_and_fail(project: Project) -> None:
    """Let the run end behind the waiver."""
    child = project.terminal("wf", "-s")
    child.sendline(code_at(child))
    child.sendline(code_at(child))
    assert finish(child).status == 1


def test_waived_step_is_carried_and_shown_at_later_gates(project: Project) -> None:
    """Going on, it is not run or asked again; each gate says that it was waived, and so does the closing line."""
    write(project, publish="run: [cat, made-by-hand]")
    project.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["false", "touch *", "cat *"]\n')
    project.write(".gitignore", "ran-*\nmade-by-hand\n")
    _committed(project)
    _waive_and_fail(project)

    project.write("made-by-hand", "")
    child = project.terminal("wf", "-s", "--workflow-resume", "--junitxml=report.xml")
    code = code_at(child)
    gate = child.before or ""
    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text
    assert "Waived steps" in gate
    assert "- builders" in gate
    assert "1 waived: builders" in session.text
    report = (project.root / "report.xml").read_text()
    assert '<property name="workflow_exec.waived" value="in an earlier session of this run" />' in report
    ends = [record["data"] for record in project.of_type("step.finished") if record["step"] == "builders"]
    assert [(end["outcome"], end["message"].partition(":")[0]) for end in ends][1] == (
        "carried",
        "waived in an earlier session of this run",
    )
    verified = project.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 0, verified.text
    assert "waived    builders" in verified.text


@pytest.mark.parametrize("change", ["tree", "commit", "policy", "no repository"])
def test_waiver_holds_for_what_it_was_given_for(project: Project, change: str) -> None:
    """A person accepted one failure: of another tree, commit or policy, or of nobody knows what, they are asked again."""
    write(project, publish="run: [cat, made-by-hand]")
    policy = '[policy]\nsandbox = "none"\ncommands = ["false", "touch *", "cat *"{}]\n'
    project.write("workflow-exec.toml", policy.format(""))
    project.write(".gitignore", "ran-*\nmade-by-hand\n")
    if change != "no repository":
        _committed(project)
    _waive_and_fail(project)

    project.write("made-by-hand", "")
    if change == "policy":
        project.write("workflow-exec.toml", policy.format(', "pwd"'))
        _git(project, "commit", "-qam", "y")
    elif change != "no repository":
        project.write("source.txt", "much worse")
        _git(project, "add", "-A")
    if change == "commit":
        _git(project, "commit", "-qm", "y")
    child = project.terminal("wf", "-s", "--workflow-resume")
    # First whether it may run again, then what is to be said of its failure.
    code = code_at(child)
    asked = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", child.before or "").split())
    child.sendline(code)
    code_at(child)
    child.sendline("reject")
    child.expect_exact("Reason: ")
    child.sendline("worse")
    session = finish(child)

    assert session.status == 1
    ends = [record["data"]["outcome"] for record in project.of_type("step.finished") if record["step"] == "builders"]
    assert ends == ["waived", "failed"]
    assert not (project.root / "ran-publish").exists()
    assert "its failure was accepted" in asked


def test_python_step_can_be_waived(project: Project) -> None:
    """`@step(waive=...)` asks the same; what reported itself as failed, as a subtest does, can't be taken back."""
    project.write(
        "wf/workflow_w.py",
        "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='w')\n\n"
        "@step(waive='Go on?')\ndef check(workflow):\n    assert 1 == 2\n\n"
        "@step(waive='Go on?')\ndef parts(workflow, subtests):\n    with subtests.test('a'):\n        assert 1 == 2\n",
    )

    child = project.terminal("wf", "-s")
    child.sendline(code_at(child))
    session = finish(child)

    assert session.status == 1, session.text
    assert project.outcomes() == {"check": "waived", "parts": "failed"}
    assert [record["step"] for record in project.of_type("gate.requested")] == ["check"]
