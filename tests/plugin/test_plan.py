"""`--workflow-plan`: each command as far as it is known, the rule that allows it, what gates cover, and what is amiss."""

from __future__ import annotations

import json
from typing import Any

import pytest

from .conftest import Project

POLICY = """\
[policy]
sandbox = "none"
commands = ["echo **", "touch {version}", "ls *"]

[[policy.command]]
rule = "git push"
gated = {assurance = 1}
"""
FLOW = """\
workflow: flow
inputs: {version: {pattern: '\\d+'}, hosts: {type: list, default: [a, b]}, token: {type: secret}}
vars: {tag: "v${inputs.version}"}
steps:
  - {id: one, run: [echo, "${vars.tag}", "${run.id}", "${inputs.hosts[*]}"]}
  - {id: two, run: [touch, "${inputs.version}"], check: {run: [ls, "${inputs.version}"]}, env: {T: "${inputs.token}"}}
  - id: on
    foreach: {host: "${inputs.hosts}"}
    steps:
      - {id: do, run: [echo, "${each.host}", "${steps.one.stdout}"], poll: {every: 5m, timeout: 2h}}
      - {id: bad, run: [rm, "${each.host}"]}
    finally: [{id: undo, run: [echo, bye]}]
  - {id: ask, gate: {question: "Go ${vars.tag}?", show: [one]}}
  - {id: push, run: [git, push]}
finally:
  - {id: rollback, run: [echo, x]}
  - {id: restore, run: [echo, y], undoes: [two]}
"""


@pytest.fixture
def flow(project: Project) -> Project:
    """A project with a workflow of nearly everything that a plan tells."""
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/flow.workflow.yaml", FLOW)
    return project


def plan_of(project: Project, *options: str) -> dict[str, Any]:
    """Return the plan as machines are told it."""
    session = project.pytest("wf", "-q", "--workflow-plan-json", *options)
    assert session.status == 0, session.text
    [plan] = json.loads(session.text[session.text.index("{") : session.text.rindex("}") + 1])["plans"]
    return dict(plan)


def test_plan_is_a_tree_of_resolved_commands_with_their_rules(flow: Project) -> None:
    """Inputs and variables are filled in, single and as lists; what only steps know stands as it is written."""
    session = flow.pytest("wf", "--workflow-plan", "--workflow-input", "version=3")

    assert session.status == 0, session.text
    lines = session.text[session.text.index("plan of") :].splitlines()
    assert lines[1] == 'inputs version = "3", hosts = ["a", "b"], token = "secret"'
    shown = lines[lines.index("  [1/12] one (run): ['echo', 'v3', '${run.id}', 'a', 'b']") :]
    assert shown[:9] == [
        "  [1/12] one (run): ['echo', 'v3', '${run.id}', 'a', 'b']",
        "        allowed by 'echo **'",
        "  [2/12] two (run): ['touch', '3'], check ['ls', '3']",
        "        allowed by 'touch {version}'",
        "        check allowed by 'ls *'",
        "  on[a]/",
        "    [3/12] on[a]/do (run): ['echo', 'a', '${steps.one.stdout}']",
        "          allowed by 'echo **'",
        "          every 5m until it is as expected, for 2h at most",
    ]
    assert "    [4/12] on[a]/bad (run): ['rm', 'a']" in shown
    assert "          REFUSED the policy refuses ['rm', 'a']: nearest rule" in session.text
    gate = shown.index("  [9/12] ask (gate): asks 'Go v3?'")
    assert shown[gate + 1 : gate + 5] == [
        "        covers push",
        "        shows one",
        "  [10/12] push (run): ['git', 'push']",
        "        allowed by 'git push' (gated: a decision)",
    ]
    assert flow.untouched


def test_plan_needs_nothing(flow: Project) -> None:
    """Without inputs, with a policy that can't be used, and in CI, the plan is shown, with what is in its way."""
    without = flow.pytest("wf", "--workflow-plan")
    flow.write("workflow-exec.toml", '[policy]\nsandbox = "none"\ncommands = ["git  push"]\n')
    broken = flow.pytest("wf", "--workflow-plan", "--workflow-input", "version=x")

    assert (without.status, broken.status) == (0, 0), without.text + broken.text
    assert "problem input 'version' has no value. Give --workflow-input version=VALUE" in without.text
    assert "[2/12] two (run): ['touch', '${inputs.version}'], check ['ls', '${inputs.version}']" in without.text
    assert "allowed or not, which an input without a value leaves open" in without.text
    assert "problem " in broken.text
    assert "git  push" in broken.text
    assert "which does not match" in broken.text
    assert "REFUSED the policy refuses ['echo', 'bye']" in broken.text
    assert "Traceback" not in broken.text
    assert flow.untouched


