"""What a record tells, whether it was read by the JSON parser or recognized by its shape."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from pytest_workflow_exec.digests import Json


class Told(Protocol):
    """What the story needs of a record."""

    @property
    def seq(self) -> int:
        """Its place in the log."""

    @property
    def run(self) -> str:
        """The run that it belongs to."""

    @property
    def ts(self) -> str:
        """When it was written."""

    @property
    def type(self) -> str:
        """What happened."""

    @property
    def step(self) -> str | None:
        """The step that it is about."""

    @property
    def attempt(self) -> int | None:
        """Which attempt at the step."""

    @property
    def data(self) -> Mapping[str, Json]:
        """What else it says."""
