"""The configuration file's own shape: strict models, whose words become the project's `Settings`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, cast

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from pytest_workflow_exec.digests import Json, canonical_json, digest_of
from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.errors import Problem, SettingsError
from pytest_workflow_exec.lazy_models import Later

from ._approvers import Group, Principals
from ._problems import Detail, Source
from ._strict import FilledText, Strict, no_table
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
    LimitSettings,
    NotifySettings,
    PolicySettings,
    PythonProcesses,
    RuleSettings,
    SandboxMode,
    SecretSource,
    Settings,
    Trusted,
)
from ._values import (
    GitIdentity as GitIdentitySettings,
)

if TYPE_CHECKING:
    from ._limits import Limits
    from ._tables import GitIdentity, Notify, Rule, Secret, Verify
else:
    Limits = Annotated[object, Later(f"{__package__}._limits", "Limits")]
    GitIdentity, Notify, Rule, Secret, Verify = (
        Annotated[object, Later(f"{__package__}._tables", name)]
        for name in ("GitIdentity", "Notify", "Rule", "Secret", "Verify")
    )

_MIB = 1 << 20


def _retention(text: str) -> str:
    if parse_duration(text) > MAX_RETENTION_S:
        message = "it is longer than a century"
        raise ValueError(message)
    return text


_Retention = Annotated[str, AfterValidator(_retention)]


class _WorkflowPolicy(Strict):
    commands: list[FilledText] = []
    command: list[Rule] = []
    break_glass: bool = False


class _Policy(_WorkflowPolicy):
    path: list[FilledText] = ["venv", "/usr/bin", "/bin"]
    sandbox: SandboxMode | None = None
    env: list[FilledText] = []
    write: list[FilledText] = []
    network: list[FilledText] = []
    limits: Limits = Field(default_factory=no_table)
    workflows: dict[str, _WorkflowPolicy] = {}
    verify: Verify = Field(default_factory=no_table)
    carry: Carry = "any"
    approvers: dict[Group, Principals] = {}
    secrets: dict[FilledText, Secret] = {}
    signers: FilledText | None = None
    revoked: FilledText | None = None
    refuse_reachable_keys: bool = False
    starter_may_approve: bool = False
    submitters: list[FilledText] = []
    git_identity: GitIdentity | None = None
    python_processes: PythonProcesses = "refuse"


class _File(Strict):
    policy: _Policy = Field(default_factory=_Policy)
    notify: list[Notify] = []
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
        limits=_limits(policy.limits),
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
        git_identity=None if identity is None else GitIdentitySettings(name=identity.name, email=identity.email),
        trusted=Trusted(policy=stated),
        digest=digest_of(json.loads(stated)),
        locate=source.locate,
    )


def _trusted(table: Mapping[str, Json]) -> Json:
    policy, notify = table.get("policy", {}), table.get("notify")
    # No rule allows these commands: that they are as they were is what a pin and a gate hold.
    return {**policy, "notify": notify} if isinstance(policy, Mapping) and notify else policy


def _limits(*tables: Limits) -> LimitSettings:
    """Return what is stated in any of the tables; what a later one states goes before."""
    stated: dict[str, int | None] = {}
    for table in tables:
        if isinstance(table, BaseModel):
            stated |= table.stated()
    return LimitSettings(stated=tuple(stated.items()))


def _verify(verify: Verify) -> RuleSettings:
    if not isinstance(verify, BaseModel):
        return RuleSettings(rule="verify", place=("policy", "verify"))
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
    short = [_short(rule, defaults, (*table, "commands", at)) for at, rule in enumerate(own.commands)]
    tables = [_with_defaults(rule, defaults, (*table, "command", at)) for at, rule in enumerate(own.command)]
    return (*short, *tables)


def _short(rule: str, defaults: _Policy, place: Place) -> RuleSettings:
    return RuleSettings(
        rule=rule,
        env=tuple(defaults.env),
        network=tuple(defaults.network),
        write=tuple(defaults.write),
        limits=_limits(defaults.limits),
        place=place,
    )


def _with_defaults(rule: Rule, defaults: _Policy, place: Place) -> RuleSettings:
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
        limits=_limits(defaults.limits, rule.limits),
        place=place,
    )


def _known() -> Mapping[str, Iterable[str]]:
    # All models, for the first mistake; a file without one needs those of its own tables.
    from . import _limits, _tables

    models: dict[str, type[BaseModel]] = {
        "top": _File,
        "policy": _Policy,
        "workflow": _WorkflowPolicy,
        "rule": _tables.Rule,
        "gated": _tables.Gated,
        "verify": _tables.Verify,
        "git_identity": _tables.GitIdentity,
        "notify": _tables.Notify,
        "limits": _limits.Limits,
        "secret": _tables.Secret,
    }
    return {kind: tuple(model.model_fields) for kind, model in models.items()}
