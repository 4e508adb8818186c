"""Steps that harm their run's evidence, through a real pytest."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

import pytest

from pytest_workflow_exec.evidence import read_log
from tests.plugin.conftest import Project

HEAD = "from pytest_workflow_exec import Workflow, step\nWORKFLOW = Workflow(name='flow')\n"
BEFORE = "@step\ndef before(workflow) -> None:\n    pass\n"
AFTER = "@step\ndef after(workflow) -> None:\n    (workflow.root / 'ran-after').touch()\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty project with a policy."""
    made = Project(tmp_path)
    made.write("workflow-exec.toml", '[policy]\nsandbox = "none"\npython_processes = "record"\n')
    return made


@pytest.mark.parametrize(
    ("harm", "last"),
    [
        ("shutil.rmtree(run)", False),
        ("shutil.rmtree(run.parents[1])", True),
        ("(run / 'evidence.jsonl').unlink(); (run / 'evidence.jsonl').symlink_to('/dev/null')", False),
    ],
)
def test_what_a_step_takes_away_is_saved_and_ends_the_session(project: Project, harm: str, last: bool) -> None:
    """Exit 3, nothing runs after it, the saved log holds all that was written, and the last words name it."""
    step = f"@step\ndef harm(workflow) -> None:\n    import shutil; run = workflow.run_directory.parent\n    {harm}\n"
    project.write("wf/workflow_flow.py", HEAD + BEFORE + step + ("" if last else AFTER))

    session = project.pytest("wf")

    assert session.status == 3, session.text
    assert not (project.root / "ran-after").exists()
    named = re.findall(
        r"nothing here counts as passed: .*What it held is saved in (\S+)\.$", session.text, re.MULTILINE
    )
    assert len(named) == 1, session.text
    types = [(record.type, record.step) for record in read_log(Path(named[0]))]
    assert types[:4] == [
        ("run.started", None),
        ("step.started", "before"),
        ("step.finished", "before"),
        ("step.started", "harm"),
    ]
    assert ("step.finished", "harm") in types


def test_a_forked_copy_of_a_step_neither_writes_nor_holds_anything(project: Project) -> None:
    """A child that a step leaves behind writes no evidence, and the workflow can be run again while it lives."""
    step = (
        "@step\ndef fork(workflow) -> None:\n"
        "    import os, sys, time\n"
        "    child = os.fork()\n"
        "    if child == 0:\n"
        "        os.closerange(0, 256)\n"
        "        time.sleep(60)\n"
        "        os._exit(0)\n"
        "    (workflow.root / 'child').write_text(str(child))\n"
    )
    project.write("wf/workflow_flow.py", HEAD + BEFORE + step + AFTER)

    first = project.pytest("wf")
    child = int((project.root / "child").read_text())
    try:
        second = project.pytest("wf")
    finally:
        os.kill(child, signal.SIGKILL)
        os.kill(int((project.root / "child").read_text()), signal.SIGKILL)

    assert (first.status, second.status) == (0, 0), first.text + second.text
    for log in project.logs():
        # One of them notes the fork.
        assert [record.seq for record in read_log(log)] == list(range(9))
