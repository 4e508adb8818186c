"""Steps that are tried again, in real sessions: the body alone, each attempt on record, and a wait that can be ended."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path
from typing import Any

from pytest_workflow_exec.verify import verify_log

from .conftest import Project, code_at, finish

FUNCTIONS = """
from pathlib import Path

def flaky(workflow, sandbox, made_once, until):
    seen = workflow.root / f"ran-{until}"
    tries = int(seen.read_text()) + 1 if seen.exists() else 1
    seen.write_text(str(tries))
    sandbox.run(["echo", f"try {tries}"])
    if tries < until:
        raise ConnectionResetError(f"try {tries}")
    return {"tries": tries, "fixture": made_once["count"]}

def refused(workflow):
    raise PermissionError("not yours")
"""
CONFTEST = """
import pytest

@pytest.fixture
def made_once(workflow):
    with (workflow.root / "ran-fixture").open("a") as file:
        file.write("made\\n")
    yield {"count": len((workflow.root / "ran-fixture").read_text().splitlines())}
    with (workflow.root / "ran-fixture").open("a") as file:
        file.write("torn down\\n")
"""
FLOW = """
workflow: flow
defaults: {retry: {attempts: 3, wait: 0.05s}}
steps:
  - {id: flaky, call: {function: "m:flaky", with: {until: 3}}}
  - {id: never, run: ["false"], retry: {attempts: 2, for: [business], wait: 0.05s}}
finally:
  - {id: tidy, call: "m:refused"}
"""
SLOW = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: approve, gate: Go on?}
  - {id: slow, run: ["false"], retry: {attempts: 3, for: [business], wait: 10m, max_wait: 1h}}
"""
PYTHON = """
import time

import pytest
from pytest_workflow_exec import Workflow, step

WORKFLOW = Workflow(name="py")
TRIES = {"late": 0, "fixed": 0, "awaited": 0}


@pytest.fixture
def numbers():
    return []


@step(retry={"attempts": 3, "wait": "0.05s"}, timeout="1s")
def late(numbers) -> dict:
    TRIES["late"] += 1
    numbers.append(TRIES["late"])
    if TRIES["late"] < 3:
        time.sleep(60)
    return {"numbers": numbers}


@step(retry={"attempts": 2, "wait": "0.05s"})
async def awaited() -> int:
    TRIES["awaited"] += 1
    if TRIES["awaited"] < 2:
        raise TimeoutError("once")
    return TRIES["awaited"]


@step(retry=5)
def skips():
    pytest.skip("not today")
"""


def _attempts(project: Project, step: str) -> list[tuple[str, int, Any, Any]]:
    return [
        (record["type"], record["attempt"], record["data"].get("outcome"), record["data"].get("class"))
        for record in project.records()
        if record["step"] == step and record["type"] in ("step.started", "step.finished", "retry.waiting")
    ]


