"""What is kept of runs that are over, and for how long."""

from __future__ import annotations

from ._database import Database
from ._engine import asking, client_of
from ._legs import workflow_id

_BATCH = 500


def prune(database: Database, *, older_than_s: float, dry_run: bool) -> int:
    """Remove the runs that are over for longer than that, and return how many; that a decision was used stays known.

    Only the owner of the tables may.

    Raises:
        FleetError: The database does not let this user.
    """
    removed = 0
    client = None if dry_run else client_of(database.url)
    while True:
        with database.transaction() as transaction:
            rows = transaction.rows(
                "SELECT s.id, (SELECT max(number) FROM fleet_leg l WHERE l.submission = s.id) AS legs "
                "FROM fleet_submission s WHERE EXISTS (SELECT 1 FROM fleet_end e WHERE e.submission = s.id "
                "AND e.at < :before AND (e.leg = 0 OR e.outcome IN ('passed', 'denied', 'cancelled'))) "
                # One that was cancelled, and that no host cleaned up for as long, is cleaned up by none.
                "OR EXISTS (SELECT 1 FROM fleet_cancel x JOIN fleet_end e ON e.submission = x.submission "
                "WHERE x.submission = s.id AND x.at < :before AND e.at < :before "
                "AND e.leg = (SELECT max(number) FROM fleet_leg l WHERE l.submission = s.id)) "
                "ORDER BY s.number LIMIT :most",
                before=transaction.now() - older_than_s,
                most=_BATCH if not dry_run else 1_000_000,
            )
            if dry_run or client is None:
                return len(rows)
            for row in rows:
                transaction.run("INSERT INTO fleet_pruned (id) VALUES (:id)", id=row["id"])
                transaction.run("DELETE FROM fleet_submission WHERE id = :id", id=row["id"])
        names = [workflow_id(str(row["id"]), leg + 1) for row in rows for leg in range(int(row["legs"] or 0))]
        if names:
            with asking():
                client.delete_workflows(names)
        removed += len(rows)
        if len(rows) < _BATCH:
            client.destroy()
            return removed
