"""The models of functions, tests and checks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, Field

from pytest_workflow_exec.lazy_models import Later

from ._schema_basics import (
    Line,
    Strict,
    Text,
    as_choice,
)
from ._schema_forms import as_argv, short

if TYPE_CHECKING:
    from ._schema_commands import ExpectModel
else:
    ExpectModel = Annotated[object, Later(f"{__package__}._schema_commands", "ExpectModel")]


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

    run: Annotated[list[Text], Field(min_length=1), BeforeValidator(as_argv)] | None = None
    expect: ExpectModel | None = None
    call: Annotated[CallModel, short("function")] | None = None
    with_: Annotated[dict[str, object] | None, Field(alias="with")] = None
    verify: Annotated[VerifyModel, short("path")] | None = None