def test_a_step_is_tried_again_after_the_errors_that_it_names(project: Project) -> None:
    """The body runs again with the same fixtures, each attempt on record; another class, or the last attempt, ends it."""
    project.write("wf/m.py", FUNCTIONS)
    project.write("wf/conftest.py", CONFTEST)
    project.write("wf/flow.workflow.yaml", FLOW)

    done = project.pytest("wf", "--junitxml=junit.xml")

    assert done.status == 1
    assert project.outcomes() == {"flaky": "passed", "never": "failed", "tidy": "failed"}
    again = [("step.finished", "failed", "transient"), ("retry.waiting", None, "transient")]
    assert _attempts(project, "flaky") == [
        ("step.started", 1, None, None),
        *((kind, 1, outcome, error_class) for kind, outcome, error_class in again),
        ("step.started", 2, None, None),
        *((kind, 2, outcome, error_class) for kind, outcome, error_class in again),
        ("step.started", 3, None, None),
        ("step.finished", 3, "passed", None),
    ]
    assert [(kind, attempt) for kind, attempt, *_ in _attempts(project, "never")] == [
        ("step.started", 1), ("step.finished", 1), ("retry.waiting", 1), ("step.started", 2), ("step.finished", 2),
    ]  # fmt: skip
    assert _attempts(project, "tidy")[1:] == [("step.finished", 1, "failed", "permission")]
    ends = [record["data"]["outputs"] for record in project.of_type("step.finished") if record["step"] == "flaky"]
    assert ends == [{}, {}, {"tries": 3, "fixture": 1}]
    assert (project.root / "ran-fixture").read_text() == "made\ntorn down\n"
    commands = [record["attempt"] for record in project.of_type("command.started") if record["step"] == "flaky"]
    assert commands == [1, 2, 3]
    assert (
        "wf/flow.workflow.yaml::flaky: attempt 1 of 3 failed (transient): ConnectionResetError: try 1; the next"
        in done.text
    )
    assert "attempt 2 of 3 failed (transient): ConnectionResetError: try 2; the next one in 0." in done.text
    assert done.text.count("FAILED 0.") == 2
    assert "1 passed" in done.text
    assert "step never, attempt 2" in done.text
    assert "tried     attempt 1 of 2 failed (business): ['false']: expected exit status 0, found 1; waited" in done.text
    assert (project.root / "junit.xml").read_text().count("<testcase") == 3
    shown = project.run("workflow-exec", "show", "latest").text
    assert re.search(r"(?m)^ +attempt 2 +failed \(transient\) +0\.\ds +\d\d:", shown)
    assert "failed (permission)" in shown
    verdict = verify_log(project.logs()[0], expect_head=done.heads[0])
    assert (verdict.exit_code, dict(verdict.steps)) == (4, {"passed": 1, "failed": 2})


def test_functions_are_tried_again_each_with_its_own_timeout(project: Project) -> None:
    """A timeout is one attempt's and a transient error; async steps are tried again as well, a skip is not."""
    project.write("wf/workflow_py.py", PYTHON)

    done = project.pytest("wf", "-o", "timeout=2")

    assert done.status == 1
    assert project.outcomes() == {"late": "passed", "awaited": "passed", "skips": "failed"}
    outputs = {record["step"]: record["data"]["outputs"] for record in project.of_type("step.finished")}
    assert outputs["late"] == {"numbers": [1, 2, 3]}
    assert [record["step"] for record in project.of_type("retry.waiting")] == ["late", "late", "awaited"]
    assert "a step may not be skipped" in done.text


FLAKY = """
steps:
  - {id: one, run: [echo, a]}
  - {id: flaky, call: "m:flaky", retry: {attempts: 2, wait: 0.2s}}
  - {id: two, run: [echo, b]}
"""


def test_letters_behind_a_wait_end_their_line(project: Project) -> None:
    """With -q, pytest counts what stands on the line: the percentage behind the last letter is not broken in two."""
    tried = "def flaky(workflow):\n    tried = workflow.root / 'ran'\n    if not tried.exists():\n"
    project.write("wf/m.py", f"{tried}        tried.touch()\n        raise ConnectionResetError('hung up')\n")
    project.write("wf/flow.workflow.yaml", FLAKY)

    session = finish(project.terminal("wf", "-q", columns=80))

    assert session.status == 0, session.text
    plain = re.sub(r"\x1b\[[0-9;]*m", "", session.text)
    assert "  attempt 2 of 2" in plain
    [line] = re.findall(r"(?m)^\.\. +\[100%\]", plain)
    assert len(line) < 80