def test_plan_for_machines_says_the_same(flow: Project) -> None:
    """What is known stands beside the plan that the digest is of."""
    plan = plan_of(flow, "--workflow-input", "version=3")

    assert plan["values"] == {"version": "3", "hosts": ["a", "b"]}
    assert plan["resolved"]["two"] == {
        "command": {"argv": ["touch", "3"], "rules": ["touch {version}"], "gated": False, "refused": None},
        "check": {"argv": ["ls", "3"], "rules": ["ls *"], "gated": False, "refused": None},
    }
    assert plan["resolved"]["on[a]/bad"]["command"]["refused"].startswith("the policy refuses ['rm', 'a']")
    assert plan["resolved"]["push"]["command"]["gated"] is True
    assert plan["resolved"]["ask"] == {"covers": ["push"]}
    assert plan["problems"] == []
    assert [warning.partition(" of ")[0] for warning in plan["warnings"]] == ["step 'on/undo'", "step 'rollback'"]
    assert "${inputs.version}" in json.dumps(plan["steps"])


def test_a_finally_that_reverts_unsaid_is_warned_of_and_runs(project: Project) -> None:
    """The plan and the start of a run say it once; with `undoes` there is nothing to say."""
    flow = "workflow: flow\nsteps: [{id: one, run: [echo, a]}]\nfinally: [{id: tidy, run: [echo, uninstall]UNDOES}]\n"
    project.write("workflow-exec.toml", POLICY)
    project.write("wf/flow.workflow.yaml", flow.replace("UNDOES", ""))
    plan, run = project.pytest("wf", "--workflow-plan"), project.pytest("wf")
    project.write("wf/flow.workflow.yaml", flow.replace("UNDOES", ", undoes: [one]"))
    said = project.pytest("wf", "--workflow-plan")

    assert (plan.status, run.status) == (0, 0), run.text
    for session in (plan, run):
        assert session.text.count("step 'tidy' of finally reverts something, by its word 'uninstall'") == 1
    assert "warning: wf/flow.workflow.yaml:3:" in run.text
    assert "reverts something" not in said.text


def test_what_is_printed_for_machines_is_what_verify_takes(project: Project) -> None:
    """A run is held to the plan as pytest printed it, whatever else stands there; a workflow that changed is another plan."""
    project.write("wf/a.workflow.yaml", "steps:\n  - {id: one, run: [touch, ran-one]}\n")
    printed = project.write("plan.json", project.pytest("wf", "--workflow-plan-json").text)
    session = project.pytest("wf")
    assert session.status == 0, session.text
    [head] = session.heads
    asked = ("verify", "latest", "--expect-head", head, "--plan", str(printed))

    as_planned = project.run("workflow-exec", *asked)
    project.write("wf/a.workflow.yaml", "steps:\n  - {id: one, run: [touch, ran-two]}\n")
    printed.write_text(project.pytest("wf", "--workflow-plan-json", "-q").text, encoding="utf-8")
    as_changed = project.run("workflow-exec", *asked)
    printed.write_text(printed.read_text(encoding="utf-8").replace('"kind": "run"', '"kind": "call"'), encoding="utf-8")
    as_edited = project.run("workflow-exec", *asked)

    assert (as_planned.status, as_changed.status, as_edited.status) == (0, 4, 2), as_planned.text
    assert "its plan has another digest than it says" in as_edited.text


def test_plan_says_of_a_gated_command_why_it_could_not_run(project: Project) -> None:
    """What no gate before it can list would be refused before the run, and the plan says so, to machines too."""
    project.write("workflow-exec.toml", POLICY)
    steps = "  - {id: early, run: [git, push]}\n  - {id: ask, gate: Go?}\n  - {id: late, run: [git, push]}\n"
    project.write("wf/w.workflow.yaml", f"workflow: w\nsteps:\n{steps}finally:\n  - {{id: undo, run: [git, push]}}\n")

    text = project.pytest("wf", "--workflow-plan").text
    resolved = plan_of(project)["resolved"]

    lines = [line.strip() for line in text.splitlines()]
    why = "step 'early': rule 'git push' is gated, but no gate stands before the step. Put a gate before it."
    assert lines[lines.index("[1/4] early (run): ['git', 'push']") + 2] == f"REFUSED {why}"
    assert resolved["early"]["command"]["refused"] == why
    assert lines[lines.index("[3/4] late (run): ['git', 'push']") + 2].startswith("[4/4] undo")
    assert resolved["late"]["command"]["refused"] is None
    assert "steps of finally run whatever is decided" in resolved["undo"]["command"]["refused"]
    assert project.untouched
