"""A function can be polled, and a poll need not hold a process while it waits."""

from __future__ import annotations

import time

from .conftest import PATIENCE_S, Project

FLOW = """
workflow: w
steps:
  - {{id: look, call: "checks:ready", poll: {{every: 1s, timeout: {timeout}{more}}}}}
  - {{id: after, run: [touch, ran-after]}}
"""
CHECKS = """
def ready(workflow):
    looks = workflow.root / "looks"
    looks.write_text((looks.read_text() if looks.exists() else "") + "x")
    assert len(looks.read_text()) >= 3, "not ready"
    return {"looks": 3}
"""


def write(project: Project, *, timeout: str = "1h", more: str = "", checks: str = CHECKS) -> None:
    """Write a workflow that looks until something is there, the third time."""
    project.write("wf/w.workflow.yaml", FLOW.format(timeout=timeout, more=more))
    project.write("wf/checks.py", checks)


def test_function_is_called_again_until_it_says_that_all_is_well(project: Project) -> None:
    """A failed assertion means not yet; each look stands in the log."""
    write(project)

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert [end["data"]["outcome"] for end in project.of_type("step.finished") if end["step"] == "look"] == [
        "failed",
        "failed",
        "passed",
    ]
    assert [record["data"]["why"] for record in project.of_type("retry.waiting")] == ["poll", "poll"]
    verified = project.run("workflow-exec", "verify", "latest", "--expect-head", session.heads[-1])
    assert verified.status == 0, verified.text


def due(project: Project) -> str:
    """Return what is due, once anything is."""
    end = time.monotonic() + PATIENCE_S
    while "nothing is due" in (said := project.run("workflow-exec", "due").text):
        assert time.monotonic() < end, "it is never time to look again"
        time.sleep(0.1)
    return said


def test_poll_that_suspends_ends_the_run_between_two_looks(project: Project) -> None:
    """Each look is a session of its own that `due` begins; no process waits, and the last one goes on to the end."""
    write(project, more=", wait: suspend")

    session = project.pytest("wf")

    assert session.status == 1, session.text
    assert "1 suspended, 1 blocked" in session.text
    assert project.outcomes() == {"look": "suspended", "after": "blocked"}
    assert "Last seen: AssertionError: not ready" in project.of_type("step.finished")[0]["data"]["message"]
    assert not list(project.root.glob("ran-*"))
    for _ in range(2):
        assert "at look" in due(project)
        project.run("workflow-exec", "due", "--resume")

    assert (project.root / "looks").read_text() == "xxx"
    assert project.outcomes() == {"look": "passed", "after": "passed"}
    assert len(project.of_type("run.resumed")) == 2
    verified = project.run("workflow-exec", "verify", "latest")
    assert verified.status == 3, verified.text
    assert "intact, complete and passed" in verified.text


def test_poll_that_suspends_gives_up_after_its_time(project: Project) -> None:
    """Its time counts from the first look, over all sessions."""
    write(project, timeout="1s", more=", wait: suspend", checks="def ready():\n    assert False, 'never'\n")

    project.pytest("wf")
    assert "at look" in due(project)
    project.run("workflow-exec", "due", "--resume")

    assert project.outcomes() == {"look": "failed", "after": "blocked"}
    assert "nothing is due" in project.run("workflow-exec", "due").text
