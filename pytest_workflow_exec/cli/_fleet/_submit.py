"""`workflow-exec fleet submit`: runs of a workflow into a queue."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec.cli._find import project
from pytest_workflow_exec.cli._text import escape
from pytest_workflow_exec.fleet import FleetError, Wanted, state_of, submit
from pytest_workflow_exec.strict_json import StrictJsonError, parse

from ._opened import file_of, opened

_MAX_SHOWN = 20


def submit_(arguments: argparse.Namespace) -> int:
    """Submit, and print what was; return 0.

    Raises:
        FleetError: Nothing was submitted; says why.
    """
    root = project()
    given = dict(arguments.input)
    runs = [given] * arguments.count
    if arguments.inputs_file is not None:
        runs = [{**given, **own} for own in _rows(arguments.inputs_file)]
    state = state_of(root)
    wanted = Wanted(
        file=file_of(arguments.workflow, root),
        runs=runs,
        queue=arguments.queue,
        team=arguments.group,
        priority=arguments.priority,
        key=arguments.key,
    )
    with opened(arguments, make=True) as database:
        made = submit(database, state, wanted)
    if arguments.json:
        sys.stdout.write(json.dumps([dataclasses.asdict(each) for each in made], indent=2) + "\n")
        return 0
    for each in made[:_MAX_SHOWN]:
        sys.stdout.write(f"submitted {each.id} of workflow {escape(each.workflow)} to queue {each.queue}\n")
    if len(made) > _MAX_SHOWN:
        sys.stdout.write(f"and {len(made) - _MAX_SHOWN} more\n")
    sys.stdout.write(
        f"project {state.digest[:12]}, commit {state.commit[:12]}; workflow-exec fleet status shows them\n"
    )
    return 0


def _rows(file: Path) -> Iterator[Mapping[str, str]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FleetError(f"{file} can't be read: {error}") from error
    rows = [(number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not rows:
        raise FleetError(f"{file} holds no runs: a JSON object on each line, whose names are inputs")
    for number, line in rows:
        try:
            data = parse(line)
        except StrictJsonError as error:
            raise FleetError(f"{file}:{number}: {error}") from error
        if not isinstance(data, Mapping):
            raise FleetError(f"{file}:{number}: it is no JSON object, whose names are inputs")
        for name, value in data.items():
            if value is None:
                raise FleetError(f"{file}:{number}: input {name!r} is null: leave it away, and its default is taken")
        yield {name: value if isinstance(value, str) else json.dumps(value) for name, value in data.items()}
