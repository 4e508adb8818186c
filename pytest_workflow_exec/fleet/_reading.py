"""What people ask of a fleet: which runs there are, where they stand, and who works."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._database import Database, Transaction
from ._errors import FleetError
from ._legs import Standing, standings

_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRun:
    """One submission as a person is shown it."""

    standing: Standing
    run: str | None
    state: str
    """`waiting`, `queued`, `running`, `vanished`, or how its newest leg ended."""
    where: str
    """The worker that plays it, or the step at which it waits."""
    submitted: float


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenWorker:
    """One worker as a person is shown it."""

    id: str
    queue: str
    digest: str
    commit: str
    unseen_s: float
    """How long ago it last said that it is alive."""
    is_alive: bool
    runs: int


def runs_seen(database: Database, *, dead_after_s: float, limit: int, states: frozenset[str]) -> Sequence[SeenRun]:
    """Return the runs, the newest first.

    Args:
        states: Only those in one of these states; empty for all.
    """
    with database.transaction() as transaction:
        found = _all(transaction)
        run_of = {row["submission"]: row["run"] for row in transaction.rows("SELECT run, submission FROM fleet_run")}
        at = {row["id"]: float(row["at"]) for row in transaction.rows("SELECT id, at FROM fleet_submission")}
        cancelled = {row["submission"] for row in transaction.rows("SELECT submission FROM fleet_cancel")}
        dead = _dead(transaction, dead_after_s)
    seen = [
        SeenRun(
            standing=each,
            run=run_of.get(each.id),
            state=_state(each, dead, cancelled),
            where=(each.end.step if each.end is not None else each.worker) or "",
            submitted=at[each.id],
        )
        for each in found
    ]
    wanted = [each for each in seen if not states or each.state in states]
    return sorted(wanted, key=lambda each: each.submitted, reverse=True)[:limit]


def workers_seen(database: Database, *, dead_after_s: float) -> Sequence[SeenWorker]:
    """Return the workers that are there, and those that vanished in the middle of a run."""
    with database.transaction() as transaction:
        now = transaction.now()
        rows = transaction.rows(
            "SELECT w.*, (SELECT count(*) FROM fleet_claim c WHERE c.worker = w.id AND NOT EXISTS "
            "(SELECT 1 FROM fleet_end e WHERE e.submission = c.submission AND e.leg = c.leg)) AS runs "
            "FROM fleet_worker w ORDER BY w.started"
        )
    seen = [
        SeenWorker(
            id=row["id"],
            queue=row["queue"],
            digest=row["digest"],
            commit=row["commit_id"],
            unseen_s=max(0.0, now - float(row["seen"])),
            is_alive=row["stopped"] is None and now - float(row["seen"]) < dead_after_s,
            runs=int(row["runs"]),
        )
        for row in rows
    ]
    return [each for each in seen if each.is_alive or each.runs]


def submission_named(database: Database, reference: str) -> str:
    """Return the submission that a person named by its id or its run's, the beginning of one, or `latest`.

    Raises:
        FleetError: None fits, or several do.
    """
    with database.transaction() as transaction:
        if reference == "latest":
            row = transaction.row("SELECT id FROM fleet_submission ORDER BY number DESC LIMIT 1")
            found = [] if row is None else [str(row["id"])]
        else:
            rows = transaction.rows(
                "SELECT s.id FROM fleet_submission s LEFT JOIN fleet_run r ON r.submission = s.id "
                "WHERE substr(s.id, 1, :length) = :named OR substr(r.run, 1, :length) = :named LIMIT 2",
                named=reference,
                length=len(reference),
            )
            found = [str(row["id"]) for row in rows] if reference else []
    if len(found) != 1:
        what = "several runs of the fleet begin" if found else "no run of the fleet begins"
        raise FleetError(f"{what} with {reference!r}: `workflow-exec fleet status` lists them")
    return found[0]


def name_of_run(database: Database, submission: str) -> str:
    """Return the run of a submission.

    Raises:
        FleetError: It has not begun.
    """
    with database.transaction() as transaction:
        found = transaction.row("SELECT run FROM fleet_run WHERE submission = :id", id=submission)
    if found is None:
        raise FleetError(f"{submission} has not begun, so there is no evidence of it yet")
    return str(found["run"])


def log_pieces(database: Database, run: str, *, behind: int) -> Sequence[tuple[int, bytes]]:
    """Return the lines of a run's log behind a record, piece by piece, each with its last record."""
    with database.transaction() as transaction:
        rows = transaction.rows(
            "SELECT last_seq, content FROM fleet_segment WHERE run = :run AND first_seq > :behind ORDER BY first_seq",
            run=run,
            behind=behind,
        )
    return [(int(row["last_seq"]), bytes(row["content"])) for row in rows]


def _all(transaction: Transaction) -> Sequence[Standing]:
    return standings(transaction, "1 = 1", limit=100_000)


def _dead(transaction: Transaction, dead_after_s: float) -> frozenset[str]:
    rows = transaction.rows(
        "SELECT id FROM fleet_worker WHERE stopped IS NOT NULL OR seen < :unseen",
        unseen=transaction.now() - dead_after_s,
    )
    return frozenset(str(row["id"]) for row in rows)


def _state(standing: Standing, dead: frozenset[str], cancelled: set[str]) -> str:
    if standing.end is not None:
        return "cancelled" if standing.id in cancelled and standing.end.outcome != "passed" else standing.end.outcome
    if standing.worker is not None:
        return "vanished" if standing.worker in dead else "running"
    if standing.id in cancelled:
        return "cancelled"
    return "queued" if standing.leg else "waiting"
