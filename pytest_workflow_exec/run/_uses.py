"""What a step's definition refers to: inputs and outputs of other steps, through `vars`, too."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import (
    Ai,
    Call,
    Check,
    Command,
    Execute,
    Function,
    Gate,
    GivenEveryReference,
    GivenReference,
    JsonMatcher,
    Manual,
    Matcher,
    Pause,
    Reference,
    Session,
    Step,
    StepId,
    Template,
    Verify,
    Workflow,
    base_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Uses:
    """What a step refers to."""

    inputs: frozenset[str] | None
    """None: its code can look at any of them."""
    steps: frozenset[StepId]


def uses_of(step: Step, workflow: Workflow) -> Uses:
    """Return what a step's definition refers to; what its code looks at is seen only when it runs."""
    references = list(_expanded(_references(step), workflow.variables))
    steps = {reference.path[0] for reference in references if reference.scope == "steps"}
    if isinstance(step.body, Gate):
        steps |= {shown for shown, _ in step.body.show}
    return Uses(
        inputs=None
        if _looks_itself(step)
        else frozenset(reference.path[0] for reference in references if reference.scope == "inputs"),
        steps=frozenset(_with_cases(steps, workflow)),
    )


def _looks_itself(step: Step) -> bool:
    """Return whether code of the step can look at any input."""
    calls = (each for each in (step.body, step.check) if isinstance(each, Call))
    return isinstance(step.body, Function) or any("workflow" in call.fixtures for call in calls)


def keys_used_of(step: StepId, workflow: Workflow) -> frozenset[str | None]:
    """Return the outputs of a step that other definitions refer to; None among them stands for all that it has."""
    names = {step, base_of(step)}
    keys: set[str | None] = set()
    for each in workflow.steps:
        references = _expanded(_references(each), workflow.variables)
        keys |= {
            reference.path[1] for reference in references if reference.scope == "steps" and reference.path[0] in names
        }
        if isinstance(each.body, Gate):
            keys |= {key for shown, key in each.body.show if shown in names}
    left = [reference for output in workflow.outputs.values() for reference in output.references]
    keys |= {
        reference.path[1]
        for reference in _expanded(left, workflow.variables)
        if reference.scope == "steps" and reference.path[0] in names
    }
    return frozenset(keys)


def given_in(step: Step) -> Iterator[GivenReference]:
    """Give what a step of a fragment uses of what the fragment was given."""
    for reference in _references(step):
        given = reference.listed if isinstance(reference, GivenEveryReference) else reference
        if isinstance(given, GivenReference):
            yield given


def _with_cases(steps: Iterable[StepId], workflow: Workflow) -> Iterator[StepId]:
    for step in steps:
        yield step
        yield from (each.id for each in workflow.steps if each.id.startswith(f"{step}["))


def _expanded(references: Iterable[Reference], variables: Mapping[str, Template]) -> Iterator[Reference]:
    for reference in references:
        if reference.scope == "vars":
            yield from _expanded(variables[reference.path[0]].references, variables)
        else:
            yield reference


def _references(step: Step) -> Iterator[Reference]:
    yield from () if step.when is None else step.when.references
    body = step.body
    yield from _in_check(step.check)
    if isinstance(body, Command):
        yield from _in((body.argv, body.cwd, body.env, body.stdin))
        yield from _in(rule.pattern for rule in body.outputs)
        yield from _in(rule.default for rule in body.outputs)
    elif isinstance(body, Call):
        yield from _in(body.arguments)
    elif isinstance(body, Gate):
        yield from _in(body.question)
    elif isinstance(body, Pause):
        yield from _in(body.until)
    elif isinstance(body, Manual):
        yield from _in((body.instruction, body.checklist))
    else:
        yield from _in(_of_a_model(body))
    if step.waive is not None:
        yield from _in(step.waive.question)
    named = None if step.poll is None else step.poll.fail_on
    if named is not None:
        yield from _in((named.exit, named.stdout, named.stderr, named.json))
    if isinstance(body, (Command, Verify)):
        yield from _in((body.expect.exit, body.expect.stdout, body.expect.stderr, body.expect.json))


def _in_check(check: Check | None) -> Iterator[Reference]:
    if isinstance(check, Command):
        expect = check.expect
        yield from _in((check.argv, expect.exit, expect.stdout, expect.stderr, expect.json))
    elif isinstance(check, Call):
        yield from _in(check.arguments)


def _of_a_model(body: object) -> Template | None:
    if isinstance(body, (Ai, Session)):
        return body.prompt
    return body.plan if isinstance(body, Execute) else None


def _in(value: object) -> Iterator[Reference]:
    if isinstance(value, Template):
        yield from value.references
    elif isinstance(value, (Matcher, JsonMatcher)):
        yield from _in(value.operands)
    elif isinstance(value, Mapping):
        yield from _in(value.values())
    elif isinstance(value, Iterable) and not isinstance(value, (str, bytes)):
        for item in value:
            yield from _in(item)
