"""`--workflow-plan`: what would be run, in which order, shown to people or machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import pytest

from pytest_workflow_exec.model import Ai, Command, Execute, Gate, Manual, Pause, Session, Step, Workflow

from ._planned import planned
from ._session import WorkflowSession

if TYPE_CHECKING:
    from ._plan_rights import StepRules


def show_plans(session: WorkflowSession, items: Iterable[pytest.Item]) -> bool:
    """Show the plans of the selected workflows if that was asked for, and return whether it was."""
    config = session.config
    as_json, as_text = config.getoption("workflow_plan_json", False), config.getoption("workflow_plan", False)
    if not (as_json or as_text):
        return False
    selected = {step.workflow for item in items if (step := planned(item)) is not None}
    workflows = [workflow for name, workflow in session.workflows.items() if name in selected]
    # Only here: a session that runs its workflows shows no plan.
    from ._plan_rights import rules_of

    rules = {workflow.name: rules_of(workflow, config, only=len(workflows) == 1) for workflow in workflows}
    lines = (
        [_as_json(workflows, rules)]
        if as_json
        else [line for workflow in workflows for line in _as_text(workflow, rules[workflow.name])]
    )
    for line in lines:
        session.lines.say(line)
    session.shown = True
    return True


def _as_json(workflows: Iterable[Workflow], rules: Mapping[str, StepRules]) -> str:
    listed = list(workflows)
    plans = [{**workflow.plan, "digest": workflow.digest} for workflow in listed]
    # Beside the plans: they are of the policy, and a plan's digest is of the workflow alone.
    rights = {
        workflow.name: {
            step.id: {what: {"rule": rule.text, **rule.given} for what, rule in rules[workflow.name].of(step)}
            for step in workflow.steps
            if any(rules[workflow.name].of(step))
        }
        for workflow in listed
    }
    return json.dumps({"plans": plans, "rights": rights}, indent=2)


def _as_text(workflow: Workflow, rules: StepRules) -> Iterator[str]:
    yield f"plan of workflow {workflow.name}, digest {workflow.digest}"
    for number, step in enumerate(workflow.steps, start=1):
        rights = "".join(f"; its {what} may: {rule.rights}" for what, rule in rules.of(step) if rule.rights)
        yield f"  [{number}/{len(workflow.steps)}] {step.id} ({step.kind}): {_does(step)}{rights}"


def _does(step: Step) -> str:
    body = step.body
    if isinstance(body, Command):
        does = ascii([argument.shown for argument in body.argv])
        does += "" if body.cwd is None else f" in {body.cwd.shown!a}"
    elif isinstance(body, Gate):
        does = f"asks {body.question.text!a}"
    elif isinstance(body, Pause):
        does = f"waits for {body.for_s:g} s" if body.until is None else f"waits until {body.until.text!a}"
    elif isinstance(body, Manual):
        does = f"by hand, {body.instruction.text!a}"
    elif isinstance(body, Ai):
        does = f"asks {body.model}, {body.prompt.shown!a}"
    elif isinstance(body, Session):
        does = f"a person talks with {body.model}, {body.prompt.shown!a}"
    elif isinstance(body, Execute):
        does = f"the commands of {body.plan.shown}"
    else:
        does = ascii(step.name)
    more = [f"when {step.when.text}"] if step.when is not None else []
    more += ["finally" if step.block is None else f"finally of {step.block}"] if step.always else []
    if step.check is not None:
        asks = step.check.argv if isinstance(step.check, Command) else ()
        more.append(f"check {ascii([argument.shown for argument in asks]) if asks else 'by tests'}")
    more += [f"if it fails asks {step.waive.question.text!a}"] if step.waive is not None else []
    more += [f"of fragment {step.fragment}"] if step.fragment is not None else []
    more += [f"undoes {' '.join(step.undoes)}"] if step.undoes else []
    return ", ".join([does, *more])
