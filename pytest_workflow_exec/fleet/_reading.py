"""What people ask of a fleet: which runs there are, where they stand, and who works."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._database import Database
from ._errors import FleetError
from ._legs import COLUMNS, TABLES, Standing, standing_in

_SHOWN_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenRun:
    """One submission as a person is shown it."""

    standing: Standing
    run: str | None
    state: str
    """`waiting`, `queued`, `running`, `cancelling`, `vanished`, or how its newest leg ended."""
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


_SEEN = f"""
SELECT {COLUMNS}, s.number AS place, r.run, CASE
  WHEN x.submission IS NOT NULL AND e.outcome = 'failed' THEN 'cancelled'
  WHEN x.submission IS NOT NULL AND l.number > 0 AND x.at >= l.at
    AND e.outcome IN ('suspended', 'interrupted', 'refused', 'lost') THEN 'cancelling'
  WHEN e.outcome IS NOT NULL THEN e.outcome
  WHEN c.worker IS NOT NULL THEN
    CASE WHEN w.id IS NULL THEN 'vanished' WHEN x.submission IS NOT NULL THEN 'cancelling' ELSE 'running' END
  WHEN x.submission IS NOT NULL AND l.number > 1 THEN 'cancelling'
  WHEN x.submission IS NOT NULL THEN 'cancelled'
  WHEN l.number IS NOT NULL THEN 'queued'
  ELSE 'waiting' END AS state
{TABLES}
LEFT JOIN fleet_run r ON r.submission = s.id
LEFT JOIN fleet_cancel x ON x.submission = s.id
LEFT JOIN fleet_worker w ON w.id = c.worker AND w.stopped IS NULL AND w.seen >= :unseen
"""  # constants


def runs_seen(
    database: Database, *, dead_after_s: float, limit: int, states: frozenset[str], submission: str | None = None
) -> Sequence[SeenRun]:
    """Return the runs, the newest first.

    Args:
        states: Only those in one of these states; empty for all.
        submission: Only this one; None for all.
    """
    where, values = _only(states, submission)
    with database.transaction() as transaction:
        rows = transaction.rows(
            f"SELECT * FROM ({_SEEN}) q {where} ORDER BY place DESC LIMIT :most",  # noqa: S608  # constants and placeholders
            unseen=transaction.now() - dead_after_s,
            most=limit,
            **values,
        )
    return [_seen(row) for row in rows]


def runs_counted(
    database: Database, *, dead_after_s: float, states: frozenset[str], submission: str | None = None
) -> Mapping[str, int]:
    """Return how many runs are in each state; see `runs_seen`, which is not asked for all of them."""
    where, values = _only(states, submission)
    with database.transaction() as transaction:
        rows = transaction.rows(
            f"SELECT state, count(*) AS runs FROM ({_SEEN}) q {where} GROUP BY state ORDER BY state",  # noqa: S608  # the same
            unseen=transaction.now() - dead_after_s,
            **values,
        )
    return {str(row["state"]): int(row["runs"]) for row in rows}


def _only(states: frozenset[str], submission: str | None) -> tuple[str, Mapping[str, str]]:
    values = {f"state_{number}": state for number, state in enumerate(sorted(states))}
    conditions = [f"state IN ({', '.join(f':{name}' for name in values)})"] if values else []
    if submission is not None:
        conditions.append("id = :submission")
        values["submission"] = submission
    return f"WHERE {' AND '.join(conditions)}" if conditions else "", values


def _seen(row: Mapping[str, Any]) -> SeenRun:
    standing = standing_in(row)
    return SeenRun(
        standing=standing,
        run=row["run"],
        state=str(row["state"]),
        where=(standing.end.step if standing.end is not None else standing.worker) or "",
        submitted=float(row["at"]),
    )


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
