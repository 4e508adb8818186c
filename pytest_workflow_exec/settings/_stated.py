"""Each setting with its value, and where that comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._project import table_of_source
from ._values import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class StatedSetting:
    """One setting, as it holds."""

    key: str
    """As it is written: `policy.sandbox`."""
    value: Json
    """What holds; None for what is not said and has no default."""
    source: Path | None = None
    """The file that says it; None for a default."""
    line: int | None = None
    """Where in it; None if that is not sure."""
    variable: str | None = None
    """The variable of the environment that says it, whatever the file says."""


def stated_settings(settings: Settings) -> tuple[StatedSetting, ...]:
    """Return every setting that there is, with the value that holds in a project, and what variables say beside them.

    Raises:
        SettingsError: The configuration can't be read any more.
    """
    return tuple(_stated(settings))


def _stated(settings: Settings) -> Iterator[StatedSetting]:
    # pydantic is a tenth of a second that only a project with a configuration should pay.
    from pydantic import BaseModel

    from ._file import _File, _Policy

    table = table_of_source(settings)
    policy = cast("Mapping[str, Json]", table.get("policy", {}))
    of_tables = (("", _File, table), ("policy.", _Policy, policy))
    for prefix, model, said in of_tables:
        for name, field in model.model_fields.items():
            if prefix or name != "policy":
                default = field.get_default(call_default_factory=True)
                # A table of its own, of which nothing is said.
                plain = default.model_dump(exclude_unset=True) if isinstance(default, BaseModel) else default
                yield _one(settings, f"{prefix}{name}", name in said, said.get(name, cast("Json", plain)))
    for option, by in settings.said.items():
        if option.startswith("-"):
            yield StatedSetting(key=option, value=by.value, variable=by.variable)


def _one(settings: Settings, key: str, said: bool, value: Json) -> StatedSetting:  # noqa: FBT001 - one of two sources
    if (by := settings.said.get(key)) is not None:
        return StatedSetting(key=key, value=by.value, variable=by.variable)
    if not said or settings.source is None:
        return StatedSetting(key=key, value=value)
    locate = settings.policy.locate
    line = None if locate is None else locate(tuple(key.split(".")))[1]
    return StatedSetting(key=key, value=value, source=settings.source, line=line)
