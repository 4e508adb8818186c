"""Submitting: everything is found out and signed first, and then all of it is in the database, or nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_workflow_exec.evidence import new_run_id
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._database import Database
from ._errors import FleetError
from ._limits import demand_room
from ._plans import plans_of
from ._project import ProjectState
from ._submission import MAX_PRIORITY, NAME, Submission


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be submitted."""

    file: Path
    runs: Sequence[Mapping[str, str]]
    """The inputs of each run."""
    queue: str
    team: str
    """Empty for the workflow's name."""
    priority: int
    key: Path | None
    """The SSH key that signs; None to leave it unsigned."""


def submit(database: Database, project: ProjectState, wanted: Wanted) -> Sequence[Submission]:
    """Return what was submitted.

    Raises:
        FleetError: It can't be submitted; nothing was.
    """
    for what, name in (("queue", wanted.queue), ("group", wanted.team or wanted.queue)):
        if not NAME.fullmatch(name):
            raise FleetError(f"{name!r} is no name of a {what}: letters, digits, '.', '_' and '-', 64 at most")
    if not 1 <= wanted.priority <= MAX_PRIORITY:
        raise FleetError(f"the priority is a number from 1, which goes first, to {MAX_PRIORITY}")
    if wanted.key is None and database.is_server:
        raise FleetError("what is submitted to a server has to be signed: --key FILE, an SSH key of a listed signer")
    made = _made(project, wanted)
    signed = [(each, _signed(each, wanted.key)) for each in made]
    with database.transaction() as transaction:
        demand_room(transaction, wanted.queue, more=len(made))
        for each, armor in signed:
            transaction.run(
                "INSERT INTO fleet_submission (id, queue, workflow, team, priority, digest, content, signature) "
                "VALUES (:id, :queue, :workflow, :team, :priority, :digest, :content, :signature)",
                id=each.id,
                queue=each.queue,
                workflow=each.workflow,
                team=each.team,
                priority=each.priority,
                digest=each.digest,
                content=each.content(),
                signature=armor,
            )
    return made


def _made(project: ProjectState, wanted: Wanted) -> Sequence[Submission]:
    plans = plans_of(project.root, wanted.file, wanted.runs)
    return [
        Submission(
            id=new_run_id(),
            queue=wanted.queue,
            team=wanted.team or plan.workflow,
            priority=wanted.priority,
            workflow=plan.workflow,
            file=wanted.file.relative_to(project.root).as_posix(),
            inputs=dict(inputs),
            plan=plan.digest,
            commit=project.commit,
            lock=project.lock,
            policy=project.policy,
            place=project.place,
        )
        for inputs, plan in zip(wanted.runs, plans, strict=True)
    ]


def _signed(submission: Submission, key: Path | None) -> str:
    if key is None:
        return ""
    from pytest_workflow_exec.approval import NAMESPACE
    from pytest_workflow_exec.approval.signature import SignatureToolError, sign

    try:
        return sign(submission.content().encode("ascii"), key, namespace=NAMESPACE)
    except SignatureToolError as error:
        raise FleetError(f"it was not signed, and nothing was submitted: {error}") from error
