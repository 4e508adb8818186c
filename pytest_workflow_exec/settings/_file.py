"""The configuration file's own shape: strict models, whose words become the project's `Settings`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from pytest_workflow_exec.digests import Json, canonical_json, digest_of
from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.errors import SettingsError

from ._approvers import Group, Principals
from ._problems import Detail, Source
from ._values import Carry, Durability, Filesystem, PolicySettings, RuleSettings, SandboxMode, Settings, Trusted

_Text = Annotated[str, StringConstraints(min_length=1)]
_MAX_RETENTION_S = parse_duration("36500d")


def _retention(text: str) -> str:
    if parse_duration(text) > _MAX_RETENTION_S:
        message = "it is longer than a century"
        raise ValueError(message)
    return text


_Retention = Annotated[str, AfterValidator(_retention)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Rule(_Strict):
    rule: _Text
    exec: list[_Text] = []
    env: list[_Text] = []
    secrets: list[_Text] = []
    network: list[_Text] = []
    read: list[_Text] = []
    write: list[_Text] = []
    cwd: list[_Text] = []
    home: bool = False


class _WorkflowPolicy(_Strict):
    commands: list[_Text] = []
    command: list[_Rule] = []


class _Policy(_WorkflowPolicy):
    path: list[_Text] = ["venv", "/usr/bin", "/bin"]
    sandbox: SandboxMode | None = None
    env: list[_Text] = []
    write: list[_Text] = []
    network: list[_Text] = []
    workflows: dict[str, _WorkflowPolicy] = {}
    carry: Carry = "any"
    approvers: dict[Group, Principals] = {}
    signers: _Text | None = None
    revoked: _Text | None = None
    refuse_reachable_keys: bool = False
    starter_may_approve: bool = False


class _File(_Strict):
    policy: _Policy = Field(default_factory=_Policy)
    durability: Durability = "power"
    filesystem: Filesystem = "local"
    retention: _Retention | None = None


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
    return Settings(
        root=root,
        source=source,
        policy=_policy(file.policy, table),
        durability=file.durability,
        filesystem=file.filesystem,
        retention_s=None if file.retention is None else parse_duration(file.retention),
    )


def _policy(policy: _Policy, table: Mapping[str, Json]) -> PolicySettings:
    stated = canonical_json(table.get("policy", {}))
    return PolicySettings(
        rules=_rules(policy, policy),
        path=tuple(policy.path),
        sandbox=policy.sandbox,
        workflow_rules={name: _rules(own, policy) for name, own in policy.workflows.items()},
        carry=policy.carry,
        approvers={group: tuple(principals) for group, principals in policy.approvers.items()},
        refuse_reachable_keys=policy.refuse_reachable_keys,
        starter_may_approve=policy.starter_may_approve,
        trusted=Trusted(policy=stated),
        digest=digest_of(json.loads(stated)),
    )


def _rules(own: _WorkflowPolicy, defaults: _Policy) -> tuple[RuleSettings, ...]:
    short = [_Rule(rule=rule) for rule in own.commands]
    return tuple(_with_defaults(rule, defaults) for rule in [*short, *own.command])


def _with_defaults(rule: _Rule, defaults: _Policy) -> RuleSettings:
    said = rule.model_fields_set
    return RuleSettings(
        rule=rule.rule,
        exec=tuple(rule.exec),
        env=tuple(rule.env if "env" in said else defaults.env),
        secrets=tuple(rule.secrets),
        network=tuple(rule.network if "network" in said else defaults.network),
        read=tuple(rule.read),
        write=tuple(rule.write if "write" in said else defaults.write),
        cwd=tuple(rule.cwd),
        home=rule.home,
    )


def _known() -> Mapping[str, Iterable[str]]:
    models: dict[str, type[_Strict]] = {"top": _File, "policy": _Policy, "workflow": _WorkflowPolicy, "rule": _Rule}
    return {kind: tuple(model.model_fields) for kind, model in models.items()}
