"""What people say to a fleet: an answer, that a run is not to go on, that it goes on elsewhere."""

from __future__ import annotations

from ._database import Database, said_by_trigger
from ._engine import client_of
from ._errors import FleetError
from ._host import Host
from ._legs import OVER, Standing, cancelled_for, standing_of
from ._rounds import take_over


def hand_in_answer(database: Database, run: str, step: str, content: bytes) -> None:
    """Put a signed answer into the database, for whichever host goes on with the run; it judges the answer.

    Raises:
        FleetError: The database does not take it.
    """
    from sqlalchemy.exc import DBAPIError, IntegrityError

    try:
        with database.transaction() as transaction:
            transaction.run(
                "INSERT INTO fleet_answer (run, step, content) VALUES (:run, :step, :content)",
                run=run,
                step=step,
                content=content.decode("ascii"),
            )
    except DBAPIError as error:
        if (said := said_by_trigger(error)) is not None:
            raise FleetError(f"the answer was not handed in: {said}") from error
        if not isinstance(error, IntegrityError):
            raise
        raise FleetError(
            f"the answer was not handed in: run {run} is not there any more, or the answer is too long"
        ) from error


def cancel(database: Database, submission: str, reason: str) -> Standing:
    """Say that a submission is not to be run, or not to go on, and return where it stood then.

    Raises:
        FleetError: It is over, or was cancelled before.
    """
    from sqlalchemy.exc import DBAPIError, IntegrityError

    try:
        return _cancel(database, submission, reason)
    except DBAPIError as error:
        if (said := said_by_trigger(error)) is not None:
            raise FleetError(said) from error
        if not isinstance(error, IntegrityError):
            raise
        # Somebody else did in the same moment, or it was removed.
        raise FleetError(f"{submission} was cancelled before, or is not there any more") from error


def _cancel(database: Database, submission: str, reason: str) -> Standing:
    with database.transaction() as transaction:
        standing = standing_of(transaction, submission)
        if standing is None:
            raise FleetError(f"{submission} is not there any more")
        if cancelled_for(transaction, submission):
            raise FleetError(f"{submission} was cancelled before")
        if standing.end is not None and (standing.leg == 0 or standing.end.outcome in OVER):
            raise FleetError(f"{submission} is over: {standing.end.outcome}")
        transaction.run(
            "INSERT INTO fleet_cancel (submission, reason) VALUES (:id, :reason)", id=submission, reason=reason
        )
    return standing


def is_alive(database: Database, worker: str | None, *, dead_after_s: float) -> bool:
    """Return whether a worker said lately that it is there."""
    with database.transaction() as transaction:
        found = transaction.row(
            "SELECT 1 AS yes FROM fleet_worker WHERE id = :id AND stopped IS NULL AND seen >= :unseen",
            id=worker,
            unseen=transaction.now() - dead_after_s,
        )
    return found is not None


def release(host: Host, submission: str, *, said: str, dead_after_s: float, here: bool) -> Standing:
    """Take a run from the worker that had it, or let one go on that ended early, and return how it stands now.

    Args:
        said: Why, and by whose word.
        here: Whether it will be played in this process; else a worker of its queue gets it.

    Raises:
        FleetError: Its worker is alive, it is over, or it waits for something else.
    """
    with host.database.transaction() as transaction:
        standing = standing_of(transaction, submission)
        cancelled = bool(cancelled_for(transaction, submission))
    if standing is None:
        raise FleetError(f"{submission} is not there any more")
    alive = is_alive(host.database, standing.worker, dead_after_s=dead_after_s)
    _demand_stopped(standing, is_alive=alive, here=here, cancelled=cancelled)
    client = None if here else client_of(host.database.url)
    if not take_over(host, client, standing, said=said):
        raise FleetError(
            f"{submission} ended meanwhile, or was taken over by somebody else: see `workflow-exec fleet status`"
        )
    with host.database.transaction() as transaction:
        now = standing_of(transaction, submission)
    if now is None:
        raise FleetError(f"{submission} is not there any more")
    return now


def _demand_stopped(standing: Standing, *, is_alive: bool, here: bool, cancelled: bool) -> None:
    if standing.end is None and standing.worker is None:
        raise FleetError(f"{standing.id} has not begun: a worker of queue {standing.queue!r} takes it in its turn")
    if standing.end is None and is_alive:
        raise FleetError(
            f"worker {standing.worker} plays {standing.id} and is alive: `workflow-exec fleet cancel` stops it"
        )
    if standing.end is None:
        return
    # What failed has played its `finally`: nothing is left to do for one that was cancelled behind that.
    if standing.end.outcome in OVER or (cancelled and standing.end.outcome == "failed") or standing.leg == 0:
        raise FleetError(f"{standing.id} is over: {'cancelled' if cancelled else standing.end.outcome}")
    if standing.end.outcome == "suspended" and not here and not cancelled:
        raise FleetError(f"{standing.id} waits at {standing.end.step}: an answer lets it go on, not a worker")
