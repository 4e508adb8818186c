"""The shape of a workflow in YAML and of its steps; what stands below a step has a model that is made when there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from pytest_workflow_exec.lazy_models import Later

from ._schema_basics import DeclarationModel, Duration, Flag, Line, Lists, Name, Strict, Text, as_choice, as_items
from ._schema_defaults import OwnRetry
from ._schema_forms import as_argv, short

if TYPE_CHECKING:
    from ._schema_ai import AiModel, SessionModel
    from ._schema_calls import CallModel, CheckModel, VerifyModel
    from ._schema_commands import ExpectModel, OutputModel, PollModel
    from ._schema_people import GateModel, ManualModel, PauseModel, WaiveModel
else:
    AiModel, SessionModel = (
        Annotated[object, Later(f"{__package__}._schema_ai", name)] for name in ("AiModel", "SessionModel")
    )
    CallModel, CheckModel, VerifyModel = (
        Annotated[object, Later(f"{__package__}._schema_calls", name)]
        for name in ("CallModel", "CheckModel", "VerifyModel")
    )
    ExpectModel, OutputModel, PollModel = (
        Annotated[object, Later(f"{__package__}._schema_commands", name)]
        for name in ("ExpectModel", "OutputModel", "PollModel")
    )
    GateModel, ManualModel, PauseModel, WaiveModel = (
        Annotated[object, Later(f"{__package__}._schema_people", name)]
        for name in ("GateModel", "ManualModel", "PauseModel", "WaiveModel")
    )


class FileModel(DeclarationModel):
    """The keys of a workflow in YAML."""

    steps: Annotated[list[object], Field(min_length=1)]
    finally_: Annotated[list[object] | None, Field(alias="finally", min_length=1)] = None


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
    foreach: Lists | None = None
    evidence: object = None
    allow_empty: Flag = False
    idempotent: Flag = False
    max_age: Duration | None = None
    check: CheckModel | None = None
    undoes: Annotated[list[Line], Field(min_length=1), BeforeValidator(as_items)] | None = None
    run: Annotated[list[Text], Field(min_length=1), BeforeValidator(as_argv)] | None = None
    cwd: Text | None = None
    env: dict[str, Text] | None = None
    stdin: Text | None = None
    expect: ExpectModel | None = None
    outputs: dict[str, OutputModel] | None = None
    call: Annotated[CallModel, short("function")] | None = None
    verify: Annotated[VerifyModel, short("path")] | None = None
    skips: Annotated[Literal["allow"], BeforeValidator(as_choice)] | None = None
    poll: Annotated[PollModel | None, short("every")] = None
    waive: Annotated[WaiveModel | None, short("question")] = None
    gate: Annotated[GateModel, short("question")] | None = None
    pause: Annotated[PauseModel, short("for")] | None = None
    manual: Annotated[ManualModel, short("instruction")] | None = None
    ai: AiModel | None = None
    session: SessionModel | None = None
    execute: Text | None = None


KINDS = ("run", "call", "verify", "gate", "manual", "pause", "ai", "session", "execute")
