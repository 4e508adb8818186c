"""What files of answers and of conversations have in common."""

from __future__ import annotations

from typing import Annotated, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pytest_workflow_exec.strict_json import StrictJsonError, parse


class CassetteError(ValueError):
    """A cassette can't be understood, and why."""


class Kept(BaseModel):
    """A part of a cassette."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class KeptUsage(Kept):
    """What answers cost."""

    input_tokens: Annotated[int, Field(ge=0)]
    output_tokens: Annotated[int, Field(ge=0)]
    cost_usd: Annotated[float, Field(ge=0, allow_inf_nan=False)]


class OfStep(Kept):
    """A cassette: what is kept of one step."""

    format: str
    step: str


_OfStep = TypeVar("_OfStep", bound=OfStep)


def read_kept(kind: type[_OfStep], text: str, *, step: str) -> _OfStep:
    """Return the cassette of a step.

    Raises:
        CassetteError: The text is none, or that of another step.
    """
    try:
        cassette = kind.model_validate(parse(text))
    except StrictJsonError as error:
        raise CassetteError(str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False)[0]
        raise CassetteError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if cassette.step != step:
        raise CassetteError(f"it is that of step {cassette.step!r}")
    return cassette
