"""An answer that was accepted has its effect, whatever dies between the two."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.fleet import Database, client_of, open_database
from pytest_workflow_exec.fleet._legs import LegEnd, claim_leg, end_leg, order_leg, standing_of

from ._postgres import Server
from ._site import PATIENCE_S, Site, new_site, site_on

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

FLOW = """
workflow: site
steps:
  - {id: pack, run: [cp, source, out.txt], outputs: {file: {glob: out.txt}}}
  - id: approve
    gate: {question: Publish it?, assurance: 2, approvers: [managers], wait: suspend}
  - {id: publish, run: [cp, "${steps.pack.file}", ran-publish]}
"""


@pytest.fixture
def site(tmp_path: Path, sqlite: str) -> Iterator[Site]:
    """A project whose gate wants a signature."""
    made = new_site(tmp_path / "one", sqlite, {"site.workflow.yaml": FLOW})
    yield made
    made.end()


@pytest.fixture
def suspended(site: Site) -> str:
    """A run that waits at its gate."""
    [submission] = site.submit()
    assert site.work().status == 0
    assert site.state(submission) == "suspended"
    return submission


@pytest.fixture
def database(site: Site) -> Iterator[Database]:
    """The fleet's database."""
    with contextlib.closing(open_database(site.url, make=True)) as found:
        yield found


def order(database: Database, submission: str, *, queued: bool = True) -> int:
    """Order the next leg, as a worker does that has seen every answer so far."""
    client = client_of(database.url) if queued else None
    with database.transaction() as transaction:
        standing = standing_of(transaction, submission)
        assert standing is not None
        found = transaction.row("SELECT count(*) AS answers FROM fleet_answer")
        answers = int((found or {})["answers"])
        return order_leg(transaction, client, standing, reason="decision", answers=answers)


def claim(database: Database, submission: str, leg: int) -> None:
    """Let a worker begin a leg, of which nothing is heard any more."""
    with database.transaction() as transaction:
        claim_leg(transaction, submission, leg, worker="gone")


def give_back(database: Database, submission: str, leg: int) -> None:
    """Let a worker give a leg back that it did not begin."""
    with database.transaction() as transaction:
        end_leg(transaction, submission, leg, LegEnd(outcome="lost", said="its worker ended before it began"))


def passed_once(site: Site, submission: str) -> bool:
    """Return whether a run passed by the one answer to its one question."""
    kinds = [record["type"] for record in site.records(submission)]
    once = [kinds.count(kind) for kind in ("gate.requested", "gate.decided", "gate.used")] == [1, 1, 1]
    return site.state(submission) == "passed" and once


@pytest.mark.parametrize("what", ["claimed", "given back", "claimed, twice"])
def test_an_answer_counts_though_the_worker_that_read_it_is_gone(
    site: Site, suspended: str, database: Database, what: str
) -> None:
    """The log still ends with the suspension of the leg before the answer: that is no end of the leg that was lost."""
    assert site.approve(suspended).status == 0
    leg = order(database, suspended)
    if what == "given back":
        give_back(database, suspended, leg)
    else:
        claim(database, suspended, leg)
    if what == "claimed, twice":
        assert site.fleet("take-over", suspended, "--reason", "it is gone").status == 0
        claim(database, suspended, leg + 1)

    assert site.fleet("take-over", suspended, "--reason", "it is gone").status == 0
    worked = site.work()

    assert passed_once(site, suspended), f"{worked.text}\n{site.status()}"


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_suspension_that_nobody_noted_is_one_and_can_be_answered(
    site: Site, suspended: str, database: Database, when: str
) -> None:
    """A worker that went away between the end of its session and its word of it: nothing is played again, no answer is lost."""
    with sqlite3.connect(site.url.removeprefix("sqlite:///")) as file:
        file.execute("DELETE FROM fleet_end")
        file.execute("DELETE FROM fleet_worker")
    if when == "before":
        assert site.approve(suspended).status == 0
    assert site.fleet("take-over", suspended, "--reason", "it is gone").status == 0
    worked = site.work()
    if when == "after":
        assert site.state(suspended) == "suspended", worked.text
        assert len([record for record in site.records(suspended) if record["type"] == "run.resumed"]) == 0
        assert site.approve(suspended).status == 0
        worked = site.work()

    assert passed_once(site, suspended), f"{worked.text}\n{site.status()}"


def test_of_two_answers_at_once_none_is_overlooked(postgres: Server, tmp_path: Path) -> None:
    """The second one is taken once the first is: whoever goes on sees both, or is woken again by the later one."""
    site = site_on(
        postgres, tmp_path / "one", {"site.workflow.yaml": FLOW.replace("[managers]", "[managers], required: 2")}
    )
    [submission] = site.submit()
    assert site.work().status == 0
    assert site.approve(submission, "alice").status == 0
    by_bob: list[str | Path] = [
        "approve",
        "--database",
        site.people_url,
        submission,
        "approve",
        "--signature",
        site.sign("bob", submission),
    ]
    with contextlib.closing(open_database(postgres.url("owner"))) as owner:
        with owner.transaction() as transaction:
            row = transaction.row("SELECT run, step, content FROM fleet_answer") or {}
            transaction.run("DELETE FROM fleet_answer")
        with owner.transaction() as late:
            late.run("INSERT INTO fleet_answer (run, step, content) VALUES (:run, :step, :content)", **row)
            second = subprocess.Popen(
                site.command("fleet", *by_bob), cwd=site.root, env=site.env(), stdin=subprocess.DEVNULL
            )
            with pytest.raises(subprocess.TimeoutExpired):
                second.wait(8)
    assert second.wait(PATIENCE_S) == 0
    worked = site.work()

    assert site.state(submission) == "passed", f"{worked.text}\n{site.status()}"
    assert [record["type"] for record in site.records(submission)].count("gate.used") == 1
