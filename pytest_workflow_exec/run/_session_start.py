"""The start of a session: its lock, and its first record with what it was started with and how it goes on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import PinError, StartRefusedError
from pytest_workflow_exec.model import RunId
from pytest_workflow_exec.run._facts import run_facts
from pytest_workflow_exec.run._lock import RunLock
from pytest_workflow_exec.run._repository import repository_of
from pytest_workflow_exec.run._run_settings import RunSettings

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import SignedStart
    from pytest_workflow_exec.run._carry import Resumption


def session_lock(settings: RunSettings, run: RunId) -> RunLock:
    """Return the right to run the workflow, and to use what its concurrency group shares.

    Raises:
        LockHeldError: Another process holds it.
        EvidenceError: A lock file can't be made.
    """
    workflow = settings.workflow
    return RunLock.take(workflow.root, workflow.name, run=run, group=settings.group)


def session_facts(settings: RunSettings, *, ledger_copy: str) -> Mapping[str, Json]:
    """Return what a session is started with.

    Args:
        ledger_copy: Where the user's copy of the ledger is, or why there is none.
    """
    facts = run_facts(
        settings.workflow,
        inputs=settings.inputs,
        policy=settings.policy,
        repository=repository_of(settings.workflow.root),
        command_line=settings.command_line,
        plugins=settings.plugins,
        given=settings.given,
        durability=settings.durability,
        ledger_copy=ledger_copy,
        group=settings.group,
    )
    if settings.programs is not None and settings.programs.programs:
        facts = {**facts, "programs": settings.programs.to_data()}
    if settings.variables:
        facts = {**facts, "variables": dict(settings.variables)}
    after = settings.after_rejection
    return facts if after is None else {**facts, "after_rejection": after.to_data()}


def signed_start(settings: RunSettings, run: RunId) -> SignedStart | None:
    """Return who signed the start of a new run; None if it is not to be signed.

    Raises:
        StartRefusedError: It is, and nobody did whose signature counts.
        PinError: Nobody's signature counts.
    """
    if settings.sign_start is None:
        return None
    from pytest_workflow_exec.approval import sign_start
    from pytest_workflow_exec.run._signers import trust_of

    workflow = settings.workflow
    facts: Mapping[str, Json] = {
        "workflow": workflow.name,
        "plan_digest": workflow.digest,
        "policy": {"digest": settings.policy.digest},
        # As evidence will hold them.
        "inputs": settings.redactor.value(dict(settings.inputs)),
    }
    now = datetime.now(timezone.utc)
    return sign_start(run, facts, settings.sign_start, trust=trust_of(settings.policy), at=now)


def earlier_start(settings: RunSettings, resumption: Resumption) -> SignedStart | None:
    """Return who signed the start of a run that goes on; None if nobody did whose signature counts now."""
    data = resumption.first_facts.get("signed_start")
    if not isinstance(data, Mapping):
        return None
    from pytest_workflow_exec.approval import checked_start
    from pytest_workflow_exec.run._signers import trust_of

    try:
        return checked_start(
            resumption.run,
            resumption.first_facts,
            data,
            trust=trust_of(settings.policy),
            at=datetime.now(timezone.utc),
        )
    except (StartRefusedError, PinError):
        # Whoever signs is told so: the exclusion is unproven.
        return None


def resumed(facts: Mapping[str, Json], resumption: Resumption) -> events.Event:
    """Return the first record of a later session."""
    redo = resumption.redo
    return events.run_resumed(
        facts,
        session=resumption.session,
        carried=tuple(resumption.carried),
        again=resumption.again,
        unknown=resumption.unknown,
        probe=resumption.probe,
        redo=None if redo is None else {"step": redo.step, "reason": redo.reason, "who": redo.who},
        only_finally=resumption.only_finally,
    )
