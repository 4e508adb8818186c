"""The published shape of the configuration, made only when somebody asks: no session needs it."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json


def settings_schema() -> Mapping[str, Json]:
    """Return the JSON Schema (2020-12) of a `workflow-exec.toml`."""
    from ._json_schema import made_of_models

    return made_of_models()
