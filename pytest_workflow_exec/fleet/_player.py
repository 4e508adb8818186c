"""One leg of a run: a checkout, pytest in it as a child, and its evidence in the database before each effect."""

from __future__ import annotations

from pytest_workflow_exec.approval import BallotRefusedError, ballot_in
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import hand_in
from pytest_workflow_exec.lean_dataclasses import replace

from ._checkout import checkout_of
from ._database import Transaction
from ._ends import cleaned_up, due_told_by, end_told_by
from ._errors import FleetLostError, FleetRefusedError
from ._host import Host, clock_ahead_s
from ._legs import LegEnd, Standing, cancelled_for, claim_leg, end_leg, standing_of
from ._project import ProjectState
from ._restore import Stored, put_into, stored_run
from ._session import Session
from ._shipping import Shipper
from ._submission import Submission, submission_in
from ._trust import names_of_key, submitter_of

_NOT_YET_S = 30.0


def play_leg(host: Host, submission: str, leg: int, *, terminal: bool = False) -> LegEnd:
    """Play a leg that was ordered, and return how it ended, which the database then has, too.

    Of a run that was cancelled before the leg began, no step starts but those of `finally`.

    Args:
        terminal: Whether a person sits at this process's terminal and can be asked there.

    Raises:
        FleetLostError: It is another worker's, or was taken over.
        UnreachableError: The database was away for too long.
    """
    standing, cancelled = host.patiently(lambda: _claimed(host, submission, leg))
    try:
        # As long as the database is away before the session begins, nothing has happened.
        end = host.patiently(lambda: _played(host, standing, cancelled, terminal=terminal))
    except FleetLostError:
        raise
    except (WorkflowExecError, OSError) as error:
        end = LegEnd(outcome="refused", said=str(error))
    host.patiently(lambda: _ended(host, submission, leg, end))
    return end


def _claimed(host: Host, submission: str, leg: int) -> tuple[Standing, str]:
    """Return where a submission stands, now that a leg of it is this worker's, and why it was cancelled, if it was."""
    with host.database.transaction() as transaction:
        transaction.alone(submission)
        standing = standing_of(transaction, submission)
        if standing is None or standing.leg != leg or standing.end is not None:
            raise FleetLostError(f"leg {leg} of {submission} is over")
        if standing.worker != host.worker:
            # Else the connection was lost after it was claimed.
            claim_leg(transaction, submission, leg, worker=host.worker)
        # Behind the claim: what is said from now on, the session is told of.
        return standing, cancelled_for(transaction, submission)


def _ended(host: Host, submission: str, leg: int, end: LegEnd) -> None:
    with host.database.transaction() as transaction:
        transaction.alone(submission)
        now = standing_of(transaction, submission)
        if now is not None and now.leg == leg and now.end is not None and now.end.outcome == end.outcome:
            # The connection was lost after it was noted.
            return
        end_leg(transaction, submission, leg, replace(end, due=_due(transaction, submission, end)))


def _due(transaction: Transaction, submission: str, end: LegEnd) -> float | None:
    """Return when a run can go on by the database's clock, which all hosts go by; `end` is by this host's."""
    if end.due is None:
        return None
    due = end.due - clock_ahead_s(transaction)
    if not end.waited_before:
        return due
    # The database found it due, and this host did not: one of the two clocks that the log has seen is wrong. A host that
    # is right goes on with it before long, and none takes it again and again.
    found = transaction.row(
        "SELECT count(*) AS times FROM fleet_leg l WHERE l.submission = :id AND l.reason = 'due' AND l.number > "
        "(SELECT coalesce(max(o.number), 0) FROM fleet_leg o WHERE o.submission = :id AND o.reason <> 'due')",
        id=submission,
    )
    times = int((found or {"times": 0})["times"])
    now = transaction.now()
    return max(now + _NOT_YET_S, min(due, now + _NOT_YET_S * 2 ** (times - 1))) if times else due


