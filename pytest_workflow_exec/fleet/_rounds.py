"""What each worker looks after between its runs: what is to start, what can go on, and who is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._database import is_refusal
from ._engine import asking
from ._errors import FleetError, FleetLostError
from ._host import Host
from ._legs import LegEnd, Standing, cancelled_for, end_leg, order_leg, standing_of, standings, workflow_id
from ._player import accepted

if TYPE_CHECKING:
    from dbos import DBOSClient

TakeOver = Literal["never", "known"]
"""Whether runs of dead workers go on by rule: never, or only if nothing of them has to be decided by a person."""
BACKLOG = 1000
"""How many legs are in a queue at once; the rest waits in the order of its priorities."""
_BATCH = 200
_MOST_BY_RULE = 5
_MOST_DIGITS = 9
_OVER = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
_VANISHED = (
    # Whoever asks lives, however late it said so last.
    "(c.worker IS NOT NULL AND c.worker <> :me AND e.leg IS NULL AND NOT EXISTS (SELECT 1 FROM fleet_worker w "
    "WHERE w.id = c.worker AND w.stopped IS NULL AND w.seen >= :unseen))"
)
# Counted, not compared by number: of two that are handed in at once, the one with the lower number can be committed last.
_ANSWERED = (
    "(SELECT count(*) FROM fleet_answer a JOIN fleet_run r ON r.run = a.run WHERE r.submission = s.id) > l.answers"
)
# What ends each host that takes it is not given to one after the other; a leg that nobody began has ended nobody.
_TRIED_TOO_OFTEN = (
    "(SELECT count(*) FROM fleet_leg t JOIN fleet_claim k ON k.submission = t.submission AND k.leg = t.number "
    "WHERE t.submission = s.id AND t.reason = 'taken over') >= :most"
)
_NOT_CANCELLED = "NOT EXISTS (SELECT 1 FROM fleet_cancel x WHERE x.submission = s.id)"
_NEVER_BEGUN = "NOT EXISTS (SELECT 1 FROM fleet_claim k WHERE k.submission = s.id)"
# Of what began and is to be begun no more: once, as a clean-up that was refused is for a person to look at.
_LEFT_BEHIND = (
    "(e.outcome IN ('suspended', 'interrupted', 'refused', 'lost') AND l.number > 0 AND EXISTS "
    "(SELECT 1 FROM fleet_cancel x WHERE x.submission = s.id AND x.at >= l.at))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rounds:
    """Looks after one queue, for the runs of this host's own project alone."""

    host: Host
    client: DBOSClient
    queue: str
    dead_after_s: float
    take_over: TakeOver

    def go(self, *, settled: bool) -> Iterator[str]:
        """Do all that is to be done now, and give what a person is told of it.

        Args:
            settled: Whether this worker has seen the database for long enough to call others gone.
        """
        yield from self._cancelled()
        yield from self._new()
        yield from self._answered()
        yield from self._due()
        if settled:
            yield from self._gone()

    def is_left(self) -> bool:
        """Return whether there is something that a worker of this project would begin, or go on with, at its next look."""
        with self.host.database.transaction() as transaction:
            now = transaction.now()
        waits = "(e.leg IS NULL AND c.worker IS NULL)"
        goes_on = f"(e.outcome = 'suspended' AND ({_ANSWERED} OR e.due <= :now) AND {_NOT_CANCELLED})"
        return bool(self._own(f"({waits} OR {goes_on} OR {_LEFT_BEHIND})", now=now))

    def _own(self, where: str, **values: object) -> list[Standing]:
        with self.host.database.transaction() as transaction:
            return list(
                standings(
                    transaction,
                    f"s.queue = :queue AND s.digest = :digest AND {where}",
                    limit=_BATCH,
                    queue=self.queue,
                    digest=self.host.project.digest,
                    me=self.host.worker,
                    **values,
                )
            )

    def _new(self) -> Iterator[str]:
        with self.host.database.transaction() as transaction:
            found = transaction.row(
                "SELECT count(*) AS queued FROM fleet_leg l JOIN fleet_submission s ON s.id = l.submission "
                "WHERE s.queue = :queue AND NOT EXISTS "
                "(SELECT 1 FROM fleet_claim c WHERE c.submission = l.submission AND c.leg = l.number) "
                "AND NOT EXISTS (SELECT 1 FROM fleet_end e WHERE e.submission = l.submission AND e.leg = l.number)",
                queue=self.queue,
            )
        room = BACKLOG - int((found or {"queued": 0})["queued"])
        if room <= 0:
            return
        for standing in self._own(f"l.number IS NULL AND e.leg IS NULL AND {_NOT_CANCELLED}")[:room]:
            try:
                _, who = accepted(self.host, standing)
            except FleetError as error:
                self._refuse(standing, str(error))
                yield f"{standing.id} is refused: {error}"
                continue
            if self._order(standing, "new"):
                yield f"{standing.id} of workflow {standing.workflow}, submitted by {who}, is queued"

    def _answered(self) -> Iterator[str]:
        where = f"e.outcome = 'suspended' AND {_ANSWERED} AND {_NOT_CANCELLED}"
        for standing in self._own(where):
            if self._order(standing, "decision"):
                yield f"{standing.id} was answered, and goes on"

    def _due(self) -> Iterator[str]:
        with self.host.database.transaction() as transaction:
            now = transaction.now()
        for standing in self._own(f"e.outcome = 'suspended' AND e.due <= :now AND {_NOT_CANCELLED}", now=now):
            if self._order(standing, "due"):
                yield f"{standing.id} is due, and goes on"

    def _gone(self) -> Iterator[str]:
        self._free_places()
        yield from self._never_begun()
        if self.take_over == "never":
            return
        # A cancelled one goes on only to clean up: see `play_leg`.
        may = f"NOT {_TRIED_TOO_OFTEN}"
        for standing in self._own(f"{_VANISHED} AND {may}", unseen=self._unseen(), most=_MOST_BY_RULE):
            yield from self._by_rule(standing, f"worker {standing.worker} is gone")
        for standing in self._own(f"e.outcome = 'interrupted' AND {may}", most=_MOST_BY_RULE):
            yield from self._by_rule(standing, "it was interrupted")

    def _free_places(self) -> None:
        """Let the queue no longer count what ended, where the worker went away before it told the queue so."""
        with asking():
            # The oldest first: what stands since its worker died is among them.
            listed = self.client.list_workflows(
                status="PENDING", queue_name=self.queue, load_input=False, load_output=False, limit=BACKLOG
            )
        with self.host.database.transaction() as transaction:
            rows = transaction.rows(
                "SELECT id FROM fleet_worker WHERE stopped IS NULL AND seen >= :unseen",
                unseen=transaction.now() - self.dead_after_s,
            )
        alive = {self.host.worker, *(str(row["id"]) for row in rows)}
        for status in listed:
            if status.executor_id not in alive and self._has_ended(status.workflow_id):
                with asking():
                    self.client.cancel_workflow(status.workflow_id)

    def _has_ended(self, name: str) -> bool:
        submission, _, leg = name.rpartition(":")
        with self.host.database.transaction() as transaction:
            found = transaction.row(
                "SELECT 1 AS yes FROM fleet_end WHERE submission = :id AND leg = :leg",
                id=submission,
                leg=int(leg) if leg.isascii() and leg.isdecimal() and len(leg) <= _MOST_DIGITS else -1,
            )
        return found is not None

    def _by_rule(self, standing: Standing, why: str) -> Iterator[str]:
        if take_over(self.host, self.client, standing, said=f"{why}; taken over by rule"):
            yield f"{standing.id} was taken over: {why}"

    def _never_begun(self) -> Iterator[str]:
        """Order legs anew that no worker will begin: taken out of their queue by one that is gone, or never in it.

        Nothing of them happened. A leg is not in the queue if it was to be begun at a person's terminal.
        """
        where = "l.number IS NOT NULL AND c.worker IS NULL AND e.leg IS NULL AND l.at < :unseen"
        found = self._own(where, unseen=self._unseen())
        if not found:
            return
        names = {workflow_id(each.id, each.leg): each for each in found}
        with asking():
            listed = self.client.list_workflows(workflow_ids=list(names), load_input=False, load_output=False)
        queued = {status.workflow_id: status for status in listed}
        for name, standing in names.items():
            status = queued.get(name)
            lost = (
                status is None
                or status.status in _OVER
                or (status.status == "PENDING" and self._is_gone(status.executor_id))
            )
            if lost and take_over(self.host, self.client, standing, said="its worker went away before it began"):
                yield f"{standing.id} is queued again: its worker went away before it began"

    def _is_gone(self, worker: str | None) -> bool:
        if worker == self.host.worker:
            return False
        with self.host.database.transaction() as transaction:
            found = transaction.row("SELECT seen, stopped FROM fleet_worker WHERE id = :id", id=worker)
            return (
                found is None or found["stopped"] is not None or found["seen"] < transaction.now() - self.dead_after_s
            )

    def _unseen(self) -> float:
        with self.host.database.transaction() as transaction:
            return transaction.now() - self.dead_after_s

    def _cancelled(self) -> Iterator[str]:
        """End what was cancelled: at once where nothing began, else by a leg that plays no more than `finally`."""
        for standing in self._own(f"e.leg IS NULL AND {_NEVER_BEGUN} AND NOT ({_NOT_CANCELLED})"):
            try:
                with self.host.database.transaction() as transaction:
                    said = cancelled_for(transaction, standing.id)
                    end_leg(transaction, standing.id, standing.leg, LegEnd(outcome="cancelled", said=said))
                if standing.leg:
                    with asking():
                        self.client.cancel_workflow(workflow_id(standing.id, standing.leg))
            except FleetLostError:
                continue
            yield f"{standing.id} was cancelled before it began"
        for standing in self._own(_LEFT_BEHIND):
            if self._order(standing, "cancelled"):
                yield f"{standing.id} was cancelled, and cleans up"

    def _refuse(self, standing: Standing, why: str) -> None:
        try:
            with self.host.database.transaction() as transaction:
                end_leg(transaction, standing.id, 0, LegEnd(outcome="refused", said=why))
        except FleetLostError:
            return

    def _order(self, standing: Standing, reason: Literal["new", "decision", "due", "cancelled"]) -> bool:
        return order(self.host, self.client, standing, reason=reason)


