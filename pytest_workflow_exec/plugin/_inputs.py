"""What was given to the inputs of a workflow: on the command line, in files, and in an earlier session of the run that goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_workflow_exec.definition import Given, Inputs
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import LogUnreadableError, PreflightError, Problem
from pytest_workflow_exec.settings import INPUTS, said_by_variable


def given_inputs(config: pytest.Config, workflow: str, *, only: bool) -> Mapping[str, str]:
    """Return the texts that are given to a workflow's inputs: typed on the command line, else in a file that it names.

    A file that a variable names goes behind both.

    Args:
        config: The session's.
        workflow: The workflow's name.
        only: Whether it is the only one that runs, so that an option need not name it.

    Raises:
        PreflightError: An option is none, or does not say for which workflow it is.
    """
    given: dict[str, str] = {}
    said = said_by_variable(os.environ, INPUTS)
    of_variable = [] if said is None else [(INPUTS, said)]
    of_options = [("--workflow-inputs", option) for option in config.getoption("--workflow-inputs")]
    for by, option in [*of_variable, *of_options]:
        # A file may have a colon in its name; a workflow's name has no slash.
        target, colon, file = option.partition(":")
        if not colon or "/" in target:
            target, file = "", option
        if not target and not only:
            raise _usage(f"{by} {option!r} does not say which of the workflows it is for: WORKFLOW:FILE")
        if target in ("", workflow):
            from pytest_workflow_exec.definition import input_file

            given.update(input_file(Path(config.invocation_params.dir, file)))
    for option in config.getoption("--workflow-input"):
        name, found, value = option.partition("=")
        target, colon, bare = name.rpartition(":")
        if not found or not bare:
            raise _usage(f"--workflow-input {option!r} must be NAME=VALUE or WORKFLOW:NAME=VALUE")
        if not colon and not only:
            raise _usage(
                f"--workflow-input {option!r} does not say which of the workflows it is for: WORKFLOW:NAME=VALUE"
            )
        if target in ("", workflow):
            given[bare] = value
    return given


def given_at_collection(config: pytest.Config, root: Path) -> Given:
    """Return what tells, while the workflows of a project are read, what is given to their inputs.

    Whether a workflow will be the only one isn't known yet. An option that names none counts for each of them; if
    several run, it is refused later.
    """

    def given(workflow: str) -> Mapping[str, str]:
        return {**_earlier(config, root, workflow), **given_inputs(config, workflow, only=True)}

    return given


def _earlier(config: pytest.Config, root: Path, workflow: str) -> Mapping[str, str]:
    from pytest_workflow_exec.run import History, newest_run, run_named

    from ._onward import Onward

    if not config.getoption("workflow_resume"):
        return {}
    named = config.getoption("workflow_run")
    try:
        earlier = run_named(named, root) if named else newest_run(root, workflow)
        if earlier is None or earlier.workflow != workflow:
            return {}
        return Onward(earlier=earlier, history=History.of(earlier.log)).given
    except LogUnreadableError as error:
        raise _usage(f"what the run that is to go on was given can't be read: {error}") from error


def _usage(message: str) -> PreflightError:
    return PreflightError([Problem(message=message)])


def plain_inputs(inputs: Inputs) -> Mapping[str, Json]:
    """Return the values of inputs as they are kept."""
    return {name: list(value) if isinstance(value, tuple) else value for name, value in inputs.values.items()}


def input_texts(inputs: Inputs) -> Mapping[str, str]:
    """Return the inputs as a rule's `{name}` compares them."""
    known = {name: value for name, value in inputs.values.items() if name not in inputs.secrets}
    return {name: value for name, value in known.items() if isinstance(value, str)} | {
        name: str(value)
        for name, value in known.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool)
    }
