"""Earlier runs, found from their logs alone."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.run import lost_runs, newest_run, run_named

from .conftest import Project

FLOW = "workflow: flow\nsteps:\n  - {id: one, run: [echo, one]}\n  - {id: two, run: [echo, two]}\n"


def test_newest_run_of_the_workflow(project: Project) -> None:
    """The newest run of that workflow is found, with what it ended with; another workflow's is not."""
    first = project.open(FLOW)
    project.go_through(first)
    second = project.open(FLOW)
    second.close(interrupted=True)
    other = project.open(FLOW.replace("workflow: flow", "workflow: other"))
    project.go_through(other)

    found = newest_run(project.root, "flow")

    assert found is not None
    assert (found.id, found.result, found.log) == (second.id, "interrupted", second.log_path)
    assert newest_run(project.root, "nobody") is None
    assert run_named(first.id, project.root).result == "passed"
    assert run_named("latest", project.root).workflow == "other"


def test_run_without_end(project: Project) -> None:
    """A run whose process is gone has no result."""
    run = project.open(FLOW)
    project.perform(run, "one")
    run._journal.close()
    run._lock.release()

    found = newest_run(project.root, "flow")

    assert found is not None
    assert found.result is None


def test_long_plans_are_found(project: Project) -> None:
    """A plan that is too long for its record's line stands in a file of its own, and the run is found all the same."""
    steps = "".join(f"  - {{id: step-{number}, run: [echo, one]}}\n" for number in range(700))
    run = project.open(f"workflow: flow\nsteps:\n{steps}")
    run.close(interrupted=False)

    found = newest_run(project.root, "flow")

    assert found is not None
    assert (found.id, found.result) == (run.id, "failed")


@pytest.mark.parametrize("content", [b"", b'{"v":1,"seq":0,'])
def test_run_that_never_began_is_none(project: Project, content: bytes) -> None:
    """A log without a whole first record is of a run in which nothing can have happened."""
    before = project.open(FLOW)
    project.go_through(before)
    run = project.open(FLOW)
    run.close(interrupted=False)
    run.log_path.write_bytes(content)

    found = newest_run(project.root, "flow")

    assert found is not None
    assert found.id == before.id
    with pytest.raises(LogUnreadableError, match="before its first record"):
        run_named(run.id, project.root)


def test_log_that_was_edited_closes_the_way(project: Project) -> None:
    """Which workflow an edited log is of can't be known: no older run is taken for the newest."""
    before = project.open(FLOW)
    project.go_through(before)
    run = project.open(FLOW)
    run.close(interrupted=False)
    run.log_path.write_bytes(run.log_path.read_bytes().replace(b'"workflow":"flow"', b'"workflow":"other"'))

    with pytest.raises(LogUnreadableError, match="line 1"):
        newest_run(project.root, "flow")


def test_no_runs(tmp_path: Path) -> None:
    """A project without runs has none, and looking makes no folder."""
    assert newest_run(tmp_path, "flow") is None
    assert list(tmp_path.iterdir()) == []


def test_lost_evidence_closes_the_way(project: Project) -> None:
    """A run that the project's ledger knows, newer than any log, and whose log is gone: nothing begins in silence."""
    before = project.open(FLOW)
    project.go_through(before)
    run = project.open(FLOW)
    run.close(interrupted=False)
    run.log_path.unlink()

    with pytest.raises(LogUnreadableError, match=f"ledger knows run {run.id}"):
        newest_run(project.root, "flow")
    after = project.open(FLOW)
    project.go_through(after)

    found = newest_run(project.root, "flow")
    assert found is not None
    assert found.id == after.id
    assert lost_runs(project.root, "flow") == [run.id]


def test_ledger_elsewhere_tells_what_the_project_forgot(project: Project) -> None:
    """If the whole folder of evidence is gone, only the user's copy of the ledger knows: that is said, not refused."""
    run = project.open(FLOW)
    run.close(interrupted=False)
    shutil.rmtree(project.root / ".workflow-exec")

    assert newest_run(project.root, "flow") is None
    assert lost_runs(project.root, "flow") == []
    assert lost_runs(project.root, "flow", anywhere=True) == [run.id]
