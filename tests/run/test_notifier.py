"""Telling people that a gate waits or how a session ended: what is told, when, and that nothing depends on it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any, get_args

import pytest

from pytest_workflow_exec.approval import Decision, GateRequest
from pytest_workflow_exec.errors import GateDeniedError, GateSuspendedError
from pytest_workflow_exec.model import Gate, Outcome
from pytest_workflow_exec.run import Run
from pytest_workflow_exec.sandbox import _notice
from pytest_workflow_exec.settings import NotifyOn, NotifySettings
from pytest_workflow_exec.verify import verify_log

from .conftest import Project, approved

FLOW = """
workflow: flow
inputs:
  token: {{type: secret, default: {{env: TOKEN}}}}
steps:
  - {{id: one, run: [echo, made]}}
  - {{id: approve, gate: {{question: "Go on with a-very-secret-token?"{more}}}}}
  - {{id: two, run: [echo, made], env: {{TOKEN: "${{inputs.token}}"}}}}
"""
ALL: tuple[NotifyOn, ...] = get_args(NotifyOn)


def teller(folder: Path, body: str = "") -> tuple[str, ...]:
    """Return a command that keeps what it was told, one file for each time."""
    script = folder / "tell"
    script.write_text(f'#!/bin/sh\ncat > "{folder}/told.$$.json"\nenv > "{folder}/env.$$"\n{body}\n')
    script.chmod(0o755)
    return (str(script), "an argument")


def told(folder: Path) -> list[dict[str, Any]]:
    """Return what a command was told, in order."""
    files = sorted(folder.glob("told.*.json"), key=lambda path: path.stat().st_mtime_ns)
    return [json.loads(path.read_text()) for path in files]


def notes(project: Project, run: Run) -> list[Any]:
    """Return what the log says of it."""
    return [record.data["notify"] for record in project.records(run) if record.type == "note"]


def opened(project: Project, *notify: NotifySettings, more: str = "", **opening: Any) -> Run:
    """Return a run of a flow whose configuration has such commands."""
    environment = {**os.environ, "TOKEN": "a-very-secret-token"}
    return project.open(FLOW.format(more=more), notify=notify, environment=environment, **opening)


@pytest.fixture
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the command and what it was told lie."""
    return tmp_path_factory.mktemp("told")


def test_a_command_hears_of_the_question_and_of_the_end(project: Project, folder: Path) -> None:
    """It is told on its standard input and by variables, between two records each, and the log is whole."""
    run = opened(project, NotifySettings(command=teller(folder), on=ALL))

    project.go_through(run)

    asked, ended = told(folder)
    assert (asked["event"], asked["step"], asked["run"], asked["workflow"]) == (
        "gate.requested",
        "approve",
        run.id,
        "flow",
    )
    assert (ended["event"], ended["result"]) == ("finished", "passed")
    assert [note["on"] for note in notes(project, run)] == ["gate.requested"] * 2 + ["finished"] * 2
    started, done = notes(project, run)[:2]
    assert started["argv"] == [str(folder / "tell"), "an argument"]
    assert len(started["program_sha256"]) == 64
    assert done["problem"] == ""
    types = project.types(run)
    assert types.index("gate.requested") < types.index("note") < types.index("gate.decided")
    verdict = verify_log(run.log_path, expect_head=run.head.hash)
    assert verdict.exit_code == 0, verdict.message
    assert run.said == []


def test_no_secret_and_no_variable_of_the_engine_is_told(project: Project, folder: Path) -> None:
    """Known secrets are masked in what it is told, and it has none of the engine's own variables."""
    os.environ["SOME_VARIABLE_OF_THE_ENGINE"] = "here"
    try:
        run = opened(project, NotifySettings(command=teller(folder), on=("gate.requested",)))
        project.go_through(run)
    finally:
        del os.environ["SOME_VARIABLE_OF_THE_ENGINE"]

    [asked] = told(folder)
    [environment] = [path.read_text() for path in folder.glob("env.*")]
    assert "Go on with" in asked["question"]
    assert "a-very-secret-token" not in json.dumps(asked) + environment
    assert "SOME_VARIABLE_OF_THE_ENGINE" not in environment
    assert "WORKFLOW_EXEC_EVENT=gate.requested\n" in environment
    assert "WORKFLOW_EXEC_STEP=approve\n" in environment


