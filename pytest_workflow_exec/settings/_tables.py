"""The tables that a configuration may have beside the policy itself: strict models, each made when there is one."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field, PlainValidator, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from ._limits import Limits
from ._strict import FilledText, Strict, no_table
from ._values import NotifyOn, RuleNeed, VerifyNeed


class Gated(Strict):
    assurance: Annotated[int, Field(ge=1, le=3)]
    approvers: list[FilledText] = []


_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# As git spells a person: what ends a name or an address, and what can't be seen, is in neither.
_Person = Annotated[str, StringConstraints(pattern=r"^[^\s<>,:;.'\"\\](?:[^\x00-\x1f\x7f<>]*[^\s<>,:;.'\"\\])?$")]


class GitIdentity(Strict):
    name: _Person
    email: _Person


def as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def as_programs(value: object) -> object:
    return {"none": [], "any": ["any"]}.get(value, value) if isinstance(value, str) else value


def _as_arguments(value: object) -> str | tuple[str, ...]:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return tuple(value)
    if not isinstance(value, str) or not value:
        raise PydanticCustomError("wrong_kind", "no arguments")
    return value


def _as_example(value: object) -> tuple[str, ...]:
    words = value.split(" ") if isinstance(value, str) else value
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise PydanticCustomError("wrong_kind", "no argument list")
    return tuple(words)


_Example = Annotated[tuple[str, ...], PlainValidator(_as_example)]
_OF_TABLES = ("program", "subcommand", "options", "arguments")


class Rule(Strict):
    program: FilledText | None = None
    subcommand: Annotated[list[FilledText], BeforeValidator(as_list)] = []
    options: list[FilledText] = []
    arguments: Annotated[str | tuple[str, ...], PlainValidator(_as_arguments)] = "none"
    allow: list[_Example] = []
    refuse: list[_Example] = []
    sha256: _Digest | None = None
    gated: Gated | None = None
    exec: Annotated[list[FilledText], BeforeValidator(as_programs)] = []
    env: list[FilledText] = []
    secrets: list[FilledText] = []
    network: list[FilledText] = []
    read: list[FilledText] = []
    write: list[FilledText] = []
    cwd: list[FilledText] = []
    home: bool = False
    sockets: list[FilledText] = []
    needs: list[RuleNeed] = []
    limits: Limits = Field(default_factory=no_table)

    # The last: what it may be depends on the others.
    rule: Annotated[FilledText | None, Field(validate_default=True)] = None

    @field_validator("rule")
    @classmethod
    def _one_form(cls, rule: str | None, others: ValidationInfo) -> str | None:
        if rule is None and others.data.get("program", "") is None:
            raise PydanticCustomError("form", ' is missing: it must be a text, such as "git status"')
        misplaced = [name for name in _OF_TABLES if others.data.get(name) not in (None, [], "none")]
        if rule is not None and misplaced:
            raise PydanticCustomError(
                "form",
                " stands beside {key}: a rule is one text, or a table with program and without rule",
                {"key": misplaced[0]},
            )
        return rule


class Verify(Strict):
    exec: Annotated[list[FilledText], BeforeValidator(as_programs)] = []
    env: list[FilledText] = []
    network: list[FilledText] = []
    read: list[FilledText] = []
    write: list[FilledText] = []
    home: bool = False
    sockets: list[FilledText] = []
    needs: list[VerifyNeed] = []


class Secret(Strict):
    file: FilledText | None = None
    user: FilledText | None = None

    # The last: it stands for the file, and says so if both are there.
    keyring: Annotated[FilledText | None, Field(validate_default=True)] = None

    @field_validator("keyring")
    @classmethod
    def _one_place(cls, service: str | None, others: ValidationInfo) -> str | None:
        file, user = others.data.get("file"), others.data.get("user")
        if (file is None) == (service is None):
            raise PydanticCustomError("form", ': give one of file = "PATH", and keyring = "SERVICE" with user = "NAME"')
        if (user is None) == (service is not None):
            raise PydanticCustomError("form", ": user and keyring stand together")
        return service


class Notify(Strict):
    command: Annotated[list[FilledText], Field(min_length=1)]
    on: Annotated[list[NotifyOn], Field(min_length=1)]

    @field_validator("command")
    @classmethod
    def _known_program(cls, command: list[str]) -> list[str]:
        # What a path in the project names, a step could have written.
        if "/" in command[0] and not command[0].startswith("/"):
            raise PydanticCustomError("form", ": the program must be a name on the policy's path, or an absolute path")
        return command
