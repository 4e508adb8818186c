"""Bounds on what commands use up, as the configuration states them."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from pytest_workflow_exec.durations import parse_duration
from pytest_workflow_exec.lazy_patterns import lazy_pattern

NO_LIMIT = "none"
_SIZE = lazy_pattern(r"([1-9][0-9]{0,6})(KiB|MiB|GiB|TiB)")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
_MOST_SECONDS = 1 << 31


def _size(value: object) -> object:
    found = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if found is None and value != NO_LIMIT:
        message = "no size"
        raise ValueError(message)
    return None if found is None else int(found[1]) * _UNITS[found[2]]


def _seconds(value: object) -> object:
    if value == NO_LIMIT:
        return None
    if not isinstance(value, str):
        message = "no duration"
        raise ValueError(message)  # noqa: TRY004  # pydantic reads it
    # Whole seconds, and at least one: the kernel counts no less.
    seconds = max(1, round(parse_duration(value)))
    if seconds > _MOST_SECONDS:
        message = "too long"
        raise ValueError(message)
    return seconds


def _count(value: object) -> object:
    return None if value == NO_LIMIT else value


_Size = Annotated[int | None, BeforeValidator(_size)]


class Limits(BaseModel):
    """The table `limits` of a policy or a rule."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)

    processes: Annotated[Annotated[int, Field(ge=1, le=1 << 22)] | None, BeforeValidator(_count)] = None
    files: Annotated[int, Field(ge=16, le=1024)] = 1024
    file_size: _Size = None
    memory: _Size = None
    cpu: Annotated[int | None, BeforeValidator(_seconds)] = None

    _names: ClassVar = {
        "processes": "processes",
        "files": "files",
        "file_size": "file_size_bytes",
        "memory": "memory_bytes",
        "cpu": "cpu_s",
    }

    def stated(self) -> dict[str, int | None]:
        """Return what is stated here, by its name with its unit."""
        return {name: getattr(self, key) for key, name in self._names.items() if key in self.model_fields_set}
