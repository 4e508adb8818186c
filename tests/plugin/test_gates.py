"""Gates in a real session on a real terminal: a person decides, or nothing goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from pytest_workflow_exec.verify import verify_log

from .conftest import PATIENCE_S, Project, code_at, finish

GATED = """
workflow: flow
steps:
  - id: make
    run: [touch, ran-make]
    outputs: {file: {glob: ran-make}}
  - id: approve
    gate: {question: "Go on?", show: [make]}
  - {id: publish, run: [touch, ran-publish]}
"""
_FAULTHANDLER_EXITS = 9
"""The pytest that learnt to end a session whose test takes too long."""
SHORT = GATED.replace("show: [make]", "show: [make], timeout: 2s")


@pytest.fixture(autouse=True)
def workflow(project: Project) -> None:
    """A workflow with a gate before its effect."""
    project.write("wf/flow.workflow.yaml", GATED)


def published(project: Project) -> bool:
    """Return whether the step behind the gate ran."""
    return (project.root / "ran-publish").exists()


@pytest.mark.parametrize("capture", ["-s", "--capture=tee-sys"])
def test_typed_code_opens_the_gate(project: Project, capture: str) -> None:
    """The code typed back, in any case, approves; decision and use are in the log before the step behind."""
    child = project.terminal("wf", capture)
    code = code_at(child)
    assert not published(project)

    child.sendline(code.lower())
    session = finish(child)

    assert session.status == 0, session.text
    assert published(project)
    [decided] = project.of_type("gate.decided")
    assert (decided["data"]["decision"], decided["data"]["assurance"]) == ("approved", 1)
    assert decided["actor"]["kind"] == "human"
    [log] = project.logs()
    assert verify_log(log, expect_head=session.heads[0]).exit_code == 0
    assert verify_log(log).exit_code == 3


def test_reject_stops_the_run_with_its_reason(project: Project) -> None:
    """A rejection exits 1, nothing behind the gate runs, and the reason is evidence."""
    child = project.terminal("wf", "-s")
    code_at(child)

    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("not on a Friday")
    session = finish(child)

    assert session.status == 1
    assert "DENIED wf/flow.workflow.yaml::approve" in session.text
    assert "BLOCKED wf/flow.workflow.yaml::publish - waits for approve (denied)" in session.text
    assert not published(project)
    [decided] = project.of_type("gate.decided")
    assert (decided["data"]["decision"], decided["data"]["reason"]) == ("rejected", "not on a Friday")
    assert project.outcomes() == {"make": "passed", "approve": "denied", "publish": "blocked"}
    assert project.of_type("run.finished")[0]["data"]["result"] == "denied"


def test_five_wrong_answers_deny(project: Project) -> None:
    """The fifth wrong answer denies, and yes is as wrong as nothing."""
    child = project.terminal("wf", "-s")

    for answer in ("yes", "", "approve", "y", "AAAA-AAAA"):
        code_at(child)
        child.sendline(answer)
    session = finish(child)

    assert session.status == 1
    assert not published(project)
    assert project.of_type("gate.decided")[0]["data"]["decision"] == "denied"


def test_end_of_input_denies(project: Project) -> None:
    """Ctrl-D at the prompt denies."""
    child = project.terminal("wf", "-s")
    code_at(child)

    child.sendeof()
    session = finish(child)

    assert session.status == 1
    assert not published(project)
    assert project.of_type("gate.decided")[0]["data"]["decision"] == "denied"


def test_no_answer_in_time_denies(project: Project) -> None:
    """A gate that nobody answers ends by its own timeout; it neither passes nor hangs."""
    project.write("wf/flow.workflow.yaml", SHORT)
    child = project.terminal("wf", "-s")
    code_at(child)

    session = finish(child)

    assert session.status == 1
    assert not published(project)
    assert project.of_type("gate.decided")[0]["data"]["decision"] == "expired"


def test_typed_ahead_answers_count_for_nothing(project: Project) -> None:
    """What was typed before the question was asked is no answer to it."""
    child = project.terminal("wf", "-s")
    child.send("yes\n" * 10)
    code = code_at(child)

    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text


@pytest.mark.parametrize("method", ["signal", "thread"])
def test_test_timeouts_pause_at_a_gate(project: Project, method: str) -> None:
    """A test timeout shorter than the person's answer neither fails the gate nor ends the session."""
    fault = ["-o", "faulthandler_timeout=1"]
    if int(pytest.__version__.split(".")[0]) >= _FAULTHANDLER_EXITS:
        fault += ["-o", "faulthandler_exit_on_timeout=true"]
    child = project.terminal("wf", "-s", "--timeout=1", f"--timeout-method={method}", *fault)
    code = code_at(child)

    # Longer than the timeout: if it counted, the session would be over by now.
    with pytest.raises(pexpect.TIMEOUT):
        child.expect(pexpect.EOF, timeout=2)
    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text


