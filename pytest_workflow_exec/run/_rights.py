"""By which rule of the policy the command or the tests of a step would run, for a plan that is only shown."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.errors import CommandRefusedError, OutputError
from pytest_workflow_exec.model import Command, Step
from pytest_workflow_exec.run._preflight import possible_rule
from pytest_workflow_exec.run._values import Values
from pytest_workflow_exec.sandbox import Policy, Rule


def command_rule(step: Step, *, policy: Policy, values: Values, texts: Mapping[str, str]) -> Rule | None:
    """Return the rule that would let a step's command run; None if it has none, or it can't be said which.

    Args:
        policy: The policy as it is stated.
        values: What references stand for before any step ran.
        texts: The inputs as a rule's `{name}` compares them.
    """
    if not isinstance(step.body, Command):
        return None
    try:
        return possible_rule(step.body, values, policy, texts)
    except (CommandRefusedError, OutputError):
        return None
