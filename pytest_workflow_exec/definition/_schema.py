"""The shape of a definition: strict models, the same for YAML and for what Python declares."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._schema_basics import (
    DeclarationModel,
    Duration,
    Flag,
    Line,
    Name,
    Strict,
    Text,
    Whole,
    as_choice,
    as_items,
    as_text,
    as_whole,
    complaint,
)
from ._schema_defaults import OwnRetry

_MAX_SHOWN = 200


def _argv(value: object) -> object:
    if not isinstance(value, str):
        return value
    if not value:
        raise complaint("has no value; write a list of arguments: [git, status]")
    raise complaint(f"takes a list of arguments, as there is no shell that would split a text: {_as_list(value)}")


def _as_list(command: str) -> str:
    try:
        words = shlex.split(command)
    except ValueError:
        words = command.split()
    showable = command.isprintable() and len(command) < _MAX_SHOWN
    return f"write [{', '.join(words)}]" if showable else "write [git, status]"


def _required(value: object) -> object:
    if isinstance(value, dict):
        if not value:
            raise complaint("names no group; write {group: 2}, or a number")
        return {str(as_text(group)): as_whole(number) for group, number in value.items()}
    return None if value is None else as_whole(value)


class FileModel(DeclarationModel):
    """The keys of a workflow in YAML."""

    steps: Annotated[list[object], Field(min_length=1)]
    finally_: Annotated[list[object] | None, Field(alias="finally", min_length=1)] = None


class MatchModel(Strict):
    """The matchers of one expectation."""

    in_: Annotated[list[Text] | None, Field(alias="in", min_length=1)] = None
    not_: Annotated[Text | None, Field(alias="not")] = None
    matches: Text | None = None
    not_matches: Text | None = None
    contains: Text | None = None
    lt: Text | None = None
    le: Text | None = None
    gt: Text | None = None
    ge: Text | None = None


class JsonMatchModel(Strict):
    """The matchers of one value in JSON; what they compare with keeps its type."""

    in_: Annotated[list[object] | None, Field(alias="in", min_length=1)] = None
    not_: Annotated[object, Field(alias="not")] = None
    matches: object = None
    not_matches: object = None
    contains: object = None
    lt: object = None
    le: object = None
    gt: object = None
    ge: object = None


class EqualsModel(MatchModel):
    """The short form: a text instead of matchers. Never validated, so `equals:` can't be written in a file."""

    equals: str


def _match(value: object) -> object:
    if isinstance(value, str):
        return EqualsModel.model_construct(equals=str(as_text(value)))
    if isinstance(value, list):
        raise complaint("must be a text or matchers; for a choice write {in: [...]}")
    if isinstance(value, dict) and not value:
        raise complaint("holds no matcher")
    return value


Match = Annotated[MatchModel, BeforeValidator(_match)]


class ExpectModel(Strict):
    """What a command must have done."""

    exit: Match | None = None
    stdout: Match | None = None
    stderr: Match | None = None
    json_: Annotated[dict[str, object] | None, Field(alias="json")] = None


class OutputModel(Strict):
    """How an output becomes a value."""

    stdout: Text | None = None
    json_: Annotated[Text | None, Field(alias="json")] = None
    glob: Text | None = None
    count: Whole | None = None
    type: (
        Annotated[Literal["file", "list", "string", "integer", "number", "boolean"], BeforeValidator(as_choice)] | None
    ) = None
    default: Text | None = None


@dataclass(frozen=True, slots=True)
class Short:
    """The short form of a mapping: a text instead of it, for one of its keys."""

    key: str

    def __call__(self, value: object) -> object:
        """Return the mapping that is meant."""
        return {self.key: value} if isinstance(value, str) else value


def _short(key: str) -> BeforeValidator:
    return BeforeValidator(Short(key))


class CallModel(Strict):
    """A function beside the workflow file."""

    function: Line
    with_: Annotated[dict[str, object], Field(alias="with")] = {}


class VerifyModel(Strict):
    """Tests that run in a pytest of their own."""

    path: Line
    skips: Annotated[Literal["allow"], BeforeValidator(as_choice)] | None = None


class CheckModel(Strict):
    """What passes if the effect of a step is there."""

    run: Annotated[list[Text], Field(min_length=1), BeforeValidator(_argv)] | None = None
    expect: ExpectModel | None = None
    call: Annotated[CallModel, _short("function")] | None = None
    with_: Annotated[dict[str, object] | None, Field(alias="with")] = None
    verify: Annotated[VerifyModel, _short("path")] | None = None


class GateModel(Strict):
    """A question for a person."""

    question: Text
    show: Annotated[list[Line], BeforeValidator(as_items)] = []
    timeout: Duration | None = None
    meaning: Line = "approve"
    refs: Annotated[list[Line], BeforeValidator(as_items)] = []
    assurance: Whole = 1
    approvers: Annotated[list[Line], BeforeValidator(as_items)] = []
    required: Annotated[int | dict[str, int] | None, BeforeValidator(_required)] = None
    min_wait: Duration | None = None
    veto: Flag | None = None
    in_advance: Flag = False
    wait: Annotated[Literal["suspend"], BeforeValidator(as_choice)] | None = None
    on_timeout: Annotated[Literal["reject", "suspend"], BeforeValidator(as_choice)] = "reject"
    expires: Duration | None = None
    form: Annotated[dict[str, object] | None, Field(min_length=1)] = None


