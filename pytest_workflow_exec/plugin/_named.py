"""Whether the command line names a workflow: it runs only when asked for."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_workflow_exec.settings import find_project


def is_named(path: Path, config: pytest.Config) -> bool:
    """Return whether the command line names this file, or a folder strictly below its project that holds it.

    Raises:
        SettingsError: The project's configuration can't be read.
    """
    named = named_paths(config)
    if path in named:
        return True
    folders = [folder for folder in named if folder in path.parents]
    if not folders:
        return False
    project = find_project(path.parent)
    return any(project is None or project in folder.parents for folder in folders)


def named_paths(config: pytest.Config) -> list[Path]:
    """Return the files and folders that the command line names, as they were typed, from the file system's root."""
    invocation = config.invocation_params
    typed = set(invocation.args)
    # An argument file spells out what was typed; an ini file or PYTEST_ADDOPTS does not.
    from_file = any(argument.startswith("@") for argument in invocation.args)
    return [
        Path(os.path.normpath(invocation.dir / argument.split("::")[0]))
        for argument in config.args
        if config.args_source is config.ArgsSource.ARGS and (from_file or argument in typed)
    ]
