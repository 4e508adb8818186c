"""Pins in a real session: what differs from one is refused before anything runs."""

from __future__ import annotations

import contextlib
import os
import shutil

import pytest

from pytest_workflow_exec.cli import main
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, PinPlace, write_pin
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.settings import load_settings
from tests._ssh_keys import PRINCIPALS, make_keys

from .conftest import CONFIGURATION, Project

# The places of pins are the system's; only code within the session, which is trusted, can look elsewhere.
PLACES = """
import os
from pathlib import Path

from pytest_workflow_exec.evidence import PinPlace, PinPlaces
from pytest_workflow_exec.run import _pin

PLACES = PinPlaces(
    machine=PinPlace(base=Path({folder!r}, "etc"), below=("pins",), owner=os.geteuid(), for_machine=True),
    user=PinPlace(base=Path({folder!r}), below=("pins",), owner=os.geteuid(), for_machine=False),
)
_pin.pin_places = lambda: PLACES
"""
FLOW = "workflow: flow\nsteps:\n  - {id: one, run: [touch, ran-one]}\n"


@pytest.fixture
def place(project: Project, tmp_path_factory: pytest.TempPathFactory) -> PinPlace:
    """Where the pin of the project lies, which has one."""
    folder = tmp_path_factory.mktemp("pins")
    project.write("wf/flow.workflow.yaml", FLOW)
    project.write("conftest.py", PLACES.format(folder=str(folder)))
    place = PinPlace(base=folder, below=("pins",), owner=os.geteuid(), for_machine=False)
    write_pin(project.root, place, load_settings(project.root).policy.trusted)
    return place


def test_a_pinned_project_runs_and_says_so(project: Project, place: PinPlace) -> None:
    """The run's first record names who pinned the policy and when, and no variable hides the pin."""
    project.environment["XDG_STATE_HOME"] = project.environment["HOME"] = str(project.root)

    session = project.pytest("wf")

    assert session.status == 0, session.text
    [started] = project.of_type("run.started")
    assert started["data"]["policy"]["pin"].startswith("pinned by ")


@pytest.mark.parametrize("change", ["policy", "signers", "nested", "linked"])
def test_what_differs_from_the_pin_is_refused(project: Project, place: PinPlace, change: str) -> None:
    """A loosened policy, a new signer, a project put in between and a doubtful pin are exit 4; nothing is run or written."""
    if change == "policy":
        project.write("workflow-exec.toml", CONFIGURATION.replace('"false"', '"rm *"'))
    elif change == "signers":
        project.write("workflow-signers", "mallory ssh-ed25519 AAAA\n")
    elif change == "nested":
        project.write("wf/workflow-exec.toml", CONFIGURATION.replace('"false"', '"rm *"'))
    else:
        path = place.path_of(project.root)
        path.symlink_to(path.rename(path.with_name("aside")))

    session = project.pytest("wf/flow.workflow.yaml")

    assert session.status == 4, session.text
    said = {
        "policy": '    -    "false",\n',
        "signers": "    +mallory ssh-ed25519 AAAA\n",
        "nested": "is a pinned project",
        "linked": "symbolic link",
    }
    assert said[change] in session.text
    assert "Traceback" not in session.text
    assert project.untouched
    assert not (project.root / "wf" / ".workflow-exec").exists()


def test_whose_pin_differs_is_not_told_to_pin_anew_for_its_signers(project: Project, place: PinPlace) -> None:
    """Who may sign is not asked while the pin is refused: "unpinned" would advise to pin what somebody changed."""
    project.write("wf/flow.workflow.yaml", FLOW + "  - {id: go, gate: {question: Go?, assurance: 2, wait: suspend}}\n")
    project.write("workflow-exec.toml", CONFIGURATION.replace('"false"', '"rm *"'))

    session = project.pytest("wf")

    assert session.status == 4, session.text
    assert '    -    "false",\n' in session.text
    assert "unpinned" not in session.text
    assert "needs a pin" not in session.text
    assert project.untouched


FAILS = """
workflow: flow
steps:
  - {id: one, run: [echo, a], idempotent: true}
  - {id: two, run: ["false"]}
"""


@pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="there is no ssh-keygen")
def test_only_what_a_pinned_signer_sealed_is_carried(
    project: Project, place: PinPlace, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """`carry = "anchored"` needs pinned signers, re-runs what no seal covers, and carries what one does."""
    keys = make_keys(tmp_path_factory.mktemp("keys"))
    project.write("wf/flow.workflow.yaml", FAILS)
    project.write("workflow-exec.toml", CONFIGURATION + 'carry = "anchored"\n')
    place.path_of(project.root).unlink()
    refused = project.pytest("wf")
    assert (refused.status, project.untouched) == (4, True), refused.text
    assert 'policy.carry = "anchored"' in refused.text
    project.write("workflow-signers", (keys / "signers").read_text())
    write_pin(project.root, place, load_settings(project.root).policy.trusted)
    assert project.pytest("wf").status == 1
    [log] = project.logs()

    unsealed = project.pytest("wf", "--workflow-resume")
    assert "one runs again: it isn't anchored: no seal of a pinned signer covers it" in unsealed.text
    for name, said in (("mallory", "0 steps carried, 2 to run"), ("alice", "1 step carried, 1 to run")):
        assert main(["seal", str(log), "--key", str(keys / name), "--principal", PRINCIPALS[name]]) == 0
        assert said in project.pytest("wf", "--workflow-resume").text

    with contextlib.closing(EvidenceLog.reopen(log.parent, log.parent.name, redactor=Redactor({}))) as evidence:
        evidence.append(Event(type="redaction", data={"digests": [], "seq": 1, "step": "one", "reason": "x"}))
    before = log.read_bytes()
    unsigned = project.pytest("wf", "--workflow-resume")
    assert unsigned.status == 4
    assert "none of the signers says so: it has no signature" in unsigned.text
    assert log.read_bytes() == before