@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGINT, 2), (signal.SIGTERM, 2), (signal.SIGHUP, 2)], ids=["INT", "TERM", "HUP"]
)
def test_signal_at_a_gate_is_an_interruption(project: Project, number: int, status: int) -> None:
    """Ctrl-C, SIGTERM and SIGHUP at a gate end the session, interrupted in the log, with nothing behind it run."""
    child = project.terminal("wf", "-s")
    code_at(child)

    assert child.pid is not None
    os.kill(child.pid, number)
    session = finish(child)

    assert session.status == status, session.text
    assert not published(project)
    assert project.outcomes() == {"make": "passed", "approve": "interrupted", "publish": "blocked"}
    assert project.of_type("gate.decided") == []


def test_kill_at_a_gate_leaves_a_question_without_answer(project: Project) -> None:
    """A session killed at a gate leaves a readable log that claims no decision and no tampering."""
    child = project.terminal("wf", "-s")
    code_at(child)

    child.kill(signal.SIGKILL)
    child.wait()

    assert not published(project)
    assert project.records()[-1]["type"] == "gate.requested"
    [log] = project.logs()
    assert verify_log(log).exit_code == 3


def _reject(child: pexpect.spawn[str]) -> None:
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("")


def _wrong(child: pexpect.spawn[str]) -> None:
    child.send("yes\n")
    for _ in range(4):
        code_at(child)
        child.send("\n")


ENDINGS: dict[str, tuple[Callable[[pexpect.spawn[str]], object], bool]] = {
    "reject": (_reject, True),
    "wrong": (_wrong, True),
    "eof": (lambda child: child.sendeof(), True),
    "timeout": (lambda child: None, True),
    "ctrl-c": (lambda child: child.sendintr(), False),
    "term": (lambda child: child.kill(signal.SIGTERM), False),
    "hangup": (lambda child: child.kill(signal.SIGHUP), False),
    "kill": (lambda child: child.kill(signal.SIGKILL), False),
}
"""How a gate may end without an approval, and whether that is a decision."""


@pytest.mark.parametrize(("end", "decided"), list(ENDINGS.values()), ids=list(ENDINGS))
def test_no_resume_takes_an_ending_for_an_approval(
    project: Project, end: Callable[[pexpect.spawn[str]], object], decided: bool
) -> None:
    """Whatever ended a gate, a resume is refused if it was a decision, and else asks again; nothing behind it runs."""
    project.write("wf/flow.workflow.yaml", SHORT if end is ENDINGS["timeout"][0] else GATED)
    child = project.terminal("wf", "-s")
    code_at(child)
    end(child)
    first = finish(child)
    assert first.status not in {0, 5}, first.text
    assert len(project.of_type("gate.decided")) == int(decided)

    again = project.terminal("wf", "-s", "--workflow-resume")
    if decided:
        session = finish(again)
        assert session.status == 4, session.text
        assert "--workflow-redo" in session.text
    else:
        code_at(again)
        again.kill(signal.SIGKILL)
        again.wait()

    assert not published(project)
    assert not [each for each in project.of_type("gate.decided") if each["data"]["decision"] == "approved"]
    assert project.of_type("gate.used") == []


@pytest.mark.parametrize(
    ("arguments", "stdin", "hint"),
    [
        (["wf"], "", "add -s"),
        (["wf", "--capture=sys"], "", "add -s"),
        (["wf", "-s"], "", "run it in a terminal"),
        (["wf", "-s"], "yes\n" * 20, "run it in a terminal"),
    ],
)
def test_no_usable_terminal_is_refused_before_the_first_step(
    project: Project, arguments: list[str], stdin: str, hint: str
) -> None:
    """Without a terminal a workflow with a gate exits 4, says what to do, and nothing ran or was written."""
    session = project.pytest(*arguments, stdin=stdin)

    assert session.status == 4
    assert "gate 'approve' needs a person at a terminal" in session.text
    assert hint in session.text
    assert "wf/flow.workflow.yaml:7:" in session.text
    assert project.untouched


