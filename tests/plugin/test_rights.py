"""Rights of steps as people see them: with the plan, before a run, and in its evidence."""

from __future__ import annotations

import json
import socket
import tempfile
from pathlib import Path

import pytest

from pytest_workflow_exec.sandbox._level import offer_of

from .conftest import Project

POLICY = """
[policy]
sandbox = "{mode}"
commands = ["touch ran-*"]

[[policy.command]]
rule = "touch {{name}}"
sockets = ["{socket}"]
network = ["*:443"]
home = true

[policy.verify]
exec = ["git"]
needs = ["namespaces"]
"""
FLOW = """
workflow: flow
inputs: {name: {type: string, pattern: '[a-z]+'}}
steps:
  - {id: plain, run: [touch, ran-plain]}
  - {id: asks, run: [touch, "${inputs.name}"]}
  - {id: later, run: [touch, "${steps.plain.stdout}"]}
  - {id: smoke, verify: tests}
  - {id: off, run: [rm, "-rf", "/"]}
"""
landlock = pytest.mark.skipif(offer_of("landlock").level == "none", reason="no Landlock here")


@pytest.fixture(autouse=True)
def flow(project: Project) -> None:
    """A workflow with a rule of each kind."""
    project.write("wf/flow.workflow.yaml", FLOW)
    project.write("wf/tests/test_it.py", "def test_it(): pass\n")
    project.write("workflow-exec.toml", POLICY.format(mode="required:namespaces", socket="/run/x.sock"))


def test_plan_says_what_each_step_may(project: Project) -> None:
    """Beside what a step does stand the rights of the rule that it would run by; nothing is run for it."""
    session = project.pytest("wf", "--workflow-plan", "--workflow-input=name=made")

    text = session.text
    assert session.status == 0, text
    plain, asks, later, smoke, off = (
        text[text.index(f"[{number}/5]") :].partition("\n  [")[0] for number in range(1, 6)
    )
    assert plain.startswith("[1/5] plain (run): ['touch', 'ran-plain']\n        allowed by 'touch ran-*'")
    assert "its command may: network *:443; sockets /run/x.sock; home" in asks
    # Which rule it is depends on what is not known yet.
    assert "may" not in plain + later + off
    assert "its tests may: exec git; needs namespaces" in smoke
    assert off.startswith("[5/5] off (run): ['rm', '-rf', '/']\n        REFUSED ")
    assert project.untouched


def test_plan_for_machines_has_the_rights(project: Project) -> None:
    """They stand beside the plans, whose digests are of the workflow alone."""
    session = project.pytest("wf", "--workflow-plan-json", "-q", "--workflow-input=name=made")

    told = json.loads(session.text[session.text.index("{") : session.text.rindex("}") + 1])
    assert told["rights"]["flow"] == {
        "plain": {"command": {"rule": "touch ran-*"}},
        "asks": {
            "command": {"rule": "touch {name}", "network": ["*:443"], "sockets": ["/run/x.sock"], "home": True},
        },
        "smoke": {"tests": {"rule": "verify", "exec": ["git"], "needs": ["namespaces"]}},
    }
    assert project.untouched


@pytest.mark.parametrize("broken", ["inputs", "policy"])
def test_plan_needs_neither_inputs_nor_policy(project: Project, broken: str) -> None:
    """What can't be said without them is left out; the plan is shown all the same."""
    if broken == "policy":
        project.write("workflow-exec.toml", "[policy]\nzzz = 1\n")

    session = project.pytest("wf", "--workflow-plan")

    assert session.status == 0, session.text
    assert "[2/5] asks (run): ['touch', '${inputs.name}']\n" in session.text
    assert "problem " in session.text
    assert ("its tests may: exec git" in session.text) is (broken == "inputs")
    assert project.untouched


@landlock
def test_file_in_the_place_of_a_socket_stops_everything(project: Project) -> None:
    """What is no socket is told before the first step, at the step that needs it."""
    project.write("no-socket", "")
    project.write("workflow-exec.toml", POLICY.format(mode="required:landlock", socket="no-socket"))
    project.write("wf/flow.workflow.yaml", FLOW.partition("  - {id: later")[0])

    session = project.pytest("wf", "--workflow-input=name=made")

    assert session.status == 4, session.text
    assert "flow.workflow.yaml:6:5: step 'asks': rule 'touch {name}': sockets 'no-socket' is no socket" in session.text
    assert project.untouched


@landlock
def test_evidence_says_which_sockets_were_granted(project: Project) -> None:
    """The record of the command has them, and of no other command."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = str(Path(folder) / "s")
        listener.bind(path)
        listener.listen()
        policy = POLICY.format(mode="required:landlock", socket=path).replace("home = true", 'write = ["made"]')
        project.write("workflow-exec.toml", policy.replace('"touch {name}"', '"touch made/{name}"'))
        flow = FLOW.partition("  - {id: later")[0].replace('"${inputs.name}"', '"made/${inputs.name}"')
        project.write("wf/flow.workflow.yaml", flow.replace("[touch, ran-plain]", "[touch, --version]"))
        project.write(
            "workflow-exec.toml", (project.root / "workflow-exec.toml").read_text().replace("ran-*", "--version")
        )

        session = project.pytest("wf", "--workflow-input=name=it")

    assert session.status == 0, session.text
    plain, asks = (record["data"] for record in project.of_type("command.started"))
    assert "sockets" not in plain
    assert asks["sockets"] == [path]
    assert (project.root / "made/it").exists()


GATED_FLOW = """
workflow: flow
inputs: {name: {type: string, pattern: '[a-z]+', default: made}}
steps:
  - {id: go, gate: {question: Go on?, wait: suspend}}
  - {id: plain, run: [touch, ran-plain]}
  - {id: asks, run: [touch, "${inputs.name}"], check: {run: [touch, "${inputs.name}"]}}
  - {id: later, run: [touch, "${steps.plain.stdout}"]}
finally:
  - {id: tidy, run: [touch, "${inputs.name}"]}
"""
RIGHTS = "network *:443; sockets /run/x.sock; home"


def test_a_gate_shows_what_commands_behind_it_may_do(project: Project) -> None:
    """The question says for each command, and for each check, what its rule lets it reach: also for what runs if it is rejected."""
    project.write("wf/flow.workflow.yaml", GATED_FLOW)
    project.write("workflow-exec.toml", POLICY.format(mode="none", socket="/run/x.sock"))

    assert project.pytest("wf").status == 1

    [asked] = project.of_type("gate.requested")
    request = asked["data"]["request"]
    does = {each["step"]: each["does"] for each in request["covers"]}
    assert does["plain"] == "['touch', 'ran-plain']"
    assert does["asks"].startswith("['touch', 'made']; asked first")
    assert does["asks"].endswith(f"; it may: {RIGHTS}; its check may: {RIGHTS}")
    # Which rule it is depends on what is not known yet.
    assert does["later"].endswith(f"; it may: by rule 'touch {{name}}', {RIGHTS}")
    [tidy] = request["on_reject"]
    assert tidy["does"] == f"['touch', 'made']; it may: {RIGHTS}"
