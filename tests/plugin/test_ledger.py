"""What a session says and records of the ledger's copy and of its durability."""

from __future__ import annotations

from pytest_workflow_exec.evidence import read_ledgers

from .conftest import CONFIGURATION, Project


def test_copy_that_can_not_be_kept_is_said_and_recorded(project: Project) -> None:
    """Without a place for the copy the workflow runs, the last words say so once, and so does the first record."""
    project.environment["XDG_STATE_HOME"] = "/dev/null/state"
    project.write("workflow-exec.toml", 'durability = "process"\n' + CONFIGURATION)
    project.write("wf/flow.workflow.yaml", "workflow: flow\nsteps: [{id: one, run: [echo, one]}]\n")

    session = project.pytest("wf")

    assert session.status == 0, session.text
    assert session.text.count("warning: the user's copy of the ledger of runs can't be kept: /dev/null/state") == 1
    facts = project.records()[0]["data"]
    assert facts["ledger_copy"].startswith("unavailable: /dev/null/state")
    assert facts["durability"] == "process"
    assert [entry.event for entry in read_ledgers(project.root).project.entries] == ["started", "finished"]
