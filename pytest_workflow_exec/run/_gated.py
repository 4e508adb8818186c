"""Gated commands before a run: whether the workflow leads each of them through a gate that can list it."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.errors import CommandRefusedError, OutputError
from pytest_workflow_exec.model import Command, Gate, Step, Workflow
from pytest_workflow_exec.run._covering import gates_of
from pytest_workflow_exec.run._outlook import possible_rules
from pytest_workflow_exec.run._values import Values
from pytest_workflow_exec.sandbox import Gated, Policy, Rule

_TERMINAL = 1


def gated_problem(
    workflow: Workflow, step: Step, command: Command, values: Values, *, policy: Policy, texts: Mapping[str, str]
) -> str | None:
    """Return why a command that a gated rule may allow could never run; None if a gate can list it, or no rule is gated.

    Args:
        values: What references stand for before any step ran.
        texts: The inputs as a rule's `{name}` compares them.
    """
    try:
        # Nothing can be said of a command with several lists: any rule may be the one.
        rules = possible_rules(command, values, policy, texts, gating=True) or policy.rules
    except (CommandRefusedError, OutputError):
        # Said elsewhere.
        return None
    problems = (_problem(workflow, step, command, rule) for rule in rules if rule.gated is not None)
    return next((problem for problem in problems if problem is not None), None)


def _problem(workflow: Workflow, step: Step, command: Command, rule: Rule) -> str | None:
    said = f"step {step.id!r}: rule {rule.text!r} is gated, "
    if command is not step.body:
        return f"{said}but a check runs when no gate has listed it. Give the check a command that is not gated."
    if step.always:
        return f"{said}but steps of finally run whatever is decided. Move the step before finally."
    gate = gates_of(workflow)[step.id]
    if gate is None:
        return f"{said}but no gate stands before the step. Put a gate before it."
    body = workflow.step(gate).body
    if rule.gated is not None and isinstance(body, Gate) and (lacking := _lacking(body, rule.gated)):
        return f"{said}and needs {rule.gated.words}, but gate {gate!r} {lacking}"
    before = {each.id for each in workflow.steps[: [each.id for each in workflow.steps].index(gate)]}
    surroundings = [text for text in (command.cwd, command.stdin, *command.env.values()) if text is not None]
    late = [
        reference
        for text in (*command.argv, *surroundings)
        for reference in text.references
        if reference.scope == "steps" and not _is_known(reference.path[0], before)
    ]
    if late:
        return f"{said}but {late[0]} is not known at gate {gate!r}. Move the gate behind the step that gives it."
    return None


def _lacking(gate: Gate, gated: Gated) -> str:
    """Return what a gate lacks for each of its approvals to be worth enough; empty if nothing."""
    signed = gate.signed
    worth = _TERMINAL if signed is None else signed.assurance
    if worth < gated.assurance:
        return f"is worth {worth}. Give the gate assurance: {gated.assurance}."
    if not gated.approvers:
        return ""
    named = frozenset(() if signed is None else signed.approvers)
    counts = {} if signed is None or isinstance(signed.required, int) else signed.required
    # Someone of these groups must be among whoever approves it, whoever that turns out to be.
    if (named and named <= set(gated.approvers)) or any(counts.get(group, 0) > 0 for group in gated.approvers):
        return ""
    return f"can be approved without any of them. Give the gate approvers: [{', '.join(gated.approvers)}]."


def _is_known(name: str, before: set[str]) -> bool:
    # A name without its case stands for all the cases.
    return name in before or any(each.startswith(f"{name}[") for each in before)
