"""Nothing of a worker that is gone stays in the way of others: no place in a queue, no leg that nobody begins."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.fleet import client_of, open_database
from pytest_workflow_exec.fleet._legs import order_leg, standing_of

from ._site import PATIENCE_S, Site, Worker, new_site

pytest.importorskip("dbos")
pytestmark = pytest.mark.timeout(900)

FLOW = """
workflow: site
steps:
  - {id: first, call: "effects:note"}
  - {id: last, call: "effects:note"}
"""
EFFECTS = """
from pathlib import Path


def note(request):
    with (Path({folder!r}) / "notes").open("a") as file:
        file.write(f"{{request.node.name}}\\n")
"""


@pytest.fixture
def site(tmp_path: Path, sqlite: str) -> Iterator[Site]:
    """A project whose steps note outside it what they do."""
    made = new_site(tmp_path / "one", sqlite, {"site.workflow.yaml": FLOW})
    made.write("wf/effects.py", EFFECTS.format(folder=str(made.home)))
    made.commit()
    yield made
    made.end()


def notes(site: Site) -> list[str]:
    """Return what the steps did."""
    return (site.home / "notes").read_text().split()


def change(site: Site, *statements: str) -> None:
    """Change the database behind the fleet's back."""
    with contextlib.closing(sqlite3.connect(site.url.removeprefix("sqlite:///"), timeout=30)) as database, database:
        for statement in statements:
            database.execute(statement)


def wait_for_text(worker: Worker, text: str) -> None:
    """Return once a worker has said something."""
    until = time.monotonic() + PATIENCE_S
    while text not in worker.text:
        assert time.monotonic() < until, worker.text
        time.sleep(0.1)


def test_a_place_of_a_worker_that_is_gone_is_free_again(site: Site) -> None:
    """It died between the end of its run and its word of it to the queue, which may have one run at once."""
    assert site.fleet("queue", "default", "--concurrency", "1").status == 0
    [first] = site.submit()
    assert site.work().status == 0
    assert site.state(first) == "passed"
    change(
        site, f"UPDATE workflow_status SET status = 'PENDING', executor_id = 'gone' WHERE workflow_uuid = '{first}:1'"
    )
    [second] = site.submit()

    site.worker("--dead-after", "3s")
    site.wait_for(second, "passed")

    assert notes(site) == ["first", "last"] * 2


def test_a_leg_that_was_to_be_begun_at_a_terminal_is_begun_by_a_worker(site: Site) -> None:
    """`take-over --here` orders a leg past the queue: killed before it begins that, the run is not lost."""
    [submission] = site.submit()
    with contextlib.closing(open_database(site.url)) as database, database.transaction() as transaction:
        standing = standing_of(transaction, submission)
        assert standing is not None
        order_leg(transaction, None, standing, reason="taken over")

    site.worker("--dead-after", "3s")
    site.wait_for(submission, "passed")

    assert notes(site) == ["first", "last"]


@pytest.mark.parametrize("rule", ["known", "never"])
def test_a_worker_that_lives_says_what_it_plays_no_more(site: Site, rule: str) -> None:
    """The database took no word of a run's end: the run does not look as if it went on, and nothing is done again."""
    [submission] = site.submit()
    change(
        site,
        "CREATE TRIGGER full BEFORE INSERT ON fleet_end WHEN NEW.outcome = 'passed' BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    worker = site.worker("--dead-after", "3s", "--take-over", rule)
    wait_for_text(worker, f"leg 1 of {submission} is over")
    if rule == "never":
        site.wait_for(submission, "interrupted")
        shown = site.fleet("status")
        assert (shown.status, "fleet take-over" in shown.text) == (1, True), shown.text
        assert "its worker could not say how it ended" in shown.text
    change(site, "DROP TRIGGER full")
    if rule == "never":
        assert site.fleet("take-over", submission, "--reason", "looked at it").status == 0

    site.wait_for(submission, "passed")

    assert notes(site) == ["first", "last"]


def test_many_legs_that_nobody_began_exhaust_no_patience(site: Site) -> None:
    """Only what ended its workers again and again is left to a person."""
    [submission] = site.submit()
    with contextlib.closing(open_database(site.url)) as database:
        client = client_of(site.url)
        for _ in range(7):
            with database.transaction() as transaction:
                standing = standing_of(transaction, submission)
                assert standing is not None
                leg = order_leg(transaction, None, standing, reason="taken over")
                transaction.run(
                    "INSERT INTO fleet_end (submission, leg, outcome) VALUES (:id, :leg, 'lost')",
                    id=submission,
                    leg=leg,
                )
        with database.transaction() as transaction:
            standing = standing_of(transaction, submission)
            assert standing is not None
            leg = order_leg(transaction, client, standing, reason="taken over")
            transaction.run(
                "INSERT INTO fleet_claim (submission, leg, worker) VALUES (:id, :leg, 'gone')", id=submission, leg=leg
            )

    site.worker("--dead-after", "3s", "--take-over", "known")
    site.wait_for(submission, "passed")

    assert notes(site) == ["first", "last"]
