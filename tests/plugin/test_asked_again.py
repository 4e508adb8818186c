"""A gate that is asked anew in a real session: what was approved changed before the first step behind it started."""

from __future__ import annotations

import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from pytest_workflow_exec.verify import verify_log

from .conftest import Project, Session, code_at, finish
from .test_gates import ENDINGS, GATED, SHORT, published

CHANGING = """
from pathlib import Path

def pytest_workflow_exec_gate_decided(record):
    changed = Path(__file__).parent / "seed"
    if changed.read_text() == "seed":
        changed.write_text("changed while somebody looked away")
"""
"""A colleague who saves a file in the moment in which somebody approves."""


@pytest.fixture(autouse=True)
def workflow(project: Project) -> None:
    """A clean checkout with a gate before its effect."""
    project.write("wf/flow.workflow.yaml", GATED)
    project.write("conftest.py", CHANGING)
    project.write("seed", "seed")
    project.write(".gitignore", "*\n!seed\n")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "-f", "seed"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], cwd=project.root, check=True)


def asked_again(project: Project, *arguments: str) -> tuple[pexpect.spawn[str], str, str]:
    """Return a session that asks its gate anew, with what it shows before the prompt, and the new code."""
    child = project.terminal("wf", "-s", *arguments)
    first = code_at(child)
    child.sendline(first)
    code = code_at(child)
    assert code != first
    assert not published(project)
    return child, child.before or "", code


def test_the_person_is_told_what_changed_and_decides_anew(project: Project) -> None:
    """The old code is none any more; the new question says what changed, and its approval is the one that is used."""
    child, shown, code = asked_again(project)
    said = " ".join(re.sub(r"\x1b\[[0-9;]*m", "", shown).split())
    assert "is not used: what it was given for changed before publish started" in said
    assert "whether the working tree is clean: was: clean now: dirty" in said

    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text
    assert published(project)
    assert session.text.count("gate      approve: approved by") == 2
    [used] = project.of_type("gate.used")
    assert used["data"]["digest"] == project.of_type("gate.requested")[1]["data"]["digest"]
    [log] = project.logs()
    assert verify_log(log, expect_head=session.heads[0]).exit_code == 0


def test_the_first_code_opens_nothing_any_more(project: Project) -> None:
    """What was typed for the other question is a wrong answer to this one."""
    child = project.terminal("wf", "-s")
    first = code_at(child)
    child.sendline(first)
    code_at(child)

    for _ in range(4):
        child.sendline(first)
        code_at(child)
    child.sendline(first)
    session = finish(child)

    assert session.status == 1
    assert "DENIED wf/flow.workflow.yaml::publish" in session.text
    assert project.of_type("gate.used") == []
    assert not published(project)


@pytest.mark.parametrize(("end", "decided"), list(ENDINGS.values()), ids=list(ENDINGS))
def test_no_other_ending_of_it_lets_anything_run(
    project: Project, end: Callable[[pexpect.spawn[str]], object], decided: bool
) -> None:
    """However the second question ends, the first approval lets nothing run, now or in a resumed session."""
    project.write("wf/flow.workflow.yaml", SHORT if end is ENDINGS["timeout"][0] else GATED)
    child, _, _ = asked_again(project)
    end(child)
    session = finish(child)
    assert session.status not in {0, 5}, session.text
    assert len(project.of_type("gate.decided")) == 1 + decided

    again = project.terminal("wf", "-s", "--workflow-resume")
    if decided:
        second: Session = finish(again)
        assert second.status == 4, second.text
        assert "--workflow-redo approve" in second.text
    else:
        code_at(again)
        again.kill(signal.SIGKILL)
        again.wait()

    assert not published(project)
    assert project.of_type("gate.used") == []
    [log] = project.logs()
    assert verify_log(log).word in {"not passed", "bounded", "torn tail"}


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_test_timeouts_pause_at_it(project: Project, method: str) -> None:
    """The timer of the step behind the gate stands still while its gate is asked anew."""
    child, _, code = asked_again(project, "--timeout=1", f"--timeout-method={method}", "-o", "faulthandler_timeout=1")

    # Longer than the timeout: if it counted, the session would be over by now.
    with pytest.raises(pexpect.TIMEOUT):
        child.expect(pexpect.EOF, timeout=2)
    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text


def test_it_works_where_output_is_captured_and_shown(project: Project) -> None:
    """With --capture=tee-sys, too."""
    child = project.terminal("wf", "--capture=tee-sys")
    child.sendline(code_at(child))
    child.sendline(code_at(child))

    session = finish(child)

    assert session.status == 0, session.text
    assert Path(project.root / "ran-publish").exists()


def test_after_a_rejection_of_it_the_gate_is_redone_for_a_reason(project: Project) -> None:
    """The way on that is printed names the gate; with a reason it asks once more, and the run can pass."""
    child, _, _ = asked_again(project)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("who saved that file?")
    session = finish(child)
    assert "          pytest wf/flow.workflow.yaml --workflow-resume --workflow-redo approve -s\n" in session.text

    again = project.terminal("wf", "-s", "--workflow-resume", "--workflow-redo", "approve")
    again.expect("Reason: ")
    again.sendline("it was me")
    again.sendline(code_at(again))
    second = finish(again)

    assert second.status == 0, second.text
    [log] = project.logs()
    assert verify_log(log, expect_head=second.heads[0]).exit_code == 0
