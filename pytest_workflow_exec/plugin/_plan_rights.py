"""By which rules of the policy the steps of a plan would run: shown with it, though nothing is run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import field

import pytest

from pytest_workflow_exec.definition import resolve_inputs
from pytest_workflow_exec.errors import PreflightError, SettingsError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import Step, Workflow
from pytest_workflow_exec.run import command_rule, known_values
from pytest_workflow_exec.sandbox import Rule, stated_policy
from pytest_workflow_exec.settings import load_settings

from ._inputs import given_inputs, input_texts, plain_inputs


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRules:
    """By which rules of the policy the steps of a workflow run, as far as that can be said before."""

    tests: Rule | None = None
    """The rights of tests; None if the policy can't be read."""
    commands: Mapping[str, Rule] = field(default_factory=dict)
    """By step."""

    def of(self, step: Step) -> Iterator[tuple[str, Rule]]:
        """Return what of a step runs by which rule."""
        if step.id in self.commands:
            yield "command", self.commands[step.id]
        if step.has_tests and self.tests is not None:
            yield "tests", self.tests


def rules_of(workflow: Workflow, config: pytest.Config, *, only: bool) -> StepRules:
    """Return them, as the project's configuration and the command line say now.

    Args:
        workflow: The workflow.
        config: The session's.
        only: Whether it is the only workflow.
    """
    # What is wrong with the policy or the inputs is said when the workflow is to run; a plan needs neither.
    try:
        policy = stated_policy(load_settings(workflow.root).policy, workflow=workflow.name)
    except SettingsError:
        return StepRules()
    try:
        inputs = resolve_inputs(workflow, given_inputs(config, workflow.name, only=only), environment=os.environ)
    except PreflightError:
        return StepRules(tests=policy.tests)
    values = known_values(workflow, plain_inputs(inputs), inputs.groups)
    found = {
        step.id: command_rule(step, policy=policy, values=values, texts=input_texts(inputs)) for step in workflow.steps
    }
    commands = {step: rule for step, rule in found.items() if rule is not None}
    return StepRules(tests=policy.tests, commands=commands)