class ManualModel(Strict):
    """Work for a person."""

    instruction: Text
    checklist: Annotated[list[Text], BeforeValidator(as_items)] = []
    form: Annotated[dict[str, object] | None, Field(min_length=1)] = None


class PauseModel(Strict):
    """A time to wait for."""

    for_: Annotated[Duration | None, Field(alias="for")] = None
    until: Text | None = None
    wait: Annotated[Literal["suspend"], BeforeValidator(as_choice)] | None = None


class PollModel(Strict):
    """How a step is repeated until it is as expected."""

    every: Duration
    timeout: Duration = 86400.0
    fail_on: ExpectModel | None = None
    wait: Annotated[Literal["suspend"], BeforeValidator(as_choice)] | None = None


class AiContextModel(Strict):
    """Which of the project's CLAUDE.md files a model is given."""

    task_type: Line | None = None
    keywords: Annotated[list[Line], BeforeValidator(as_items)] = []
    max_tokens: Whole | None = None


class AiModel(Strict):
    """A question to a model, and the type of its answer."""

    prompt: Text
    output: object
    context: AiContextModel | None = None
    model: Line | None = None
    attempts: Whole | None = None
    timeout: Duration | None = None
    budget: Text | None = None


class SessionModel(Strict):
    """A conversation of a person with a model, and the type of its conclusion."""

    prompt: Text
    output: object
    tools: Annotated[list[Line], BeforeValidator(as_items)] = []
    context: AiContextModel | None = None
    model: Line | None = None
    attempts: Whole | None = None
    timeout: Duration | None = None
    turn_timeout: Duration | None = None
    turns: Whole | None = None
    budget: Text | None = None
    turn_budget: Text | None = None


class WaiveModel(Strict):
    """What a person is asked if the step fails."""

    question: Text
    timeout: Duration | None = None
    assurance: Whole = 1
    approvers: Annotated[list[Line], BeforeValidator(as_items)] = []


class EvidenceModel(Strict):
    """The values that a step has to leave, by their names."""

    evidence: Annotated[list[Line], Field(min_length=1), BeforeValidator(as_items)]


class StepModel(OwnRetry):
    """One step."""

    id: Name
    name: Line | None = None
    description: Text = ""
    timeout: Duration | None = None
    when: Text | None = None
    foreach: dict[str, object] | None = None
    evidence: object = None
    allow_empty: Flag = False
    idempotent: Flag = False
    max_age: Duration | None = None
    check: CheckModel | None = None
    undoes: Annotated[list[Line], Field(min_length=1), BeforeValidator(as_items)] | None = None
    run: Annotated[list[Text], Field(min_length=1), BeforeValidator(_argv)] | None = None
    cwd: Text | None = None
    env: dict[str, Text] | None = None
    stdin: Text | None = None
    expect: ExpectModel | None = None
    outputs: dict[str, OutputModel] | None = None
    call: Annotated[CallModel, _short("function")] | None = None
    verify: Annotated[VerifyModel, _short("path")] | None = None
    skips: Annotated[Literal["allow"], BeforeValidator(as_choice)] | None = None
    poll: Annotated[PollModel | None, _short("every")] = None
    waive: Annotated[WaiveModel | None, _short("question")] = None
    gate: Annotated[GateModel, _short("question")] | None = None
    pause: Annotated[PauseModel, _short("for")] | None = None
    manual: Annotated[ManualModel, _short("instruction")] | None = None
    ai: AiModel | None = None
    session: SessionModel | None = None
    execute: Text | None = None


class BlockModel(Strict):
    """Steps that belong together: for each value of a list all of them, before the next value."""

    id: Name
    name: Line | None = None
    description: Text = ""
    when: Text | None = None
    foreach: dict[str, object] | None = None
    allow_empty: Flag = False
    steps: Annotated[list[object], Field(min_length=1)]
    finally_: Annotated[list[object] | None, Field(alias="finally", min_length=1)] = None


class IncludeModel(Strict):
    """The steps of a fragment."""

    include: Line
    id: Name | None = None
    description: Text = ""
    when: Text | None = None
    with_: Annotated[dict[str, object], Field(alias="with")] = {}


class FragmentDeclarationModel(Strict):
    """The keys of a fragment that both forms have."""

    description: Text = ""
    inputs: dict[str, object] = {}
    vars: dict[str, object] = {}
    defaults: object = None
    outputs: dict[str, Text] = {}


class FragmentModel(FragmentDeclarationModel):
    """The keys of a fragment, which other files include."""

    steps: Annotated[list[object], Field(min_length=1)]
    finally_: Annotated[list[object] | None, Field(alias="finally", min_length=1)] = None


KINDS = ("run", "call", "verify", "gate", "manual", "pause", "ai", "session", "execute")
