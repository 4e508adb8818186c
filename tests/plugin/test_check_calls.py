"""Checks that are functions: asked in place of a step whose effect is unknown, and behind work by hand."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from .conftest import Project
from .test_resume import sessions

POLICY = '[policy]\nsandbox = "none"\ncommands = ["sleep *", "touch *", "test -e *"]\n'
FLOW = """
workflow: flow
inputs: {name: {default: made}}
steps:
  - {id: one, run: [touch, one]}
  - id: make
    run: [sleep, '60']
    check: {call: "looks:is_there", with: {name: "${inputs.name}"}}
  - {id: end, run: [touch, ran-end]}
"""
LOOKS = """
import pytest

def is_there(workflow, sandbox, name):
    assert sandbox.run(["test", "-e", name], check=False).exit == 0, "it is not there"

def no(name):
    return False

def fails(name):
    pytest.fail("it is not there")

def dies(name):
    return 1 // 0

def counts(name):
    return 1

def skips(name):
    pytest.skip("no access")

def of_a_host(host):
    return (__import__("pathlib").Path.cwd() / f"made-{host}").exists()
"""


@pytest.fixture
def flow(project: Project) -> Project:
    """A project whose workflow was killed in a step with a function that checks."""
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/looks.py", LOOKS)
    return project


def printed(project: Project) -> Any:
    """Return the plan that pytest prints for machines."""
    text = project.pytest("wf", "-q", "--workflow-plan-json").text
    return json.loads(text[text.index("{") : text.rindex("}") + 1])


def struck(project: Project, check: str = "is_there") -> None:
    """Kill a run in its step `make`."""
    project.write("wf/flow.workflow.yaml", FLOW.replace("is_there", check))
    child = project.start("wf")
    project.wait_for("command.started", 2)
    child.kill()
    child.wait()


def test_effect_that_its_function_finds(flow: Project) -> None:
    """The step passes without its body; the function's commands are marked in the log, and the verifier agrees."""
    struck(flow)
    (flow.root / "made").touch()

    session = flow.pytest("wf", "--workflow-resume")

    assert session.status == 0, session.text
    assert sessions(flow)[-1] == {"one": "carried", "make": "passed", "end": "passed"}
    commands = [(record["data"]["argv"][0], record["data"].get("check")) for record in flow.of_type("command.started")]
    assert commands == [("touch", None), ("sleep", None), ("test", True), ("touch", None)]
    made = [record for record in flow.of_type("step.finished") if record["step"] == "make"]
    assert made[-1]["data"]["checked"] is True
    verified = flow.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 0, verified.text


@pytest.mark.parametrize("check", ["is_there", "no", "fails"])
def test_effect_that_its_function_does_not_find(flow: Project, check: str) -> None:
    """A failed assertion and False say that nothing was done: the step runs, and nobody is asked."""
    struck(flow, check)
    flow.write("wf/flow.workflow.yaml", FLOW.replace("is_there", check))

    child = flow.start("wf", "--workflow-resume")
    flow.wait_for("command.started", 4 if check == "is_there" else 3)
    child.kill()
    child.wait()

    *_, last = flow.of_type("command.started")
    assert (last["step"], last["attempt"], last["data"]["argv"]) == ("make", 2, ["sleep", "60"])
    assert "check" not in last["data"]


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ("dies", "raised ZeroDivisionError"),
        ("counts", "returned a value of type int"),
        ("skips", "left itself out: no access"),
    ],
)
def test_function_that_cannot_tell(flow: Project, check: str, why: str) -> None:
    """Whatever else it does leaves the effect unknown: nothing runs, and the run is red."""
    struck(flow, check)

    session = flow.pytest("wf", "--workflow-resume")

    assert session.status == 1, session.text
    assert why in " ".join(session.text.split())
    assert sessions(flow)[-1] == {"one": "carried", "make": "interrupted", "end": "blocked"}
    assert len(flow.of_type("command.started")) == 2
    verified = flow.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 4, verified.text


@pytest.mark.parametrize(("found", "status"), [(True, 0), (False, 1)])
def test_function_behind_work_by_hand(flow: Project, found: bool, status: int) -> None:
    """`done` counts only if the function finds what was done; the end of the step says so, and the verifier wants it."""
    flow.write(
        "wf/flow.workflow.yaml",
        'workflow: flow\nsteps:\n  - {id: hand, manual: Make it, check: {call: {function: "looks:is_there", with: '
        "{name: made}}}}\n  - {id: end, run: [touch, ran-end]}\n",
    )
    if found:
        (flow.root / "made").touch()
    child = flow.terminal("wf", "-s")
    child.expect("Type done, failed or note: ")
    child.sendline("done")
    child.expect("evidence head")
    child.wait()

    assert child.exitstatus == status
    assert (flow.root / "ran-end").exists() is found
    hand = next(record for record in flow.of_type("step.finished") if record["step"] == "hand")
    assert hand["data"].get("checked") is (True if found else None)
    verified = flow.run("workflow-exec", "verify", "latest")
    assert verified.status == (3 if found else 4), verified.text


def test_function_in_a_python_workflow(flow: Project) -> None:
    """`@step(check={"call": ..., "with": ...})` asks for the case that was broken off, with its own value."""
    flow.write(
        "wf/workflow_py.py",
        "import pathlib\nimport time\n\nfrom pytest_workflow_exec import Workflow, each, step\n\n"
        "WORKFLOW = Workflow(name='py')\n\n"
        "@each(host=['a', 'b'])\n@step(check={'call': 'looks:of_a_host', 'with': {'host': '${each.host}'}})\n"
        "def make(workflow, host):\n    (workflow.root / f'made-{host}').touch()\n"
        "    time.sleep(60 if host == 'b' else 0)\n",
    )
    child = flow.start("wf/workflow_py.py")
    flow.wait_for("step.started", 2)
    deadline = time.monotonic() + 20
    while not (flow.root / "made-b").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.kill()
    child.wait()

    plan = flow.pytest("wf/workflow_py.py", "--workflow-plan")
    session = flow.pytest("wf/workflow_py.py", "--workflow-resume")

    assert "check by looks.py:of_a_host" in plan.text
    assert session.status == 0, session.text
    assert sessions(flow)[-1] == {"make[a]": "carried", "make[b]": "passed"}


def test_function_that_checks_is_in_the_plan(flow: Project) -> None:
    """The plan names it, for people and machines; its source is part of the plan, so another one runs the step again."""
    flow.write("wf/flow.workflow.yaml", FLOW.replace("sleep, '60'", "touch, made"))

    before = printed(flow)["plans"][0]
    flow.write("wf/looks.py", LOOKS + "\nLIMIT = 3\n")
    after = printed(flow)["plans"][0]

    assert before["steps"][1]["check"] == {"kind": "call", "function": "wf/looks.py:is_there"}
    changed = [old["id"] for old, new in zip(before["steps"], after["steps"], strict=True) if old != new]
    assert changed == ["make"]
    assert "wf/looks.py" in before["sources"]
    assert flow.untouched
