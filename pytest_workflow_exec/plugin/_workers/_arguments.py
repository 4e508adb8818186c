"""Which arguments of the command line mean workflows: only those are collected in the controller."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from .._named import is_named

_SUFFIXES = (".workflow.yaml", ".workflow.yml")


def workflow_arguments(config: pytest.Config) -> list[str]:
    """Return what pytest has to collect to find the workflows of the session, and nothing else."""
    here = config.invocation_params.dir
    return [
        found
        for argument in config.args
        for found in _meant_by(argument, Path(os.path.normpath(here / argument.split("::")[0])), config)
    ]


def _meant_by(argument: str, path: Path, config: pytest.Config) -> Iterator[str]:
    if path.is_dir():
        yield from (str(file) for file in _workflows_below(path) if is_named(file, config))
    elif _is_workflow(path.name) and is_named(path, config):
        # As it was typed: a node id says more than the file.
        yield argument


def _workflows_below(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent) / name for name in sorted(names) if _is_workflow(name) and not name.startswith("_"))


def _is_workflow(name: str) -> bool:
    return name.endswith(_SUFFIXES) or (name.startswith(("workflow_", "_workflow_")) and name.endswith(".py"))
