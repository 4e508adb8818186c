"""`workflow-exec policy propose`: the narrowest rules that a workflow's plan needs; nothing is run or written."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_workflow_exec.counted import counted
from pytest_workflow_exec.definition import list_workflows, read_yaml_workflow
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.model import (
    Command,
    EachReference,
    EveryReference,
    InputSpec,
    OutputRule,
    Reference,
    Step,
    Template,
    Workflow,
    case_text,
)
from pytest_workflow_exec.sandbox import Anything, InputValue, Matching, Piece, RuleTextError, Text, narrow_rule
from pytest_workflow_exec.settings import find_project, load_settings

from ._find import project
from ._proposed import Proposal, ProposedRule

_IN_PATHS = "[A-Za-z0-9][A-Za-z0-9._+/-]*"
_OPEN_LIST = "it has as many arguments as a list has values, which only shows in a run"


class ProposeError(WorkflowExecError):
    """No rules can be proposed."""


def propose(arguments: argparse.Namespace) -> int:
    """Print the rules; return 0, or 1 if some command can't be said by a rule.

    Raises:
        ProposeError: There is no such workflow, or it is one of Python.
        LogUnreadableError: There is no project here.
        DefinitionError: The file is no workflow.
        SettingsError: The project's configuration can't be used.
    """
    root = project()
    given = dict(arguments.input)
    workflow = read_yaml_workflow(_file(arguments.workflow, root), root=root, given=lambda _name: given)
    proposal = Proposal(workflow=workflow.name)
    for step in workflow.steps:
        for command, why in _commands(step):
            _propose(proposal, command, why, workflow)
    said = f"from its plan of {counted(len(workflow.steps), 'step')}"
    lines = [*proposal.lines(source=load_settings(root).source, said=said), *_not_seen(workflow)]
    sys.stdout.write("\n".join(lines) + "\n")
    return int(bool(proposal.left_out))


def _file(named: str, root: Path) -> Path:
    path = Path(named).absolute()
    if not path.is_file():
        found = [
            each.path for each in list_workflows(root) if each.name == named and find_project(each.path.parent) == root
        ]
        if len(found) != 1:
            what = "no workflow file and no workflow of this project is" if not found else "several workflows are"
            raise ProposeError(f"{what} called {named!r}; `workflow-exec list` shows which there are")
        [path] = found
    if path.suffix == ".py":
        raise ProposeError(
            f"{path.name} is Python: what it runs only shows when it runs. Run it, then ask `workflow-exec policy learn`"
        )
    return path


def _commands(step: Step) -> Iterator[tuple[Command, str]]:
    if isinstance(step.body, Command):
        yield step.body, f"step {step.id}"
    if isinstance(step.check, Command):
        yield step.check, f"the check of step {step.id}"


def _propose(proposal: Proposal, command: Command, why: str, workflow: Workflow) -> None:
    try:
        words = [_word(argument, workflow) for argument in command.argv]
        proposal.add(ProposedRule(text=narrow_rule(words)), why)
    except RuleTextError as error:
        shown = "[" + ", ".join(ascii(argument.shown) for argument in command.argv) + "]"
        proposal.leave_out(shown, f"{why}: {error}")


def _word(template: Template, workflow: Workflow) -> Sequence[Piece]:
    pieces = list(_pieces(template, workflow))
    if len(pieces) > 1:
        # Inside a word nothing but a name's own characters may stand for an input.
        pieces = [InputValue(name=piece.name) if isinstance(piece, InputValue) else piece for piece in pieces]
    return pieces


def _pieces(template: Template, workflow: Workflow) -> Iterator[Piece]:
    for part in template.parts:
        if isinstance(part, str):
            yield Text(text=part)
        else:
            yield from _of_reference(part, workflow)


def _of_reference(reference: Reference, workflow: Workflow) -> Iterator[Piece]:
    if isinstance(reference, EachReference):
        yield Text(text=case_text(reference.value))
    elif isinstance(reference, EveryReference):
        raise RuleTextError(_OPEN_LIST)
    elif reference.scope == "vars" and reference.path[0] in workflow.variables:
        yield from _pieces(workflow.variables[reference.path[0]], workflow)
    elif reference.scope == "inputs" and len(reference.path) == 1:
        yield from (_of_input(spec) for spec in workflow.inputs if spec.name == reference.path[0])
    elif reference.scope == "steps" and (rule := _output(reference, workflow)) is not None:
        yield from _of_glob(rule, workflow)
    else:
        yield Anything()


def _of_input(spec: InputSpec) -> Piece:
    if spec.type == "boolean":
        return Matching(regex="true|false")
    return InputValue(name=spec.name, regex=_IN_PATHS if spec.type in ("path", "file") else None)


def _output(reference: Reference, workflow: Workflow) -> OutputRule | None:
    """Return the rule of the output that a reference names, if it is one file."""
    step, *keys = reference.path
    bodies = [each.body for each in workflow.steps if each.id == step and isinstance(each.body, Command)]
    rules = (rule for body in bodies for rule in body.outputs if [rule.name] == keys)
    return next((rule for rule in rules if rule.kind == "glob" and not rule.as_list and rule.count == 1), None)


def _of_glob(rule: OutputRule, workflow: Workflow) -> Iterator[Piece]:
    pieces = list(_pieces(rule.pattern, workflow))
    texts = [piece.text for piece in pieces if isinstance(piece, Text)]
    if any(sign in text for text in texts for sign in ("**", "?", "[")):
        yield Anything()
        return
    for piece in pieces:
        if not isinstance(piece, Text):
            yield piece
            continue
        for number, text in enumerate(piece.text.split("*")):
            yield from [Anything()] if number else []
            yield Text(text=text)


def _not_seen(workflow: Workflow) -> Iterator[str]:
    yield ""
    yield "# Rights (exec, write, network, ...) don't show in a plan: add what a command turns out to need."
    calls = [
        step.id for step in workflow.steps if not isinstance(step.body, Command) and step.kind in ("call", "function")
    ]
    if calls:
        yield f"# What {', '.join(calls)} run from Python shows in a run: `workflow-exec policy learn RUN`."
