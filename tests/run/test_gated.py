"""Gated commands: they run only after a decision of this run that listed them."""

from __future__ import annotations

import os

import pytest

from pytest_workflow_exec.definition import read_yaml_workflow
from pytest_workflow_exec.errors import CommandRefusedError
from pytest_workflow_exec.run import known_values, preflight
from pytest_workflow_exec.sandbox import compile_policy
from pytest_workflow_exec.settings import load_settings

from .conftest import CONFIGURATION, Project

_GATED = CONFIGURATION + '\n[[policy.command]]\nrule = "touch {:[a-z]+}"\ngated = {assurance = 1}\n'
_BEHIND = "steps:\n  - {id: make, run: [echo, a]}\n  - {id: go, gate: Go on?}\n  - {id: put, run: [touch, out]}\n"


@pytest.fixture
def gated(project: Project) -> Project:
    """A project in which `touch` is gated."""
    (project.root / "workflow-exec.toml").write_text(_GATED)
    return project


def _problems(project: Project, steps: str) -> list[str]:
    file = project.root / "flow.workflow.yaml"
    file.write_text(steps, encoding="utf-8")
    workflow = read_yaml_workflow(file, root=project.root)
    policy = compile_policy(load_settings(project.root).policy, workflow=workflow.name, environment=os.environ)
    found = preflight(
        workflow,
        steps=workflow.steps,
        values=known_values(workflow, {}, {}),
        policy=policy,
        texts={},
        environment=os.environ,
        terminal_problem=lambda: None,
        python_timeouts=True,
        filesystem="any",
    )
    return [problem.message for problem in found]


def test_a_gated_command_runs_behind_a_decision_that_listed_it(gated: Project) -> None:
    """The command of a step runs if the gate before it was approved and its request had this very command."""
    assert _problems(gated, _BEHIND) == []

    run = gated.open(_BEHIND)

    assert gated.go_through(run) == {"make": "passed", "go": "passed", "put": "passed"}
    assert (gated.root / "out").exists()


def test_another_command_of_the_step_is_refused(gated: Project) -> None:
    """A decision is for what it listed: the step can't run another gated command, nor its Python code this one."""
    run = gated.open(_BEHIND)
    gated.perform(run, "make")
    gated.perform(run, "go")
    run.start(run.workflow.step("put"))

    with pytest.raises(CommandRefusedError, match="is gated"):
        run.run_command("put", ["touch", "other"], planned=True)

    with pytest.raises(CommandRefusedError, match="is gated"):
        run.run_command("put", ["touch", "out"])

    assert not (gated.root / "other").exists()
    assert not (gated.root / "out").exists()
    assert run.run_command("put", ["touch", "out"], planned=True).exit == 0
    run.close(interrupted=True)
    assert gated.types(run).count("command.refused") == 2


_TEAM = """
[policy.approvers]
managers = ["alice@example.org"]
security = ["bob@example.org"]

[[policy.command]]
rule = "touch {:[a-z]+}"
gated = {assurance = 2, approvers = ["managers"]}
"""


@pytest.mark.parametrize(
    ("gate", "said"),
    [
        ("Go on?", "is worth 1. Give the gate assurance: 2"),
        (
            "{question: Go on?, assurance: 2}",
            "can be approved without any of them. Give the gate approvers: [managers]",
        ),
        ("{question: Go on?, assurance: 2, approvers: [security]}", "can be approved without any of them"),
        (
            "{question: Go on?, assurance: 2, approvers: [managers, security], required: 2, wait: suspend}",
            "without any of them",
        ),
        ("{question: Go on?, assurance: 2, approvers: [managers]}", ""),
        ("{question: Go on?, assurance: 3, approvers: [managers]}", ""),
        (
            "{question: Go on?, assurance: 2, approvers: [managers, security], required: {security: 1, managers: 1}, wait: suspend}",
            "",
        ),
    ],
)
def test_a_gate_must_be_worth_what_the_rule_asks_for(project: Project, gate: str, said: str) -> None:
    """A workflow whose gate could be approved with less than a rule wants does not start."""
    (project.root / "workflow-exec.toml").write_text(CONFIGURATION + _TEAM)

    found = [
        problem
        for problem in _problems(project, f"steps:\n  - {{id: go, gate: {gate}}}\n  - {{id: put, run: [touch, out]}}\n")
        if "is gated" in problem
    ]

    assert len(found) == (1 if said else 0)
    if said:
        assert "a decision of assurance 2 by one of managers, but gate 'go'" in found[0]
        assert said in found[0]


