"""Everything that can be known before the first step, checked together."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import (
    CommandNotFoundError,
    CommandRefusedError,
    OutputError,
    Problem,
    SecretSourceError,
)
from pytest_workflow_exec.evidence import STATE_DIRECTORY, filesystem_of, is_remote
from pytest_workflow_exec.model import Command, Execute, Gate, Manual, Pause, Session, Step, Verify, Workflow
from pytest_workflow_exec.run._concurrency import group_problems
from pytest_workflow_exec.run._covering import signed_of
from pytest_workflow_exec.run._uses import given_in
from pytest_workflow_exec.run._when import holds
from pytest_workflow_exec.settings import Filesystem

if TYPE_CHECKING:
    from pytest_workflow_exec.run._values import Values
    from pytest_workflow_exec.sandbox import Policy, Rule


def preflight(
    workflow: Workflow,
    *,
    steps: Iterable[Step],
    values: Values,
    policy: Policy,
    texts: Mapping[str, str],
    environment: Mapping[str, str],
    terminal_problem: Callable[[], str | None],
    python_timeouts: bool,
    signers_known: bool = True,
    filesystem: Filesystem = "local",
) -> list[Problem]:
    """Return all that would keep the workflow from getting through, in the order of its steps.

    Args:
        workflow: The workflow.
        steps: Those of its steps that are to run.
        values: What references stand for before any step ran.
        texts: The inputs as a rule's `{name}` compares them.
        policy: What commands may run.
        environment: The engine's own, from which secrets come.
        terminal_problem: Says why no person can be asked here, or None if one can; asked only where a step needs one.
        python_timeouts: Whether something here can end a Python body that takes too long.
        signers_known: Whether it is settled who may sign; not so where the project says something else than its pin.
        filesystem: What evidence may lie on.
    """
    problems = [
        *_evidence_problems(workflow, filesystem),
        *group_problems(workflow, values),
        *_anchor_problems(workflow, policy),
        *_talking_problems(workflow, terminal_problem),
    ]
    for step in steps:
        if _surely_left_out(step, values):
            continue
        # Only where a person is needed: whoever needs none does not load what asks one.
        if isinstance(step.body, Gate) and not step.body.suspends and (alone := terminal_problem()) is not None:
            problems.append(_at(step, f"gate {step.id!r} needs a person at a terminal: {alone}"))
        if signers_known and (signed := signed_of(step)) is not None:
            from pytest_workflow_exec.run._signers import signing_problems

            what = "gate" if isinstance(step.body, Gate) else "waiver of step"
            problems += [_at(step, f"{what} {step.id!r}: {message}") for message in signing_problems(signed, policy)]
        if step.waive is not None and (alone := terminal_problem()) is not None:
            problems.append(_at(step, f"step {step.id!r} may be waived, which needs a person at a terminal: {alone}"))
        if isinstance(step.body, (Manual, Session)) and (alone := terminal_problem()) is not None:
            kind = "done by hand" if isinstance(step.body, Manual) else "a conversation"
            problems.append(_at(step, f"step {step.id!r} is {kind} and needs a person at a terminal: {alone}"))
        problems.extend([*_given_problems(step, values), *_pause_problems(step, values)])
        for command, what in _commands_of(step):
            problems.extend(
                _command_problems(step, command, values, policy=policy, texts=texts, environment=environment, what=what)
            )
            problems.extend(_gated_problems(workflow, step, command, values, policy=policy, texts=texts))
        problems += _tests_problems(step, values, policy)
        if isinstance(step.body, Command):
            continue
        if (
            step.timeout_s is not None
            and not isinstance(step.body, (Execute, Gate, Manual, Pause, Session, Verify))
            and not python_timeouts
        ):
            problems.append(_at(step, f"step {step.id!r} has a timeout, but pytest-timeout is switched off"))
    return problems


def _talking_problems(workflow: Workflow, terminal_problem: Callable[[], str | None]) -> Iterator[Problem]:
    # Of Python code nobody knows which step talks; a step that says so itself has a problem of its own.
    says = any(isinstance(step.body, Session) for step in workflow.steps)
    if workflow.mode == "interactive" and not says and (alone := terminal_problem()) is not None:
        message = f"workflow {workflow.name!r} has mode 'interactive' and needs a person at a terminal: {alone}"
        yield Problem(path=workflow.file, message=message)


def _given_problems(step: Step, values: Values) -> Iterator[Problem]:
    found: dict[str, None] = {}
    for reference in given_in(step):
        if values.is_known(reference):
            try:
                values.value(reference)
            except OutputError as error:
                found[str(error)] = None
    yield from (_at(step, f"step {step.id!r}: {message}") for message in found)


def _pause_problems(step: Step, values: Values) -> Iterator[Problem]:
    if not isinstance(step.body, Pause):
        return
    from pytest_workflow_exec.run._pause import pause_problem

    message = pause_problem(step, step.body, values)
    if message is not None:
        yield _at(step, message)


def _surely_left_out(step: Step, values: Values) -> bool:
    if step.when is None or any(reference.scope == "steps" for reference in step.when.references):
        return False
    try:
        return not holds(step.when, values)
    except OutputError:
        return False


def _evidence_problems(workflow: Workflow, filesystem: Filesystem) -> Iterator[Problem]:
    state = workflow.root / STATE_DIRECTORY
    place = state if state.exists() else workflow.root
    kind = filesystem_of(place)
    if filesystem == "local" and is_remote(kind):
        message = (
            f"evidence would lie on {kind}, which may belong to another machine and can lose records. Work in a folder "
            'of this machine, or accept it in the configuration: filesystem = "any"'
        )
        yield Problem(path=place, message=message)
    if not os.access(place, os.W_OK | os.X_OK):
        yield Problem(path=place, message="evidence can't be written here; no step runs without it")


def _anchor_problems(workflow: Workflow, policy: Policy) -> Iterator[Problem]:
    if policy.carry == "anchored" and (policy.pin is None or policy.signers is None):
        lacking = "this project has no pin" if policy.pin is None else "the pin of this project holds no signers"
        message = (
            f'policy.carry = "anchored" carries what a seal of a pinned signer covers, and {lacking}. List the signers '
            "in workflow-signers and pin them with `workflow-exec trust`, or say another carry"
        )
        yield Problem(path=workflow.root, message=message)


def _command_problems(
    step: Step,
    command: Command,
    values: Values,
    *,
    policy: Policy,
    texts: Mapping[str, str],
    environment: Mapping[str, str],
    what: str,
) -> Iterator[Problem]:
    from pytest_workflow_exec.run._outlook import possible_rule
    from pytest_workflow_exec.run._surroundings import surroundings_problems
    from pytest_workflow_exec.sandbox import check_digest, identify, resolve_program

    try:
        rule = possible_rule(command, values, policy, texts)
        for name in [] if rule is None else rule.secrets:
            try:
                held = bool(environment.get(name))
            except SecretSourceError as error:
                yield _at(step, f"{what}: {error}")
                continue
            if not held:
                yield _at(step, f"{what} needs the secret {name}, which the environment does not set")
        for message in surroundings_problems(command, values, rule):
            yield _at(step, f"{what}: {message}")
        for message in () if rule is None else _right_problems(rule, values, policy):
            yield _at(step, f"{what}: {message}")
        program = values.known(command.argv[0])
        if program is not None:
            found = resolve_program(program, policy, rule)
            if rule is not None:
                check_digest(rule, identify(found))
    except (CommandRefusedError, CommandNotFoundError, OutputError) as error:
        yield _at(step, f"{what}: {error}")


def _tests_problems(step: Step, values: Values, policy: Policy) -> Iterator[Problem]:
    if not step.has_tests:
        return
    for message in _right_problems(policy.tests, values, policy):
        yield _at(step, f"step {step.id!r}: {message}")


def _right_problems(rule: Rule, values: Values, policy: Policy) -> Iterator[str]:
    from pytest_workflow_exec.sandbox import shared_memory_problems, socket_problems, write_problems

    yield from write_problems(rule, root=values.root, level=policy.level, path=policy.path)
    yield from socket_problems(rule, root=values.root, level=policy.level)
    yield from shared_memory_problems(rule, root=values.root, level=policy.level, path=policy.path)


def _commands_of(step: Step) -> Iterator[tuple[Command, str]]:
    if isinstance(step.body, Command):
        yield step.body, f"step {step.id!r}"
    if isinstance(step.check, Command):
        yield step.check, f"the check of step {step.id!r}"


def _gated_problems(
    workflow: Workflow, step: Step, command: Command, values: Values, *, policy: Policy, texts: Mapping[str, str]
) -> Iterator[Problem]:
    from pytest_workflow_exec.run._gated import gated_problem

    message = gated_problem(workflow, step, command, values, policy=policy, texts=texts)
    if message is not None:
        yield _at(step, message)


def _at(step: Step, message: str) -> Problem:
    return Problem(path=step.location.path, line=step.location.line, column=step.location.column, message=message)


def known_values(
    workflow: Workflow,
    inputs: Mapping[str, Json],
    groups: Mapping[str, Mapping[str, str]],
    secrets: Mapping[str, str] = MappingProxyType({}),
) -> Values:
    """Return what references stand for before a run exists: the inputs, and what is derived from them.

    Args:
        secrets: The values of secret inputs, where commands are to receive them.
    """
    from pytest_workflow_exec.run._values import Values

    return Values(
        root=workflow.root,
        run="",
        run_directory="",
        inputs=inputs,
        input_groups=groups,
        secrets={spec.name: secrets.get(spec.name) for spec in workflow.inputs if spec.type == "secret"},
        variables=workflow.variables,
        outputs={},
        outcomes={},
    )


def needs_person(workflow: Workflow) -> bool:
    """Whether a person has to be asked at a terminal in the run."""
    return any(
        isinstance(step.body, (Manual, Session)) or (isinstance(step.body, Gate) and not step.body.suspends)
        for step in workflow.steps
    )
