"""`workflow-exec prune`: old runs are removed, as far as the project's retention lets them; the ledgers keep their names."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from pytest_workflow_exec.counted import counted
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import LOG_NAME, KnownRun, list_runs, note_in_ledgers, runs_directory
from pytest_workflow_exec.settings import load_settings, with_variables

from ._append import held
from ._find import project
from ._text import escape
from ._view import RunView

_LEAVING = ".pruned-"
"""How the name of a folder begins that is being removed: it is no run's any more."""


class PruneError(WorkflowExecError):
    """Nothing can be removed, or not all of what was to be."""


def prune(arguments: argparse.Namespace) -> int:
    """Remove old runs that nothing speaks for, after they were listed and that was confirmed; return 0.

    Raises:
        PruneError: It is not said how old they must be, nobody confirmed it, or one could not be removed.
        LogUnreadableError: There is no project here, or its runs can't be listed.
        SettingsError: The project's configuration can't be used.
    """
    root = project()
    age = _age(arguments.older_than, with_variables(load_settings(root), os.environ).retention_s)
    _sweep(root)
    old = removable(list_runs(root), before=datetime.now(timezone.utc) - age)
    if not old:
        days = age / timedelta(days=1)
        sys.stdout.write(f"nothing to remove: no run but the newest of each workflow ended {days:g} days ago or more\n")
        return 0
    sys.stdout.writelines(f"{line}\n" for line in _lines(old))
    if arguments.dry_run:
        return 0
    _confirm(len(old), yes=arguments.yes)
    for run in old:
        _remove(root, run)
    sys.stdout.write(
        f"removed {counted(len(old), 'run')}; the ledgers still name {'it' if len(old) == 1 else 'them'}\n"
    )
    return 0


def removable(known: Sequence[KnownRun], *, before: datetime) -> list[KnownRun]:
    """Return the runs that may be removed, oldest first.

    Never one that is unfinished, that can't be read, that a ledger disagrees with, that ended later, or that is the
    newest of its workflow.

    Args:
        known: All runs, newest first.
        before: When they must have ended at the latest.
    """
    newest = {run.workflow: run.run for run in reversed(known) if run.directory is not None}
    return [
        run
        for run in reversed(known)
        if run.directory is not None
        and run.workflow is not None
        and not run.problems
        and newest[run.workflow] != run.run
        and _ended_by(run, before)
    ]


def _age(asked_days: int | None, retention_s: float | None) -> timedelta:
    if asked_days is None and retention_s is None:
        raise PruneError(
            "it is not said how old a run must be. Give --older-than DAYS, or set retention in the configuration."
        )
    return max(timedelta(days=asked_days or 0), timedelta(seconds=retention_s or 0))


def _ended_by(run: KnownRun, before: datetime) -> bool:
    if run.ended is None or run.result is None:
        return False
    try:
        return datetime.fromisoformat(run.ended.replace("Z", "+00:00")) <= before
    except (ValueError, TypeError):
        return False


def _lines(old: Sequence[KnownRun]) -> Iterator[str]:
    yield f"{counted(len(old), 'run')} will be removed, with all logs, stored texts and outputs:"
    for run in old:
        yield f"  {run.run}  {escape(run.workflow or '')}, {escape(run.result or '')}, ended {escape(run.ended or '')}"


def _confirm(count: int, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise PruneError("nothing was removed: nobody can be asked here. Add --yes if that is what you want.")
    sys.stdout.write(f"Type yes to remove {counted(count, 'run')}: ")
    sys.stdout.flush()
    if sys.stdin.readline().strip() != "yes":
        raise PruneError("nothing was removed")


def _remove(root: Path, run: KnownRun) -> None:
    directory, view = runs_directory(root) / run.run, RunView()
    leaving = directory.with_name(_LEAVING + run.run)
    # Held while it goes: nobody writes to it, and what was listed is still so.
    with held(directory / LOG_NAME, run=run.run) as evidence:
        view.take(evidence.records())
        if (view.finished, view.result) != (run.ended, run.result):
            raise PruneError(f"run {run.run} went on meanwhile; it is not removed")
        note_in_ledgers(root, "pruned", run=run.run, workflow=run.workflow or "", head=evidence.head)
        try:
            # First its name: a removal that is broken off must not leave a run of which a part is missing.
            directory.rename(leaving)
        except OSError as error:
            raise PruneError(f"{directory} can't be removed: {error.strerror}") from error
    _delete(leaving)


def _sweep(root: Path) -> None:
    for leaving in sorted(runs_directory(root).glob(f"{_LEAVING}*")):
        _delete(leaving)


def _delete(leaving: Path) -> None:
    try:
        for folder in _folders(leaving):
            # A command may have left folders that even their owner can't empty.
            folder.chmod(0o700)
        shutil.rmtree(leaving)
    except OSError as error:
        raise PruneError(f"{leaving} can't be removed whole: {error}. Remove it by hand.") from error


def _folders(folder: Path) -> Iterator[Path]:
    left = [folder] if folder.is_dir() and not folder.is_symlink() else []
    while left:
        # Given before it is looked into: whoever is given it makes it readable.
        yield left[-1]
        left += [Path(entry) for entry in os.scandir(left.pop()) if entry.is_dir(follow_symlinks=False)]