@pytest.mark.parametrize("redirect", ["< /dev/null", "<&-", "> out.txt", "| cat", "< <(yes)", "-n 2"])
def test_redirections_are_refused_before_the_first_step(project: Project, redirect: str) -> None:
    """A terminal of which the gate would have only one half is none."""
    command = f"{sys.executable} -m pytest wf -s {redirect}; exit ${{PIPESTATUS[0]}}"
    child = pexpect.spawn("/bin/bash", ["-c", command], cwd=str(project.root), encoding="utf-8", timeout=PATIENCE_S)

    session = finish(child)

    assert session.status == 4, session.text
    assert project.untouched


PATCHES = {
    "input": "import builtins\nbuiltins.input = lambda prompt='': 'yes'\n",
    "wrapped": "import builtins, functools\ngenuine = builtins.input\n"
    "builtins.input = functools.wraps(genuine)(lambda prompt='': prompt.split()[1])\n",
    "stdin": "import io, sys\nsys.stdin = io.StringIO('yes\\n' * 9)\n",
}


@pytest.mark.parametrize("patch", list(PATCHES.values()), ids=list(PATCHES))
@pytest.mark.parametrize("when", ["early", "late"])
def test_patched_input_opens_nothing(project: Project, patch: str, when: str) -> None:
    """A conftest file that answers for the person, before or during the run, is refused or denied."""
    if when == "late":
        patch = "def pytest_runtest_call(item):\n" + "".join(f"    {line}\n" for line in patch.splitlines())
    project.write("conftest.py", patch)

    session = finish(project.terminal("wf", "-s"))

    assert session.status == (4 if when == "early" else 1), session.text
    assert not published(project)
    if when == "late":
        assert project.of_type("gate.decided")[0]["data"]["decision"] == "denied"
    else:
        assert project.untouched


def test_background_session_is_refused(project: Project) -> None:
    """A session in the background of a shell's terminal can't ask anybody."""
    shell = pexpect.spawn("/bin/bash", ["--norc"], cwd=str(project.root), encoding="utf-8", timeout=PATIENCE_S)
    shell.sendline(f"set -m; {sys.executable} -m pytest wf -s > log.txt 2>&1 < /dev/tty & wait %1; echo status=$?")

    shell.expect(r"status=(\d+)\r")

    assert shell.match is not None
    assert shell.match.group(1) == "4"  # type: ignore[union-attr]  # a pattern matched, no EOF
    assert project.untouched
    shell.close(force=True)


def test_nothing_else_answers_a_gate(project: Project) -> None:
    """No variable and no file stands for a person: the gate still asks."""
    names = ("CI", "APPROVE", "YES", "PYTEST_WORKFLOW_APPROVE")
    project.environment |= dict.fromkeys(names, "1")
    child = project.terminal("wf", "-s")

    code_at(child)

    assert not published(project)
    child.kill(signal.SIGKILL)
    child.wait()


@pytest.mark.parametrize("name", ["WORKFLOW_EXEC_APPROVE", "WORKFLOW_EXEC_YES", "WORKFLOW_EXEC_APPROVERS"])
def test_a_variable_that_would_answer_is_refused(project: Project, name: str) -> None:
    """Whoever thinks that one decides something is told so before anything runs, on a terminal, too."""
    project.environment[name] = "1"

    session = finish(project.terminal("wf", "-s"))

    assert session.status == 4, session.text
    assert name in session.text
    assert project.untouched


def test_python_gate_shows_the_functions_words(project: Project) -> None:
    """What a @gate function returns is shown as the author's words, and its question is its docstring."""
    Path(project.root / "wf" / "flow.workflow.yaml").unlink()
    project.write(
        "wf/workflow_flow.py",
        "from pytest_workflow_exec import Workflow, gate, step\n"
        "WORKFLOW = Workflow(name='flow')\n"
        "@gate\ndef approve(workflow) -> str:\n    '''Really go on?'''\n    return 'All quiet.'\n"
        "@step\ndef publish(workflow) -> None:\n    (workflow.root / 'ran-publish').touch()\n",
    )
    child = project.terminal("wf", "-s", "-W", "error")
    code = code_at(child)
    shown = child.before or ""
    assert "Really go on?" in shown.split("not checked")[1]
    assert "All quiet." in shown.split("not checked")[1]

    child.sendline(code)
    session = finish(child)

    assert session.status == 0, session.text
    assert published(project)


def test_gate_without_terminal_in_a_detached_session(project: Project) -> None:
    """A session of its own has no terminal, even where standard input looks like one."""
    done = subprocess.run(
        ["setsid", "--wait", sys.executable, "-m", "pytest", "wf", "-s"],
        cwd=project.root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert done.returncode == 4
    assert project.untouched
