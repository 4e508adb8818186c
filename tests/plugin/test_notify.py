"""`[[notify]]` in a real session: people are told, the run's end says what went wrong, and a pin holds the commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import CONFIGURATION, Project, code_at, finish
from .test_pins import PLACES

FLOW = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: approve, gate: {question: Go on?, wait: suspend}}
  - {id: two, run: [touch, ran-two]}
"""


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the command lies, and what it was told."""
    folder = tmp_path_factory.mktemp("told")
    (folder / "tell").write_text(f'#!/bin/sh\ncat >> "{folder}/told"\n')
    (folder / "tell").chmod(0o755)
    return folder


def notify(*command: str, on: str) -> str:
    """Return a table of the configuration."""
    return f"[[notify]]\ncommand = {json.dumps(command)}\non = {on}\n"


def test_people_hear_that_a_gate_waits_and_how_it_ended(project: Project, folder: Path) -> None:
    """The suspended session tells once, the resumed one at its end; what fails is said, and the printed head is the last."""
    told, failing = (
        notify(str(folder / "tell"), on='["suspended", "finished"]'),
        notify("false", on='["gate.requested"]'),
    )
    project.write("workflow-exec.toml", CONFIGURATION + told + failing)
    project.write("wf/flow.workflow.yaml", FLOW)

    first = project.pytest("wf")

    assert first.status == 1
    assert "warning: gate.requested: not told by false: it exited with 1" in first.text
    assert project.records()[-1]["hash"] == first.heads[-1]
    [run] = [log.parent.name for log in project.logs()]
    child = project.terminal_of("workflow-exec", "approve", run, "approve")
    child.sendline(code_at(child))
    assert finish(child).status == 0

    second = project.pytest("wf", "--workflow-resume")

    assert second.status == 0, second.text
    lines = [json.loads(line) for line in (folder / "told").read_text().splitlines()]
    assert [(line["event"], line["result"], line["run"]) for line in lines] == [
        ("suspended", "suspended", run),
        ("finished", "passed", run),
    ]
    verdict = project.run("workflow-exec", "verify", run, "--expect-head", second.heads[-1])
    assert verdict.status == 0, verdict.text
    shown = project.run("workflow-exec", "show", run)
    assert "finished: told by" in shown.text, shown.text
    runs = project.run("workflow-exec", "runs")
    assert runs.status == 0, runs.text


def test_a_command_that_a_pin_does_not_hold_is_refused(project: Project, folder: Path) -> None:
    """Whoever can edit the project adds no command unseen: exit 4 with the diff, and nothing runs."""
    from pytest_workflow_exec.evidence import write_pin
    from pytest_workflow_exec.settings import load_settings

    from ._pinned_tool import places_in

    project.write("wf/flow.workflow.yaml", FLOW)
    project.write("conftest.py", PLACES.format(folder=str(folder)))
    place = places_in(folder).user
    assert place is not None
    write_pin(project.root, place, load_settings(project.root).policy.trusted)
    project.write("workflow-exec.toml", CONFIGURATION + notify(str(folder / "tell"), on='["gate.requested"]'))

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert '+  "notify": [' in session.text
    assert project.untouched
    assert not (folder / "told").exists()
