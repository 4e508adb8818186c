"""What a queue takes and starts: how many at once, of each group, in which time, and how many may wait."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._database import Database, Transaction
from ._engine import asking
from ._errors import FleetError, FleetRefusedError

if TYPE_CHECKING:
    from dbos import DBOSClient

MAX_WAITING = 100_000
"""How many submissions may wait in a queue where nothing else is said."""
_POLLING_S = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of a queue; None where there is none."""

    concurrency: int | None = None
    """How many legs of all its workers at once."""
    per_worker: int | None = None
    per_team: int | None = None
    """How many of one group at once, on all workers."""
    rate: tuple[int, float] | None = None
    """How many may start within so many seconds."""
    max_waiting: int = MAX_WAITING


def limits_of(client: DBOSClient, transaction: Transaction, queue: str) -> Limits | None:
    """Return the limits of a queue; None if there is no such queue."""
    with asking():
        found = client.retrieve_queue(queue)
    if found is None:
        return None
    row = transaction.row("SELECT max_waiting FROM fleet_queue WHERE name = :name", name=queue)
    limiter = found.limiter
    return Limits(
        concurrency=found.global_concurrency,
        per_worker=found.worker_concurrency,
        per_team=found.partition_concurrency,
        rate=None if limiter is None else (limiter["limit"], limiter["period"]),
        max_waiting=MAX_WAITING if row is None else int(row["max_waiting"]),
    )


def set_limits(client: DBOSClient, database: Database, queue: str, limits: Limits) -> None:
    """Let a queue have these limits from now on, on all its workers.

    Raises:
        FleetError: They contradict each other.
    """
    rate = None if limits.rate is None else {"limit": limits.rate[0], "period": limits.rate[1]}
    try:
        with asking():
            client.register_queue(
                queue,
                global_concurrency=limits.concurrency,
                worker_concurrency=limits.per_worker,
                # Each leg is enqueued with its group, so that a limit can be set and taken away at any time.
                partition_concurrency=limits.per_team,
                limiter=rate,  # type: ignore[arg-type]  # a mapping with these two keys is what it is
                polling_interval_sec=_POLLING_S,
                on_conflict="always_update",
            )
    except ValueError as error:
        raise FleetError(f"the limits of queue {queue!r} contradict each other: {error}") from error
    with database.transaction() as transaction:
        transaction.run(
            "INSERT INTO fleet_queue (name, max_waiting) VALUES (:name, :most) "
            "ON CONFLICT (name) DO UPDATE SET max_waiting = excluded.max_waiting",
            name=queue,
            most=limits.max_waiting,
        )


def demand_room(transaction: Transaction, queue: str, *, more: int) -> None:
    """Return if a queue takes so many more submissions.

    Raises:
        FleetRefusedError: Too many wait already.
    """
    row = transaction.row("SELECT max_waiting FROM fleet_queue WHERE name = :name", name=queue)
    most = MAX_WAITING if row is None else int(row["max_waiting"])
    found = transaction.row(
        "SELECT count(*) AS waiting FROM fleet_submission s WHERE s.queue = :queue "
        "AND NOT EXISTS (SELECT 1 FROM fleet_claim c WHERE c.submission = s.id) "
        "AND NOT EXISTS (SELECT 1 FROM fleet_end e WHERE e.submission = s.id) "
        "AND NOT EXISTS (SELECT 1 FROM fleet_cancel x WHERE x.submission = s.id)",
        queue=queue,
    )
    waiting = int((found or {"waiting": 0})["waiting"])
    if waiting + more > most:
        raise FleetRefusedError(
            f"queue {queue!r} takes no {more} more: {waiting} wait, and {most} may. Nothing was submitted; try again later"
        )
