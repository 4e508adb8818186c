"""`--workflow-plan`: what would be run, in which order, shown to people or machines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import field

import pytest

from pytest_workflow_exec.definition import inputs_at_hand
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.durations import spell_duration
from pytest_workflow_exec.errors import PolicyError, PreflightError, Problem, SettingsError
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import (
    Ai,
    Call,
    Check,
    Command,
    Execute,
    Gate,
    Manual,
    Pause,
    Session,
    Step,
    Template,
    Workflow,
)
from pytest_workflow_exec.run import Outlook, Values, gated_problem, gates_of, known_values, outlook, plan_warnings
from pytest_workflow_exec.sandbox import Policy, Rule, compile_policy, stated_policy
from pytest_workflow_exec.settings import Settings, load_settings, with_variables

from ._inputs import given_inputs, input_texts, plain_inputs
from ._planned import planned
from ._session import WorkflowSession

_UNDER = " " * 8
_MAX_LINE = 1000


def show_plans(session: WorkflowSession, items: Iterable[pytest.Item]) -> bool:
    """Show the plans of the selected workflows if that was asked for, and return whether it was."""
    config = session.config
    as_json, as_text = config.getoption("workflow_plan_json", False), config.getoption("workflow_plan", False)
    if not (as_json or as_text):
        return False
    selected = {step.workflow for item in items if (step := planned(item)) is not None}
    workflows = [workflow for name, workflow in session.workflows.items() if name in selected]
    views = [_view(config, workflow, only=len(workflows) == 1) for workflow in workflows]
    lines = [_as_json(views)] if as_json else [line for view in views for line in _as_text(view)]
    for line in lines:
        session.lines.say(line)
    session.shown = True
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class _View:
    """A workflow, and what is known around it before it runs; looking needs nothing, so any of that may be missing."""

    workflow: Workflow
    values: Values
    texts: Mapping[str, str] = field(default_factory=dict)
    policy: Policy | None
    problems: tuple[str, ...]

    def outlook(self, command: Command) -> Outlook:
        if self.policy is None:
            argv = (word for argument in command.argv for word in self.values.partly_known(argument))
            return Outlook(argv=tuple(argv), refused="the policy can't be used")
        return outlook(command, self.values, self.policy, self.texts)

    def ungated(self, step: Step, command: Command) -> str | None:
        """Return why a run would be refused for a gated command; None if it would not, or if nothing can be said."""
        if self.policy is None or self.outlook(command).open:
            return None
        return gated_problem(self.workflow, step, command, self.values, policy=self.policy, texts=self.texts)


def _view(config: pytest.Config, workflow: Workflow, *, only: bool) -> _View:
    problems: list[Problem] = []
    given: Mapping[str, str] = {}
    policy: Policy | None = None
    try:
        given = given_inputs(config, workflow.name, only=only)
    except PreflightError as error:
        problems += error.problems
    inputs, missing = inputs_at_hand(workflow, given)
    try:
        said = load_settings(workflow.root)
        problems += _problems_of_variables(said)
        settings = said.policy
        # What it states is shown also where it can't be used, with why not.
        policy = stated_policy(settings, workflow=workflow.name, only=workflow.only)
        compile_policy(
            settings,
            workflow=workflow.name,
            environment=os.environ,
            tests=workflow.has_tests,
            only=workflow.only,
        )
    except (SettingsError, PolicyError) as error:
        problems += error.problems
    return _View(
        workflow=workflow,
        values=known_values(workflow, plain_inputs(inputs), inputs.groups),
        texts=input_texts(inputs),
        policy=policy,
        problems=tuple(str(problem) for problem in [*problems, *missing]),
    )


def _problems_of_variables(settings: Settings) -> Sequence[Problem]:
    try:
        with_variables(settings, os.environ)
    except SettingsError as error:
        return error.problems
    return ()


def _as_json(views: Iterable[_View]) -> str:
    listed = list(views)
    # Beside the plans: they are of the policy, and a plan's digest is of the workflow alone.
    rights = {
        view.workflow.name: {
            step.id: {what: {"rule": rule.text, **rule.given} for what, rule in _rules(view, step)}
            for step in view.workflow.steps
            if any(_rules(view, step))
        }
        for view in listed
    }
    return json.dumps({"plans": [_data(view) for view in listed], "rights": rights}, indent=2)


def _data(view: _View) -> Json:
    workflow = view.workflow
    resolved = {step.id: found for step in workflow.steps if (found := _resolved(view, step))}
    known = {name: value for name, value in view.values.inputs.items() if name not in view.values.secrets}
    return {
        **workflow.plan,
        "digest": workflow.digest,
        "values": known,
        "resolved": resolved,
        "problems": list(view.problems),
        "warnings": [problem.message for problem in plan_warnings(workflow)],
    }


def _resolved(view: _View, step: Step) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, command in (("command", step.body), ("check", step.check)):
        if isinstance(command, Command):
            seen = view.outlook(command)
            found[key] = {
                "argv": list(seen.argv),
                "rules": [rule.text for rule in seen.rules],
                "gated": any(rule.gated is not None for rule in seen.rules),
                "refused": seen.refused or view.ungated(step, command),
            }
    if isinstance(step.body, Gate):
        found["covers"] = list(_covered(view.workflow, step))
    return found


def _as_text(view: _View) -> Iterator[str]:
    workflow = view.workflow
    yield f"plan of workflow {workflow.name}, digest {workflow.digest}"
    inputs = [f"{name} = {json.dumps(value)}" for name, value in view.values.inputs.items()]
    if inputs:
        yield f"inputs {', '.join(inputs)}"
    yield from (f"problem {_line(problem)}" for problem in view.problems)
    yield from (f"warning {problem.message}" for problem in plan_warnings(workflow))
    around: tuple[str, ...] = ()
    for number, step in enumerate(workflow.steps, start=1):
        blocks = tuple(step.id.split("/")[:-1])
        for depth, block in enumerate(blocks):
            if blocks[: depth + 1] != around[: depth + 1]:
                yield f"{'  ' * (depth + 1)}{block}/"
        around = blocks
        indent = "  " * len(blocks)
        yield f"{indent}  [{number}/{len(workflow.steps)}] {step.id} ({step.kind}): {_does(view, step)}"
        yield from (f"{indent}{_UNDER}{line}" for line in _below(view, step))


def _below(view: _View, step: Step) -> Iterator[str]:
    """Give what stands below a step: which rule allows it, or what it holds up and until when."""
    if isinstance(step.body, Command):
        yield _allowed(view.outlook(step.body))
        yield from _ungated(view, step, step.body)
    if isinstance(step.check, Command):
        yield f"check {_allowed(view.outlook(step.check))}"
        yield from _ungated(view, step, step.check)
    if isinstance(step.body, Gate):
        yield from _of_gate(view.workflow, step, step.body)
    yield from (f"its {what} may: {rule.rights}" for what, rule in _rules(view, step) if rule.rights)
    if step.poll is not None:
        ends = ", the run ends between two looks" if step.poll.holds_no_process else ""
        yield f"every {spell_duration(step.poll.every_s)} until it is as expected, for {spell_duration(step.poll.timeout_s)} at most{ends}"
    if isinstance(step.body, Pause) and step.body.suspends:
        yield "the run ends here, and goes on when it is resumed"


def _rules(view: _View, step: Step) -> Iterator[tuple[str, Rule]]:
    """Give what of a step runs by which rule, where only one can be meant."""
    if isinstance(step.body, Command) and len(rules := view.outlook(step.body).rules) == 1:
        yield "command", rules[0]
    if step.has_tests and view.policy is not None:
        yield "tests", view.policy.tests


def _allowed(seen: Outlook) -> str:
    if seen.refused:
        return f"REFUSED {_line(seen.refused)}"
    if seen.open:
        return "allowed or not, which an input without a value leaves open"
    if not seen.rules:
        return "allowed by a rule that is not known yet"
    rules = " or ".join(_rule(rule) for rule in seen.rules)
    return f"allowed by {rules}"


def _ungated(view: _View, step: Step, command: Command) -> Iterator[str]:
    message = view.ungated(step, command)
    if message is not None:
        yield f"REFUSED {_line(message)}"


def _line(text: str) -> str:
    from pytest_workflow_exec.approval import escape_line

    return escape_line(" ".join(text.split("\n")), max_chars=_MAX_LINE)


def _rule(rule: Rule) -> str:
    return f"{rule.text!a}{'' if rule.gated is None else f' (gated: {rule.gated.words})'}"


def _of_gate(workflow: Workflow, step: Step, gate: Gate) -> Iterator[str]:
    covered = _covered(workflow, step)
    yield f"covers {', '.join(covered) if covered else 'nothing'}"
    if gate.show:
        yield f"shows {', '.join(name if key is None else f'{name}.{key}' for name, key in gate.show)}"
    if gate.signed is not None:
        said = gate.signed
        groups = f" of {', '.join(said.approvers)}" if said.approvers else ""
        wait = f", {spell_duration(said.min_wait_s)} after it was asked" if said.min_wait_s else ""
        yield f"wants {said.persons} signature{'s' if said.persons > 1 else ''}{groups}, assurance {said.assurance}{wait}"
    if gate.suspends:
        yield f"the run ends here until somebody decides, within {spell_duration(gate.expires_s)}"


def _covered(workflow: Workflow, gate: Step) -> tuple[str, ...]:
    return tuple(step for step, by in gates_of(workflow).items() if by == gate.id)


def _does(view: _View, step: Step) -> str:
    body = step.body
    if isinstance(body, Command):
        does = ascii(list(view.outlook(body).argv))
        does += "" if body.cwd is None else f" in {body.cwd.shown!a}"
    elif isinstance(body, Gate):
        does = f"asks {_text(view, body.question)!a}"
    elif isinstance(body, Pause):
        does = (
            f"waits for {spell_duration(body.for_s or 0)}" if body.until is None else f"waits until {body.until.text!a}"
        )
    elif isinstance(body, Manual):
        does = f"by hand, {_text(view, body.instruction)!a}"
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
        more.append(f"check {_check(view, step.check)}")
    more += [f"if it fails asks {step.waive.question.text!a}"] if step.waive is not None else []
    more += [f"of fragment {step.fragment}"] if step.fragment is not None else []
    more += [f"undoes {' '.join(step.undoes)}"] if step.undoes else []
    return ", ".join([does, *more])


def _check(view: _View, check: Check) -> str:
    if isinstance(check, Command):
        return ascii(list(view.outlook(check).argv))
    return f"by {check.path.name}:{check.function}" if isinstance(check, Call) else "by tests"


def _text(view: _View, template: Template) -> str:
    [text] = view.values.partly_known(template)
    return text
