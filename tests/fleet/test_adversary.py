"""What somebody does to a fleet's database, or what becomes of it, while runs go on: nothing runs that should not."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.fleet import open_database

from ._postgres import Server
from ._site import PATIENCE_S, Site, Worker, new_site, site_on

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

GATED = """
workflow: site
steps:
  - {id: pack, run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}}
  - id: approve
    gate: {question: Publish it?, show: [pack.file], assurance: 2, approvers: [managers], wait: suspend}
  - {id: publish, run: [cp, "${steps.pack.file}", ran-publish]}
"""
SLOW = """
workflow: site
steps:
  - {id: first, call: "effects:note"}
  - {id: slow, call: "effects:slow"}
  - {id: last, call: "effects:note"}
"""
EFFECTS = """
import time
from pathlib import Path

HERE = Path({folder!r})


def note(request):
    with (HERE / "notes").open("a") as file:
        file.write(f"{{request.node.name}}\\n")


def slow(request):
    note(request)
    while not (HERE / "go-on").exists():
        time.sleep(0.05)
"""


@pytest.fixture
def gated(tmp_path: Path, postgres: Server) -> Iterator[Site]:
    """A project whose gate wants a signature, on a server."""
    made = site_on(postgres, tmp_path / "one", {"site.workflow.yaml": GATED})
    yield made
    made.end()


def make_slow(site: Site) -> None:
    """Give a project a workflow whose second step takes until the test says so."""
    site.write("wf/site.workflow.yaml", SLOW)
    site.write("wf/effects.py", EFFECTS.format(folder=str(site.home)))
    site.commit()


def notes(site: Site) -> list[str]:
    """Return what the steps did."""
    path = site.home / "notes"
    return path.read_text().split() if path.exists() else []


def wait_for_notes(site: Site, worker: Worker, count: int) -> None:
    """Return once so many steps have begun."""
    until = time.monotonic() + PATIENCE_S
    while len(notes(site)) < count:
        assert time.monotonic() < until, worker.text
        time.sleep(0.05)


def wait_for_text(worker: Worker, text: str) -> None:
    """Return once a worker has said something."""
    until = time.monotonic() + PATIENCE_S
    while text not in worker.text:
        assert time.monotonic() < until, worker.text
        time.sleep(0.1)


def suspended(site: Site) -> str:
    """Return a run that waits at its gate."""
    [submission] = site.submit()
    assert site.work().status == 0
    assert site.state(submission) == "suspended", site.status()
    return submission


def test_a_database_whose_file_was_removed_takes_nothing_more(tmp_path: Path, sqlite: str) -> None:
    """What is written into a removed file is found by nobody: the run ends before its next step, and so does the worker."""
    site = new_site(tmp_path / "one", sqlite, {})
    make_slow(site)
    site.submit()
    worker = site.worker()
    wait_for_notes(site, worker, 2)
    path = Path(sqlite.removeprefix("sqlite:///"))
    for each in path.parent.glob(f"{path.name}*"):
        each.unlink()
    (site.home / "go-on").touch()

    assert worker.process.wait(PATIENCE_S) == 2, worker.text

    assert "was removed or replaced" in worker.text
    assert "Traceback" not in worker.text
    assert notes(site) == ["first", "slow"]


def test_a_server_that_is_away_holds_the_run_before_its_next_step(own_server: Server, tmp_path: Path) -> None:
    """The step that is under way ends; the next one begins only once the server knows of that, and nothing is done twice."""
    site = site_on(own_server, tmp_path / "one", {})
    make_slow(site)
    try:
        [submission] = site.submit()
        worker = site.worker()
        wait_for_notes(site, worker, 2)
        own_server.kill()
        (site.home / "go-on").touch()
        wait_for_text(worker, "the fleet's database can't be used")
        time.sleep(2)
        assert notes(site) == ["first", "slow"]
        own_server.start()
        site.wait_for(submission, "passed")
        assert worker.end() == 0, worker.text
    finally:
        site.end()

    assert notes(site) == ["first", "slow", "last"]
    head = site.records(submission)[-1]["hash"]
    assert site.tool("verify", f"fleet:{submission}", "--expect-head", head).status == 0


@pytest.mark.parametrize("what", ["a line of its log", "a file that a step left"])
def test_what_the_owner_changes_lets_no_run_go_on(gated: Site, postgres: Server, what: str) -> None:
    """Whoever owns the tables can change all of it; the host that goes on sees it, and so does `verify`."""
    submission = suspended(gated)
    assert gated.approve(submission).status == 0
    table = "workflow_exec.fleet_segment"
    postgres.sql(
        {
            "a line of its log": f"UPDATE {table} SET content = replace(convert_from(content, 'UTF8'), 'source', 'sourse')::bytea",
            "a file that a step left": "UPDATE workflow_exec.fleet_file SET content = 'another page'::bytea",
        }[what]
    )

    gated.work()

    assert gated.state(submission) != "passed"
    assert postgres.sql("SELECT count(*) FROM workflow_exec.fleet_decision_use") == "0"
    started = [
        each for each in gated.records(submission) if each["type"] == "step.started" and each["step"] == "publish"
    ]
    assert not started
    if what == "a line of its log":
        assert gated.tool("verify", f"fleet:{submission}").status not in (0, 3, 4)


def test_a_use_that_the_owner_forgot_is_no_second_one(gated: Site, postgres: Server) -> None:
    """The log of the run knows it as well: with its row gone, the decision lets nothing start again."""
    submission = suspended(gated)
    assert gated.approve(submission).status == 0
    assert gated.work().status == 0
    assert gated.state(submission) == "passed"
    postgres.sql("DELETE FROM workflow_exec.fleet_decision_use")
    postgres.sql("DELETE FROM workflow_exec.fleet_end WHERE outcome = 'passed'")
    postgres.sql("DELETE FROM workflow_exec.fleet_worker")

    word = gated.fleet("take-over", submission, "--reason", "once more")
    gated.work()

    assert word.status == 0, word.text
    started = [
        each for each in gated.records(submission) if each["type"] == "step.started" and each["step"] == "publish"
    ]
    assert len(started) == 1
    assert postgres.sql("SELECT count(*) FROM workflow_exec.fleet_decision_use") == "0"


def test_rows_that_a_submitter_makes_by_hand_are_refused(gated: Site, postgres: Server) -> None:
    """Nonsense, a signed submission under another id, and one with a row that says something else: nothing of them runs."""
    [signed] = gated.submit()
    copy = (
        "INSERT INTO workflow_exec.fleet_submission (id, queue, workflow, team, priority, digest, content, signature) "
    )
    of = f"FROM workflow_exec.fleet_submission WHERE id = '{signed}'"
    for values in (
        "'a1', queue, workflow, team, priority, digest, content, signature",
        "'a2', queue, workflow, team, 1, digest, content, signature",
        "'a3', queue, workflow, team, priority, digest, 'nonsense', ''",
        "'a4', queue, workflow, team, priority, digest, content || ' ', signature",
        "'a5', queue, workflow, team, priority, digest, '', signature",
    ):
        postgres.sql(f"{copy} SELECT {values} {of}", role="alice")
    with pytest.raises(subprocess.CalledProcessError, match="returned non-zero"):
        postgres.sql(
            f"{copy} SELECT id, queue, workflow, team, priority, digest, content, signature {of}", role="alice"
        )

    worked = gated.work()

    assert worked.status == 0, worked.text
    states = {name: run["state"] for name, run in gated.status().items()}
    assert states == {signed: "suspended", **{f"a{number}": "refused" for number in range(1, 6)}}
    assert postgres.sql("SELECT count(*) FROM workflow_exec.fleet_run") == "1"


def test_two_who_cancel_at_once_are_told_so(gated: Site) -> None:
    """The second one waits for the first, and gets one line."""
    submission = suspended(gated)
    with contextlib.closing(open_database(gated.people_url)) as database, database.transaction() as transaction:
        transaction.run(
            "INSERT INTO fleet_cancel (submission, reason) VALUES (:id, :reason)", id=submission, reason="not any more"
        )
        second = subprocess.Popen(
            gated.command("fleet", "cancel", "--database", gated.people_url, submission, "--reason", "me too"),
            cwd=gated.root,
            env=gated.env(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        with pytest.raises(subprocess.TimeoutExpired):
            second.wait(8)
    said, _ = second.communicate(timeout=PATIENCE_S)

    assert (second.returncode, "Traceback" in said) == (2, False), said
    assert "was cancelled before" in said
    late = gated.approve(submission)
    assert (late.status, "was cancelled" in late.text) == (2, True), late.text
    gated.work()
    assert gated.state(submission) == "cancelled"
    assert not [each for each in gated.records(submission) if each["type"] == "gate.used"]
