"""`--workflow-witness`: somebody outside knows of each barrier, and nothing goes on without their word."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from .conftest import PATIENCE_S, Project, Session

FLOW = """
workflow: flow
steps:
  - {id: one, run: [touch, ran-one]}
  - {id: two, run: [touch, ran-two]}
finally:
  - {id: tidy, run: [touch, ran-tidy]}
"""


def watched(
    project: Project, answer: Callable[[Mapping[str, Any]], str | None], *arguments: str
) -> tuple[Session, list[Mapping[str, Any]]]:
    """Run pytest under a witness, and return the session and what it asked.

    Args:
        answer: Gives the answer to a question; None ends the conversation.
    """
    ours, theirs = socket.socketpair()
    asked: list[Mapping[str, Any]] = []

    def witness() -> None:
        with ours, ours.makefile("rb") as lines, contextlib.suppress(OSError):
            for line in lines:
                asked.append(json.loads(line))
                said = answer(asked[-1])
                if said is None:
                    return
                ours.sendall(f"{said}\n".encode())

    thread = threading.Thread(target=witness)
    thread.start()
    with theirs:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "wf", f"--workflow-witness={theirs.fileno()}", *arguments],
            cwd=project.root,
            env=project._env(),
            pass_fds=(theirs.fileno(),),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
    thread.join(PATIENCE_S)
    return Session(status=done.returncode, text=done.stdout), asked


def test_each_barrier_is_confirmed(project: Project) -> None:
    """Before each step the witness is told the head that the log has then, and at the end its last one."""
    project.write("wf/flow.workflow.yaml", FLOW)

    session, asked = watched(project, lambda question: f"ok {question['n']}")

    assert session.status == 0, session.text
    records = project.records()
    heads = {record["seq"]: record["hash"] for record in records}
    assert all(heads[question["seq"]] == question["hash"] for question in asked)
    told = {question["seq"] for question in asked}
    assert {record["seq"] for record in records if record["type"] in ("run.started", "step.started")} <= told
    assert asked[-1]["seq"] == records[-1]["seq"]
    assert {question["log"] for question in asked} == {str(project.logs()[0])}


@pytest.mark.parametrize("how", ["no", "gone", "nonsense"])
def test_without_its_word_nothing_goes_on(project: Project, how: str) -> None:
    """A witness that says no before the second step, or is gone, keeps it from running, and `finally:` with it."""
    project.write("wf/flow.workflow.yaml", FLOW)

    def answer(question: Mapping[str, Any]) -> str | None:
        starts = [record for record in project.records() if record["type"] == "step.started"]
        if len(starts) < 2:
            return f"ok {question['n']}"
        return {"no": f"no {question['n']} it was taken over", "gone": None, "nonsense": "yes"}[how]

    session, _ = watched(project, answer)

    assert session.status == 3, session.text
    says = {"no": "it was taken over", "gone": "its witness is gone", "nonsense": "what its witness says is no answer"}
    assert f"the run does not go on: {says[how]}" in session.text
    assert not (project.root / "ran-two").exists()
    assert not (project.root / "ran-tidy").exists()


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("--workflow-witness=two", "'two' is no descriptor of a socket"),
        ("--workflow-witness=1", "'1' is no descriptor of a socket"),
        ("--workflow-witness=77", "descriptor 77 is no socket"),
    ],
)
def test_a_witness_that_is_none_is_refused(project: Project, option: str, says: str) -> None:
    """Nothing is run, and no run is begun."""
    project.write("wf/flow.workflow.yaml", FLOW)

    session = project.pytest("wf", option)

    assert session.status == 4, session.text
    assert says in session.text
    assert project.untouched


def test_workers_have_no_witness(project: Project) -> None:
    """Several workers would ask one after the other, and nobody would answer: it is refused."""
    pytest.importorskip("xdist")
    project.write("wf/flow.workflow.yaml", FLOW)
    ours, theirs = socket.socketpair()
    with ours, theirs:
        session = project.pytest("wf", "-n2", f"--workflow-witness={theirs.fileno()}")

    assert session.status == 4, session.text
    assert "with several workers nobody would ask it. Add -n0" in session.text
    assert project.untouched
