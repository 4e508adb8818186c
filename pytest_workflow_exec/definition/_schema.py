"""The shape of a definition: strict models, the same for YAML and for what Python declares."""

from __future__ import annotations

import shlex
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import RetriedClass

from ._names import one_line_problem, quoted, step_id_problem
from ._yaml_tree import QUOTES, Plain

OWN_WORDS = "workflow"
"""The type of the errors whose message is ours and needs no translation."""

_MAX_WHOLE_DIGITS = 9
_MAX_SHOWN = 200


def complaint(message: str) -> PydanticCustomError:
    """Return an error that pydantic hands on as it is, with its place."""
    return PydanticCustomError(OWN_WORDS, "{message}", {"message": message})


def _text(value: object) -> object:
    if isinstance(value, Plain) and not value:
        raise complaint('has no value; write "" if an empty text is meant')
    if isinstance(value, dict):
        raise complaint(f"must be a text, not a mapping; if it is one text, {QUOTES}")
    if isinstance(value, (list, tuple)):
        raise complaint(f"must be a text, not a list; if it is one text, {QUOTES}")
    if not isinstance(value, str):
        raise complaint(f"must be a text, not {value!r}; {QUOTES}")
    return str(value)


def _line(value: object) -> object:
    text = _text(value)
    problem = one_line_problem(str(text))
    if problem is not None:
        raise complaint(problem)
    return text


def _name(value: object) -> object:
    text = _text(value)
    problem = step_id_problem(str(text))
    if problem is not None:
        raise complaint(problem)
    return text


def _duration(value: object) -> float:
    try:
        return parse_duration(str(_text(value)))
    except ValueError as error:
        raise complaint(str(error)) from error


def _whole(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    text = str(_text(value))
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_WHOLE_DIGITS):
        raise complaint(f"must be a whole number, not {quoted(text)}")
    return int(text)


def _flag(value: object) -> bool:
    if isinstance(value, bool):
        return value
    text = str(_text(value))
    if text not in ("true", "false"):
        raise complaint(f"must be true or false, not {quoted(text)}")
    return text == "true"


def _choice(value: object) -> object:
    return str(value) if isinstance(value, str) else value


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
        return {str(_text(group)): _whole(number) for group, number in value.items()}
    return None if value is None else _whole(value)


def _show(value: object) -> object:
    if isinstance(value, str) and value:
        raise complaint(f"takes a list: write [{value}]" if value.isprintable() else "takes a list")
    return list(value) if isinstance(value, tuple) else value


