"""The configuration file's own shape: strict models, whose words become the project's `Settings`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, cast

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError

from pytest_workflow_exec.digests import Json, canonical_json, digest_of
from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.errors import Problem, SettingsError

from ._approvers import Group, Principals
from ._limits import Limits
from ._problems import Detail, Source
from ._toml import Place
from ._values import (
    MAX_BUDGET_USD,
    MAX_RETENTION_S,
    MAX_SEGMENT_MIB,
    MIN_BUDGET_USD,
    MIN_SEGMENT_MIB,
    AiMode,
    Carry,
    Durability,
    Filesystem,
    GatedSettings,
    GitIdentity,
    NotifyOn,
    NotifySettings,
    PolicySettings,
    PythonProcesses,
    RuleNeed,
    RuleSettings,
    SandboxMode,
    SecretSource,
    Settings,
    Trusted,
    VerifyNeed,
)

_Text = Annotated[str, StringConstraints(min_length=1)]
_MIB = 1 << 20


def _retention(text: str) -> str:
    if parse_duration(text) > MAX_RETENTION_S:
        message = "it is longer than a century"
        raise ValueError(message)
    return text


_Retention = Annotated[str, AfterValidator(_retention)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class _Gated(_Strict):
    assurance: Annotated[int, Field(ge=1, le=3)]
    approvers: list[_Text] = []


_Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
# As git spells a person: what ends a name or an address, and what can't be seen, is in neither.
_Person = Annotated[str, StringConstraints(pattern=r"^[^\s<>,:;.'\"\\](?:[^\x00-\x1f\x7f<>]*[^\s<>,:;.'\"\\])?$")]


class _GitIdentity(_Strict):
    name: _Person
    email: _Person


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _as_programs(value: object) -> object:
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


class _Rule(_Strict):
    program: _Text | None = None
    subcommand: Annotated[list[_Text], BeforeValidator(_as_list)] = []
    options: list[_Text] = []
    arguments: Annotated[str | tuple[str, ...], PlainValidator(_as_arguments)] = "none"
    allow: list[_Example] = []
    refuse: list[_Example] = []
    sha256: _Digest | None = None
    gated: _Gated | None = None
    exec: Annotated[list[_Text], BeforeValidator(_as_programs)] = []
    env: list[_Text] = []
    secrets: list[_Text] = []
    network: list[_Text] = []
    read: list[_Text] = []
    write: list[_Text] = []
    cwd: list[_Text] = []
    home: bool = False
    sockets: list[_Text] = []
    needs: list[RuleNeed] = []
    limits: Limits = Field(default_factory=Limits)

    # The last: what it may be depends on the others.
    rule: Annotated[_Text | None, Field(validate_default=True)] = None

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


class _WorkflowPolicy(_Strict):
    commands: list[_Text] = []
    command: list[_Rule] = []
    break_glass: bool = False


class _Verify(_Strict):
    exec: Annotated[list[_Text], BeforeValidator(_as_programs)] = []
    env: list[_Text] = []
    network: list[_Text] = []
    read: list[_Text] = []
    write: list[_Text] = []
    home: bool = False
    sockets: list[_Text] = []
    needs: list[VerifyNeed] = []


class _Secret(_Strict):
    file: _Text | None = None
    user: _Text | None = None

    # The last: it stands for the file, and says so if both are there.
    keyring: Annotated[_Text | None, Field(validate_default=True)] = None

    @field_validator("keyring")
    @classmethod
    def _one_place(cls, service: str | None, others: ValidationInfo) -> str | None:
        file, user = others.data.get("file"), others.data.get("user")
        if (file is None) == (service is None):
            raise PydanticCustomError("form", ': give one of file = "PATH", and keyring = "SERVICE" with user = "NAME"')
        if (user is None) == (service is not None):
            raise PydanticCustomError("form", ": user and keyring stand together")
        return service


class _Policy(_WorkflowPolicy):
    path: list[_Text] = ["venv", "/usr/bin", "/bin"]
    sandbox: SandboxMode | None = None
    env: list[_Text] = []
    write: list[_Text] = []
    network: list[_Text] = []
    limits: Limits = Field(default_factory=Limits)
    workflows: dict[str, _WorkflowPolicy] = {}
    verify: _Verify = Field(default_factory=_Verify)
    carry: Carry = "any"
    approvers: dict[Group, Principals] = {}
    secrets: dict[_Text, _Secret] = {}
    signers: _Text | None = None
    revoked: _Text | None = None
    refuse_reachable_keys: bool = False
    starter_may_approve: bool = False
    submitters: list[_Text] = []
    git_identity: _GitIdentity | None = None
    python_processes: PythonProcesses = "refuse"


class _Notify(_Strict):
    command: Annotated[list[_Text], Field(min_length=1)]
    on: Annotated[list[NotifyOn], Field(min_length=1)]

    @field_validator("command")
    @classmethod
    def _known_program(cls, command: list[str]) -> list[str]:
        # What a path in the project names, a step could have written.
        if "/" in command[0] and not command[0].startswith("/"):
            raise PydanticCustomError("form", ": the program must be a name on the policy's path, or an absolute path")
        return command


class _File(_Strict):
    policy: _Policy = Field(default_factory=_Policy)
    notify: list[_Notify] = []
    durability: Durability = "power"
    filesystem: Filesystem = "local"
    retention: _Retention | None = None
    segment_mib: Annotated[float, Field(ge=MIN_SEGMENT_MIB, le=MAX_SEGMENT_MIB)] | None = None
    ai: AiMode | None = None
    ai_budget: Annotated[float, Field(ge=MIN_BUDGET_USD, le=MAX_BUDGET_USD)] | None = None


def read_settings(root: Path, source: Path, table: Mapping[str, Json], place: tuple[str, ...]) -> Settings:
    """Return what the table of a configuration file states.

    Args:
        root: The project.
        place: The keys that lead to the table in the file.

    Raises:
        SettingsError: A key does not exist, is not supported, or has a value of the wrong kind.
    """
    try:
        file = _File.model_validate(table)
    except ValidationError as error:
        known, origin = _known(), Source(path=source, place=place)
        details = cast("list[Detail]", error.errors(include_url=False))
        raise SettingsError([origin.problem(detail, known) for detail in details]) from error
    _demand_told(file, Source(path=source, place=place))
    return Settings(
        root=root,
        source=source,
        policy=_policy(file.policy, table, Source(path=source, place=place)),
        durability=file.durability,
        filesystem=file.filesystem,
        notify=tuple(NotifySettings(command=tuple(each.command), on=tuple(each.on)) for each in file.notify),
        segment_bytes=None if file.segment_mib is None else int(file.segment_mib * _MIB),
        retention_s=None if file.retention is None else parse_duration(file.retention),
        ai=file.ai,
        ai_budget_usd=file.ai_budget,
    )


def _demand_told(file: _File, source: Source) -> None:
    """Return unless glass may be broken and nobody would hear of it.

    Raises:
        SettingsError: So it is.
    """
    if any("break_glass" in each.on for each in file.notify):
        return
    tables = {name: own.break_glass for name, own in file.policy.workflows.items()}
    granted: list[Place] = [("policy", "break_glass")] if file.policy.break_glass else []
    granted += [("policy", "workflows", name, "break_glass") for name, grants in tables.items() if grants]
    prefix = "".join(f"{part}." for part in source.place)
    problems = [
        Problem(
            path=source.path,
            line=source.locate(place)[1],
            message=f"{'.'.join(map(str, place))} needs somebody who is told at once: a table [[{prefix}notify]] with "
            'command = [...] and on = ["break_glass"]',
        )
        for place in granted
    ]
    if problems:
        raise SettingsError(problems)


def _policy(policy: _Policy, table: Mapping[str, Json], source: Source) -> PolicySettings:
    identity, stated = policy.git_identity, canonical_json(_trusted(table))
    return PolicySettings(
        rules=_rules(policy, policy, ("policy",)),
        path=tuple(policy.path),
        sandbox=policy.sandbox,
        workflow_rules={
            name: _rules(own, policy, ("policy", "workflows", name)) for name, own in policy.workflows.items()
        },
        limits=policy.limits.settings(Limits()),
        verify=_verify(policy.verify),
        carry=policy.carry,
        approvers={group: tuple(principals) for group, principals in policy.approvers.items()},
        secrets={
            name: SecretSource(file=source.file, keyring=source.keyring, user=source.user)
            for name, source in policy.secrets.items()
        },
        refuse_reachable_keys=policy.refuse_reachable_keys,
        starter_may_approve=policy.starter_may_approve,
        break_glass=policy.break_glass,
        break_glass_in=frozenset(name for name, own in policy.workflows.items() if own.break_glass),
        submitters=tuple(policy.submitters),
        python_processes=policy.python_processes,
        git_identity=None if identity is None else GitIdentity(name=identity.name, email=identity.email),
        trusted=Trusted(policy=stated),
        digest=digest_of(json.loads(stated)),
        locate=source.locate,
    )


def _trusted(table: Mapping[str, Json]) -> Json:
    policy, notify = table.get("policy", {}), table.get("notify")
    # No rule allows these commands: that they are as they were is what a pin and a gate hold.
    return {**policy, "notify": notify} if isinstance(policy, Mapping) and notify else policy


def _verify(verify: _Verify) -> RuleSettings:
    return RuleSettings(
        rule="verify",
        exec=tuple(verify.exec),
        env=tuple(verify.env),
        network=tuple(verify.network),
        read=tuple(verify.read),
        write=tuple(verify.write),
        home=verify.home,
        sockets=tuple(verify.sockets),
        needs=tuple(verify.needs),
        place=("policy", "verify"),
    )


def _rules(own: _WorkflowPolicy, defaults: _Policy, table: Place) -> tuple[RuleSettings, ...]:
    short = [((*table, "commands", at), _Rule(rule=rule)) for at, rule in enumerate(own.commands)]
    tables = [((*table, "command", at), rule) for at, rule in enumerate(own.command)]
    return tuple(_with_defaults(rule, defaults, place) for place, rule in [*short, *tables])


def _with_defaults(rule: _Rule, defaults: _Policy, place: Place) -> RuleSettings:
    said = rule.model_fields_set
    gated = rule.gated
    return RuleSettings(
        rule=rule.rule or "",
        program=rule.program,
        subcommand=tuple(rule.subcommand),
        options=tuple(rule.options),
        arguments=rule.arguments,
        allow=tuple(rule.allow),
        refuse=tuple(rule.refuse),
        sha256=rule.sha256,
        gated=None if gated is None else GatedSettings(assurance=gated.assurance, approvers=tuple(gated.approvers)),
        exec=tuple(rule.exec),
        env=tuple(rule.env if "env" in said else defaults.env),
        secrets=tuple(rule.secrets),
        network=tuple(rule.network if "network" in said else defaults.network),
        read=tuple(rule.read),
        write=tuple(rule.write if "write" in said else defaults.write),
        cwd=tuple(rule.cwd),
        home=rule.home,
        sockets=tuple(rule.sockets),
        needs=tuple(rule.needs),
        limits=rule.limits.settings(defaults.limits),
        place=place,
    )


def _known() -> Mapping[str, Iterable[str]]:
    models: dict[str, type[BaseModel]] = {
        "top": _File,
        "policy": _Policy,
        "workflow": _WorkflowPolicy,
        "rule": _Rule,
        "gated": _Gated,
        "verify": _Verify,
        "git_identity": _GitIdentity,
        "notify": _Notify,
        "limits": Limits,
        "secret": _Secret,
    }
    return {kind: tuple(model.model_fields) for kind, model in models.items()}