def test_a_decision_worth_less_is_refused_when_the_command_runs(project: Project) -> None:
    """Whatever the check before the run said: a code typed at a terminal is no signature, and nobody of the group agreed."""
    (project.root / "workflow-exec.toml").write_text(CONFIGURATION + _TEAM)
    run = project.open(_BEHIND)
    project.perform(run, "make")
    project.perform(run, "go")
    run.start(run.workflow.step("put"))

    with pytest.raises(CommandRefusedError, match="after a decision of assurance 2 by one of managers at a gate"):
        run.run_command("put", ["touch", "out"], planned=True)

    assert not (project.root / "out").exists()
    run.close(interrupted=True)


def test_every_gated_rule_that_matches_has_to_be_satisfied(project: Project) -> None:
    """A narrower rule that asks for less takes nothing away from the other one."""
    more = '\n[[policy.command]]\nrule = "touch out"\ngated = {assurance = 1}\n'
    (project.root / "workflow-exec.toml").write_text(CONFIGURATION + _TEAM + more)

    [problem] = [each for each in _problems(project, _BEHIND) if "is gated" in each]
    run = project.open(_BEHIND)
    project.perform(run, "make")
    project.perform(run, "go")
    run.start(run.workflow.step("put"))
    with pytest.raises(CommandRefusedError, match="assurance 2 by one of managers"):
        run.run_command("put", ["touch", "out"], planned=True)

    assert "is worth 1" in problem
    assert not (project.root / "out").exists()
    run.close(interrupted=True)


def test_without_a_decision_it_is_refused(gated: Project) -> None:
    """Where no gate stands before a step, its gated command is refused and nothing is started."""
    run = gated.open("steps:\n  - {id: put, run: [touch, out]}\n")
    run.start(run.workflow.step("put"))

    with pytest.raises(CommandRefusedError, match="is gated"):
        run.run_command("put", ["touch", "out"], planned=True)

    run.close(interrupted=True)
    assert not (gated.root / "out").exists()
    assert "command.started" not in gated.types(run)


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ("steps:\n  - {id: put, run: [touch, out]}\n  - {id: go, gate: Go on?}\n", "no gate stands before the step"),
        (_BEHIND.replace("[touch, out]", "[echo, b], check: {run: [touch, out]}"), "a check runs when no gate"),
        (_BEHIND + "finally:\n  - {id: end, run: [touch, gone]}\n", "steps of finally run whatever is decided"),
        (
            (
                "steps:\n  - {id: go, gate: Go on?}\n  - {id: make, run: [echo, a]}\n"
                '  - {id: put, run: [touch, "${steps.make.stdout}"]}\n'
            ),
            "${steps.make.stdout} is not known at gate 'go'",
        ),
        (
            (
                "steps:\n  - {id: go, gate: Go on?}\n  - {id: make, run: [echo, a]}\n"
                '  - {id: put, run: [touch, out], env: {WHERE: "${steps.make.stdout}"}}\n'
            ),
            "${steps.make.stdout} is not known at gate 'go'",
        ),
        (
            (
                "steps:\n  - {id: go, gate: {question: Go on?, form: {where: {pattern: '[a-z]+'}}}}\n"
                '  - {id: put, run: [touch, "${steps.go.where}"]}\n'
            ),
            "${steps.go.where} is not known at gate 'go'",
        ),
    ],
)
def test_a_workflow_that_can_not_lead_it_through_a_gate_is_refused(gated: Project, steps: str, words: str) -> None:
    """Before anything runs: no gate, a step of finally, or an argument that no gate could have shown."""
    assert any(words in problem for problem in _problems(gated, steps))


def test_no_other_rule_takes_the_need_for_a_decision_away(gated: Project) -> None:
    """A command that a gated rule allows is gated, however narrow another rule is that allows it too."""
    (gated.root / "workflow-exec.toml").write_text(_GATED + '[[policy.command]]\nrule = "touch out"\n')

    assert any(
        "no gate stands before" in each for each in _problems(gated, "steps:\n  - {id: put, run: [touch, out]}\n")
    )

    run = gated.open("steps:\n  - {id: put, run: [touch, out]}\n")
    run.start(run.workflow.step("put"))
    with pytest.raises(CommandRefusedError, match="is gated"):
        run.run_command("put", ["touch", "out"], planned=True)
    run.close(interrupted=True)
    assert not (gated.root / "out").exists()