def test_a_wait_is_shown_and_ends_at_once(project: Project) -> None:
    """Seconds count down, Ctrl-C ends the wait, the step is failed with its effect known; one decision covers attempts."""
    project.write("wf/flow.workflow.yaml", SLOW)
    child = project.terminal("wf", "-s")
    code = code_at(child)
    assert "up to 3 times if it fails (business)" in str(child.before)
    child.sendline(code)
    child.expect(r"attempt 2 of 3 in [0-9]+ s")
    project.wait_for("retry.waiting")

    child.sendintr()
    session = finish(child)

    assert session.status == 2, session.text
    assert project.outcomes() == {"one": "passed", "approve": "passed", "slow": "failed"}
    end = project.of_type("run.finished")[-1]["data"]
    assert (end["result"], end["not_satisfied"]) == ("interrupted", ["slow"])
    assert len(project.of_type("gate.used")) == 1
    verdict = verify_log(project.logs()[0], expect_head=session.heads[0])
    assert (verdict.exit_code, verdict.word) == (4, "not passed")
    child = project.terminal("wf", "-s", "--workflow-resume")
    code_at(child)
    child.sendline("reject")
    child.expect("Reason: ")
    child.sendline("no")
    resumed = finish(child)
    assert resumed.status == 1
    assert "effect" not in resumed.text
    assert verify_log(project.logs()[0], expect_head=resumed.heads[0]).exit_code == 4


def test_a_killed_wait_leaves_a_failed_step(project: Project) -> None:
    """SIGTERM ends the wait like Ctrl-C; after SIGKILL the step is failed, not unknown, and nobody is asked to go on."""
    project.write("wf/flow.workflow.yaml", SLOW.replace("  - {id: approve, gate: Go on?}\n", ""))
    for number, how in enumerate((signal.SIGTERM, signal.SIGKILL), start=1):
        started = project.start("wf", *(["--workflow-resume"] if number > 1 else []))
        project.wait_for("retry.waiting", count=number)
        os.kill(started.pid, how)
        assert started.wait() == (2 if how == signal.SIGTERM else -signal.SIGKILL)
    assert project.outcomes()["slow"] == "failed"
    text = SLOW.replace("  - {id: approve, gate: Go on?}\n", "").replace('["false"]', "[touch, ran-slow]")
    project.write("wf/flow.workflow.yaml", text)

    done = project.pytest("wf", "--workflow-resume")

    assert done.status == 0, done.text
    assert (project.root / "ran-slow").exists()
    [log] = project.logs()
    verdict = verify_log(log, expect_head=done.heads[0])
    assert (verdict.exit_code, [json.loads(line)["attempt"] for line in _lines(log)]) == (0, [1, 2, 3])


def _lines(log: Path) -> list[bytes]:
    return [line for line in log.read_bytes().splitlines() if b'"step.started","step":"slow"' in line]


POLLED = """
workflow: flow
steps:
  - id: ready
    call: "m:start"
  - id: waits
    run: [cat, ran-state]
    expect: {stdout: {contains: xxx}}
    poll: {every: 0.05s, timeout: 1h, fail_on: {stdout: {contains: broken}}}
  - id: stops
    run: [echo, broken]
    expect: {stdout: ready}
    poll: {every: 0.05s, timeout: 1h, fail_on: {stdout: {contains: broken}}}
"""
GROWS = """
import threading
import time

def start(workflow):
    path = workflow.root / "ran-state"
    path.write_text("x")

    def grow():
        for _ in range(3):
            time.sleep(0.5)
            with path.open("a") as file:
                file.write("x")

    threading.Thread(target=grow, daemon=True).start()
"""


def test_a_poll_looks_until_it_is_as_expected(project: Project) -> None:
    """A step is repeated until its `expect` holds, each look on record; what `fail_on` names ends it at once."""
    configuration = project.root / "workflow-exec.toml"
    configuration.write_text(configuration.read_text().replace('"false"', '"false", "cat *"'))
    project.write("wf/m.py", GROWS)
    project.write("wf/flow.workflow.yaml", POLLED)

    done = project.pytest("wf")

    assert done.status == 1, done.text
    assert project.outcomes() == {"ready": "passed", "waits": "passed", "stops": "failed"}
    waited = [(record["step"], record["data"]["why"]) for record in project.of_type("retry.waiting")]
    assert set(waited) == {("waits", "poll")}
    assert "stdout is 'broken" in done.text
    assert "which its fail_on names" in done.text
    assert verify_log(project.logs()[0], expect_head=done.heads[0]).exit_code == 4
