"""The start of a session: its lock, and its first record with what it was started with and how it goes on."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.model import RunId
from pytest_workflow_exec.run._carry import Resumption
from pytest_workflow_exec.run._facts import run_facts
from pytest_workflow_exec.run._lock import RunLock
from pytest_workflow_exec.run._repository import repository_of
from pytest_workflow_exec.run._run_settings import RunSettings


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
    return run_facts(
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
    )