Text = Annotated[str, BeforeValidator(_text)]
Line = Annotated[str, BeforeValidator(_line)]
Name = Annotated[str, BeforeValidator(_name)]
Duration = Annotated[float, BeforeValidator(_duration)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Retried = Annotated[RetriedClass, BeforeValidator(_choice)]
Whole = Annotated[int, BeforeValidator(_whole)]


class Strict(BaseModel):
    """A mapping with these keys and no others; every value is what it is, never converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class NarrowingModel(Strict):
    """What a workflow itself keeps its commands to, of those that the project's policy allows."""

    only: list[Line]


class DeclarationModel(Strict):
    """The keys of a workflow that both forms have; what is below them is read piece by piece."""

    workflow: Name | None = None
    description: Text = ""
    mode: Annotated[Literal["python", "ai_json", "interactive"], BeforeValidator(_choice)] = "python"
    inputs: dict[str, object] = {}
    vars: dict[str, object] = {}
    concurrency: Line | None = None
    defaults: object = None
    outputs: dict[str, Text] = {}
    policy: NarrowingModel | None = None


class FileModel(DeclarationModel):
    """The keys of a workflow in YAML."""

    steps: Annotated[list[object], Field(min_length=1)]
    finally_: Annotated[list[object] | None, Field(alias="finally", min_length=1)] = None


def _attempts(value: object) -> object:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return {"attempts": value}
    return value


class RetryModel(Strict):
    """How a step is tried again."""

    attempts: Whole
    for_: Annotated[list[Retried], Field(alias="for", min_length=1), BeforeValidator(_show)] = ["transient"]
    never: Annotated[list[Retried], BeforeValidator(_show)] = []
    wait: Duration = 1.0
    max_wait: Duration = 60.0


class OwnRetry(Strict):
    """What a step says of being tried again."""

    retry: Annotated[RetryModel | None, BeforeValidator(_attempts)] = None


class DefaultsModel(OwnRetry):
    """What the steps of a workflow say unless they say it themselves."""

    timeout: Duration | None = None
    idempotent: Flag | None = None
    max_age: Duration | None = None
    cwd: Text | None = None
    env: dict[str, Text] | None = None


class InputModel(Strict):
    """One input."""

    type: Annotated[
        Literal["string", "integer", "number", "boolean", "enum", "list", "path", "file", "secret"],
        BeforeValidator(_choice),
    ] = "string"
    description: Text = ""
    pattern: Text | None = None
    values: Annotated[list[Text], Field(min_length=1), BeforeValidator(_show)] | None = None
    default: object = None


class DefaultModel(Strict):
    """A default that stands in a file of the project."""

    from_: Annotated[Line, Field(alias="from")]
    key: Line


class DefaultEnvModel(Strict):
    """Where a secret comes from: a variable of the environment."""

    env: Line


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
        return EqualsModel.model_construct(equals=str(_text(value)))
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
        Annotated[Literal["file", "list", "string", "integer", "number", "boolean"], BeforeValidator(_choice)] | None
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
    skips: Annotated[Literal["allow"], BeforeValidator(_choice)] | None = None


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
    show: Annotated[list[Line], BeforeValidator(_show)] = []
    timeout: Duration | None = None
    meaning: Line = "approve"
    refs: Annotated[list[Line], BeforeValidator(_show)] = []
    assurance: Whole = 1
    approvers: Annotated[list[Line], BeforeValidator(_show)] = []
    required: Annotated[int | dict[str, int] | None, BeforeValidator(_required)] = None
    min_wait: Duration | None = None
    veto: Flag | None = None
    in_advance: Flag = False
    wait: Annotated[Literal["suspend"], BeforeValidator(_choice)] | None = None
    on_timeout: Annotated[Literal["reject", "suspend"], BeforeValidator(_choice)] = "reject"
    expires: Duration | None = None
    form: Annotated[dict[str, object] | None, Field(min_length=1)] = None


class ManualModel(Strict):
    """Work for a person."""

    instruction: Text
    checklist: Annotated[list[Text], BeforeValidator(_show)] = []
    form: Annotated[dict[str, object] | None, Field(min_length=1)] = None


class PauseModel(Strict):
    """A time to wait for."""

    for_: Annotated[Duration | None, Field(alias="for")] = None
    until: Text | None = None
    wait: Annotated[Literal["suspend"], BeforeValidator(_choice)] | None = None


class PollModel(Strict):
    """How a step is repeated until it is as expected."""

    every: Duration
    timeout: Duration = 86400.0
    fail_on: ExpectModel | None = None
    wait: Annotated[Literal["suspend"], BeforeValidator(_choice)] | None = None


class AiContextModel(Strict):
    """Which of the project's CLAUDE.md files a model is given."""

    task_type: Line | None = None
    keywords: Annotated[list[Line], BeforeValidator(_show)] = []
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
    tools: Annotated[list[Line], BeforeValidator(_show)] = []
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
    approvers: Annotated[list[Line], BeforeValidator(_show)] = []


class StepModel(OwnRetry):
    """One step."""

    id: Name
    name: Line | None = None
    description: Text = ""
    timeout: Duration | None = None
    when: Text | None = None
    foreach: dict[str, object] | None = None
    evidence: Annotated[list[Line] | None, Field(min_length=1), BeforeValidator(_show)] = None
    allow_empty: Flag = False
    idempotent: Flag = False
    max_age: Duration | None = None
    check: CheckModel | None = None
    undoes: Annotated[list[Line], Field(min_length=1), BeforeValidator(_show)] | None = None
    run: Annotated[list[Text], Field(min_length=1), BeforeValidator(_argv)] | None = None
    cwd: Text | None = None
    env: dict[str, Text] | None = None
    stdin: Text | None = None
    expect: ExpectModel | None = None
    outputs: dict[str, OutputModel] | None = None
    call: Annotated[CallModel, _short("function")] | None = None
    verify: Annotated[VerifyModel, _short("path")] | None = None
    skips: Annotated[Literal["allow"], BeforeValidator(_choice)] | None = None
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
