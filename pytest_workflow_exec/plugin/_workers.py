"""Sessions that spread their items over workers: a workflow's steps can't be."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from ._named import is_named, named_paths

_SUFFIXES = (".workflow.yaml", ".workflow.yml")


def refuse_workers(config: pytest.Config) -> None:
    """Return if the command line names no workflow.

    Raises:
        pytest.UsageError: It does, and the steps would be handed out to several processes.
    """
    for path in named_paths(config):
        found = next((file for file in _workflows_at(path) if is_named(file, config)), None)
        if found is not None:
            raise pytest.UsageError(
                f"{found} is a workflow, and the steps of a workflow can't be spread over workers: add -n0"
            )


def _workflows_at(path: Path) -> Iterator[Path]:
    if path.is_file() and _is_workflow(path.name):
        yield path
    for folder, _, names in os.walk(path):
        yield from (Path(folder) / name for name in sorted(names) if _is_workflow(name))


def _is_workflow(name: str) -> bool:
    return name.endswith(_SUFFIXES) or (name.startswith("workflow_") and name.endswith(".py"))
