"""The type of a plan: commands that a model proposes, for a person to approve and `execute:` to run."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

_MAX_COMMANDS = 50
_MAX_WORDS = 200
_MAX_CHARACTERS = 4096

Word = Annotated[str, Field(max_length=_MAX_CHARACTERS)]


class PlannedCommand(BaseModel):
    """One command of a plan."""

    model_config = ConfigDict(extra="forbid")

    argv: Annotated[list[Word], Field(min_length=1, max_length=_MAX_WORDS)] = Field(
        description="The program and its arguments, one text each. There is no shell: nothing is split or expanded."
    )
    why: Annotated[str, Field(max_length=_MAX_CHARACTERS)] = Field(
        description="Why it is needed, in one or two sentences, for the person who approves it."
    )


class CommandPlan(BaseModel):
    """Commands in the order in which they are to be run; if one fails, those behind it are not started.

    Derive from it to ask for more: `class Repair(CommandPlan): cause: str`.
    """

    model_config = ConfigDict(extra="forbid")

    commands: Annotated[list[PlannedCommand], Field(min_length=1, max_length=_MAX_COMMANDS)]