def accepted(host: Host, standing: Standing) -> tuple[Submission, str]:
    """Return what is to be run and who submitted it.

    Raises:
        FleetRefusedError: It is not signed by somebody who may, or is for another project.
    """
    submission = submission_in(standing.content)
    said = (
        submission.id,
        submission.queue,
        submission.team,
        submission.priority,
        submission.workflow,
        submission.digest,
    )
    if said != (standing.id, standing.queue, standing.team, standing.priority, standing.workflow, standing.digest):
        raise FleetRefusedError("its row says something else than what was signed")
    who = submitter_of(standing.content, standing.signature, host.project, may_be_unsigned=host.may_be_unsigned)
    if submission.digest != host.project.digest:
        raise FleetRefusedError(
            f"it is for another project: commit {submission.commit[:12]}, and this host has {host.project.commit[:12]} "
            "(or another lock file or policy)"
        )
    return submission, who


def _played(host: Host, standing: Standing, cancelled: str, *, terminal: bool) -> LegEnd:
    submission, who = accepted(host, standing)
    stored = stored_run(host.database, submission.id)
    if cancelled and stored is None:
        # Nothing of it is known to have begun, so that there is nothing to clean up.
        return LegEnd(outcome="cancelled", said=cancelled)
    with checkout_of(host.project, host.pin, base=host.base, name=f"{submission.id}.{standing.leg}") as root:
        shipper = Shipper(database=host.database, submission=submission, leg=standing.leg, root=root)
        said = _brought(host, stored, shipper, who) if stored is not None else []
        before = None if stored is None else due_told_by(shipper.log)
        end = None
        if cancelled:
            end = cleaned_up(shipper.log, cancelled)
        elif stored is not None and _is_unnoted(host, standing, stored):
            end = end_told_by(shipper.log)
        if end is None:
            session = Session(host, standing, submission, shipper, stored, terminal=terminal, only_finally=cancelled)
            end = session.run()
        return replace(
            end,
            waited_before=end.due is not None and end.due == before,
            said="\n".join([end.said, *said]).strip(),
        )


def _is_unnoted(host: Host, standing: Standing, stored: Stored) -> bool:
    """Return whether nobody said so far how the log ended that the database has.

    The leg that wrote its end went away, and so did all since. Where one of them noted that end, a leg behind it goes on:
    were the end taken for its own, an answer that woke it would be seen by nobody.
    """
    with host.database.transaction() as transaction:
        found = transaction.row(
            "SELECT 1 AS yes FROM fleet_end WHERE submission = :id AND leg >= :wrote "
            "AND outcome NOT IN ('lost', 'refused', 'interrupted')",
            id=standing.id,
            wrote=stored.leg,
        )
    return found is None


def _brought(host: Host, stored: Stored, shipper: Shipper, who: str) -> list[str]:
    """Put a run and the answers to its questions into the checkout; return what is to be said of them."""
    log = put_into(host.database, stored, shipper.root)
    shipper.resume(stored.run, seq=stored.head.seq, hash_=stored.head.hash)
    with host.database.transaction() as transaction:
        answers = transaction.rows("SELECT content FROM fleet_answer WHERE run = :run ORDER BY number", run=stored.run)
    said = []
    for answer in answers:
        content = str(answer["content"]).encode("ascii", "backslashreplace")
        if _is_own_approval(content, who, host.project):
            said.append(f"an approval by {who} is left out: who submitted a run may not approve it")
            continue
        hand_in(log.parent, content)
    return said


def _is_own_approval(content: bytes, who: str, project: ProjectState) -> bool:
    try:
        ballot = ballot_in(content)
    except BallotRefusedError:
        # Whoever goes on with the run judges it.
        return False
    may = ballot.answer != "approve" or project.settings.policy.starter_may_approve
    return not may and who in names_of_key(ballot.armor, project)