@pytest.mark.parametrize(
    ("on", "heard"),
    [
        ("gate.requested", ["gate.requested"]),
        ("suspended", ["suspended"]),
        ("finished", ["suspended"]),
        ("denied", []),
        ("all", ["gate.requested", "suspended"]),
    ],
)
def test_it_hears_of_what_it_asked_for(project: Project, folder: Path, on: Any, heard: list[str]) -> None:
    """Of each moment that it names once; `finished` is every end."""
    run = opened(
        project, NotifySettings(command=teller(folder), on=ALL if on == "all" else (on,)), more=", wait: suspend"
    )
    project.perform(run, "one")
    gate = run.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    run.start(gate)
    with pytest.raises(GateSuspendedError):
        run.decide(gate, gate.body, words="")
    run.finish("approve", Outcome.SUSPENDED)
    run.close(interrupted=False)

    assert [each["event"] for each in told(folder)] == heard
    assert verify_log(run.log_path).result == "suspended"


def test_a_denied_run_is_told(project: Project, folder: Path) -> None:
    """A rejection at the gate is told as `denied`."""

    def rejected(request: GateRequest, timeout_s: float) -> Decision:
        yes = approved(request, timeout_s)
        return Decision(
            decision="rejected", reason="no", approver=yes.approver, channel="terminal", terminal="", assurance=1
        )

    run = opened(project, NotifySettings(command=teller(folder), on=("denied",)), approver=rejected)
    project.perform(run, "one")
    gate = run.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    run.start(gate)
    with pytest.raises(GateDeniedError):
        run.decide(gate, gate.body, words="")
    run.finish("approve", Outcome.DENIED)
    run.close(interrupted=False)

    assert [each["result"] for each in told(folder)] == ["denied"]


@pytest.mark.parametrize(
    ("command", "why"),
    [
        (("no-such-program",), "no-such-program"),
        (("/no/such/program",), "can't be read for its digest"),
        (("false",), "it exited with 1"),
        (("sh", "-c", "echo went wrong >&2; exit 3"), "it exited with 3: went wrong"),
        (("sh", "-c", "kill -9 $$"), "signal 9 ended it"),
        (("bin/tell",), "neither a name nor a file of the policy's path"),
    ],
)
def test_its_failure_changes_nothing(project: Project, command: tuple[str, ...], why: str) -> None:
    """What goes wrong with it is told at the end and in the log, and the run passes all the same."""
    run = opened(project, NotifySettings(command=command, on=("gate.requested",)))

    outcomes = project.go_through(run)

    assert set(outcomes.values()) == {"passed"}
    [said] = run.said
    assert why in said, said
    assert said.startswith("warning: gate.requested: not told by ")
    assert why in notes(project, run)[-1]["problem"]
    assert verify_log(run.log_path, expect_head=run.head.hash).exit_code == 0


def test_one_that_hangs_is_killed_with_all_it_started(
    project: Project, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has a bounded time; then the run goes on."""
    assert _notice.TIMEOUT_S == 30
    monkeypatch.setattr(_notice, "TIMEOUT_S", 3)
    command = teller(folder, f'sleep 1000 & echo $! > "{folder}/child"; wait')
    run = opened(project, NotifySettings(command=command, on=("gate.requested",)))

    project.go_through(run)

    assert "it took longer than 3 s and was killed" in run.said[0]
    child = (folder / "child").read_text().strip()
    state = subprocess.run(["ps", "-o", "stat=", "-p", child], capture_output=True, text=True, check=False).stdout
    assert state.strip()[:1] in ("", "Z")


def test_an_interrupt_ends_it_and_is_delivered(project: Project, folder: Path) -> None:
    """Ctrl-C while people are told at the end ends the command, and the run is closed all the same."""
    run = opened(project, NotifySettings(command=teller(folder, "sleep 1000"), on=("finished",)))
    for step in run.workflow.steps:
        project.perform(run, step.id)

    def interrupt() -> None:
        while not list(folder.glob("env.*")):
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run.close(interrupted=False)
    thread.join()

    assert verify_log(run.log_path).result == "passed"
    # The lock is free, and the log can be written again.
    opened(project).close(interrupted=False)
