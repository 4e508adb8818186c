"""The published shape of workflow files, made only when somebody asks: no session that runs workflows needs it."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec.digests import Json


def workflow_schema(*, fragment: bool = False) -> Mapping[str, Json]:
    """Return the JSON Schema (2020-12) of a workflow in YAML, or of a fragment that workflows include."""
    from ._json_schema import made_of_models

    return made_of_models(fragment=fragment)