def order(
    host: Host, client: DBOSClient, standing: Standing, *, reason: Literal["new", "decision", "due", "cancelled"]
) -> bool:
    """Order the next leg of a submission; False if another worker was faster."""
    from sqlalchemy.exc import DBAPIError

    try:
        with host.database.transaction() as transaction:
            found = transaction.row(
                "SELECT count(*) AS answers FROM fleet_answer a JOIN fleet_run r ON r.run = a.run "
                "WHERE r.submission = :id",
                id=standing.id,
            )
            order_leg(transaction, client, standing, reason=reason, answers=int((found or {"answers": 0})["answers"]))
    except DBAPIError as error:
        if not is_refusal(error):
            raise
        return False
    return True


def take_over(host: Host, client: DBOSClient | None, standing: Standing, *, said: str) -> bool:
    """End a leg whose worker is gone, and order the next one; False if it ended meanwhile.

    What its worker does from now on is refused by the database, so that nothing of it has an effect without being told.

    Args:
        client: None if the next leg will be begun right here.
        said: Why, and by whose word.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        with host.database.transaction() as transaction:
            now = standing_of(transaction, standing.id)
            if now is None or now.leg != standing.leg:
                return False
            if now.end is None:
                end_leg(transaction, standing.id, standing.leg, LegEnd(outcome="lost", said=said))
            order_leg(transaction, client, standing, reason="taken over", answers=standing.answers)
    except FleetLostError:
        return False
    except DBAPIError as error:
        if not is_refusal(error):
            raise
        return False
    if client is not None and standing.leg:
        with asking():
            client.cancel_workflow(workflow_id(standing.id, standing.leg))
    return True
