"""Legs of runs: each begins where the one before it ended, is begun by one worker, and ends once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._database import Transaction, is_refusal
from ._engine import LEG
from ._errors import FleetLostError

if TYPE_CHECKING:
    from dbos import DBOSClient

Outcome = Literal["passed", "failed", "denied", "suspended", "interrupted", "refused", "lost", "cancelled"]
Reason = Literal["new", "decision", "due", "taken over", "cancelled"]
OVER = frozenset({"passed", "denied", "cancelled"})
"""How a submission ends for good."""
_MAX_SAID_CHARS = 8000


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnd:
    """How a leg ended."""

    outcome: Outcome
    step: str = ""
    """Where a suspended run waits."""
    due: float | None = None
    """When it can go on without anybody's word, in seconds since 1970; None if it can't."""
    waited_before: bool = False
    """Whether it waited for that very moment before the leg, too."""
    said: str = ""
    """What a person has to know of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a submission stands."""

    id: str
    queue: str
    team: str
    priority: int
    workflow: str
    digest: str
    content: str
    signature: str
    leg: int
    """The newest; 0 if there is none."""
    answers: int
    """How many signed answers were there when the newest leg was ordered."""
    worker: str | None
    """Who began the newest leg."""
    end: LegEnd | None


COLUMNS = """
  s.id, s.queue, s.team, s.priority, s.workflow, s.digest, s.content, s.signature, s.at,
  coalesce(l.number, 0) AS leg, coalesce(l.answers, 0) AS answers, c.worker,
  e.outcome, e.step, e.due, e.said
"""
TABLES = """
FROM fleet_submission s
LEFT JOIN fleet_leg l ON l.submission = s.id
  AND l.number = (SELECT max(number) FROM fleet_leg o WHERE o.submission = s.id)
LEFT JOIN fleet_claim c ON c.submission = s.id AND c.leg = l.number
LEFT JOIN fleet_end e ON e.submission = s.id AND e.leg = coalesce(l.number, 0)
"""
"""What `standing_in` needs of a row, and where it comes from."""
_STANDING = f"SELECT {COLUMNS} {TABLES}"


def standing_of(transaction: Transaction, submission: str) -> Standing | None:
    """Return where a submission stands; None if there is none."""
    found = transaction.row(f"{_STANDING} WHERE s.id = :id", id=submission)  # a constant
    return None if found is None else standing_in(found)


def standings(transaction: Transaction, where: str, *, limit: int = 1000, **values: object) -> Sequence[Standing]:
    """Return where submissions stand, the most urgent first.

    Args:
        where: A condition over the columns of `fleet_submission` as `s`, the newest leg as `l`, its claim as `c` and its
            end as `e`.
    """
    statement = f"{_STANDING} WHERE {where} ORDER BY s.priority, s.number LIMIT :limit"  # ours
    used = {name: value for name, value in values.items() if f":{name}" in where}
    return [standing_in(row) for row in transaction.rows(statement, limit=limit, **used)]


def order_leg(
    transaction: Transaction, client: DBOSClient | None, standing: Standing, *, reason: Reason, answers: int = 0
) -> int:
    """Order the next leg of a submission, in the same transaction as it is put into its queue, and return its number.

    Args:
        client: None if it will be begun right here.
        answers: How many signed answers it will take in at least.
    """
    number = standing.leg + 1
    transaction.run(
        "INSERT INTO fleet_leg (submission, number, reason, answers) VALUES (:submission, :number, :reason, :answers)",
        submission=standing.id,
        number=number,
        reason=reason,
        answers=answers,
    )
    if client is not None:
        client.enqueue_in_transaction(
            transaction.connection,
            {
                "queue_name": standing.queue,
                "workflow_name": LEG,
                "workflow_id": workflow_id(standing.id, number),
                "app_version": standing.digest,
                "priority": standing.priority,
                "queue_partition_key": standing.team,
            },
            standing.id,
            number,
        )
    return number


def workflow_id(submission: str, leg: int) -> str:
    """Return what the queueing engine calls a leg."""
    return f"{submission}:{leg}"


def claim_leg(transaction: Transaction, submission: str, leg: int, *, worker: str) -> None:
    """Begin a leg; nobody else ever does.

    Raises:
        FleetLostError: Somebody did, or it is not the newest any more.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        transaction.run(
            "INSERT INTO fleet_claim (submission, leg, worker, cleans) VALUES (:submission, :leg, :worker, "
            "EXISTS (SELECT 1 FROM fleet_cancel x WHERE x.submission = :submission))",
            submission=submission,
            leg=leg,
            worker=worker,
        )
    except DBAPIError as error:
        if not is_refusal(error):
            raise
        raise FleetLostError(f"leg {leg} of {submission} was begun before, or is over") from error


def cancelled_for(transaction: Transaction, submission: str) -> str:
    """Return why a submission is not to go on; empty if it is."""
    found = transaction.row("SELECT reason FROM fleet_cancel WHERE submission = :id", id=submission)
    return "" if found is None else f"cancelled: {found['reason']}"


def end_leg(transaction: Transaction, submission: str, leg: int, end: LegEnd) -> None:
    """Note how a leg ended.

    Raises:
        FleetLostError: It had ended before, or was taken over.
    """
    from sqlalchemy.exc import DBAPIError

    try:
        transaction.run(
            "INSERT INTO fleet_end (submission, leg, outcome, step, due, said) "
            "VALUES (:submission, :leg, :outcome, :step, :due, :said)",
            submission=submission,
            leg=leg,
            outcome=end.outcome,
            step=end.step,
            due=end.due,
            said=end.said[-_MAX_SAID_CHARS:].replace("\0", ""),
        )
    except DBAPIError as error:
        if not is_refusal(error):
            raise
        raise FleetLostError(f"leg {leg} of {submission} is over") from error


def standing_in(row: Mapping[str, Any]) -> Standing:
    """Return the standing in a row of `COLUMNS`."""
    end = None
    if row["outcome"] is not None:
        end = LegEnd(outcome=row["outcome"], step=row["step"], due=row["due"], said=row["said"])
    names = (
        "id",
        "queue",
        "team",
        "priority",
        "workflow",
        "digest",
        "content",
        "signature",
        "leg",
        "answers",
        "worker",
    )
    return Standing(**{name: row[name] for name in names}, end=end)
