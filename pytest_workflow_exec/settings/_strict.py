"""What every table of a configuration has in common."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

FilledText = Annotated[str, Field(min_length=1)]


class Strict(BaseModel):
    """A table with these keys and no others; every value is what it is, never converted."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


def no_table() -> Any:  # noqa: ANN401  # a table is what its model makes of it, and this is none
    """Return what stands for a table that a file does not have."""
    return {}
