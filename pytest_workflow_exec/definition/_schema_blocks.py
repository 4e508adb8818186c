"""The models of blocks, includes and fragments."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ._schema_basics import (
    Flag,
    Line,
    Lists,
    Name,
    Strict,
    Text,
)


class BlockModel(Strict):
    """Steps that belong together: for each value of a list all of them, before the next value."""

    id: Name
    name: Line | None = None
    description: Text = ""
    when: Text | None = None
    foreach: Lists | None = None
    allow_empty: Flag = False
    steps: Annotated[list[object], Field(min_length=1)]
    finally_: Annotated[list[object] | None, Field(alias="finally", min_length=1)] = None


class IncludeModel(Strict):
    """The steps of a fragment."""

    include: Line
    id: Name | None = None
    description: Text = ""
    when: Text | None = None
    foreach: Lists | None = None
    allow_empty: Flag = False
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
