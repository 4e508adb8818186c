"""All runs that are known of: by their folders, and by what the ledgers say of them."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from pathlib import Path

from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.lean_dataclasses import dataclass, replace
from pytest_workflow_exec.model import RunId

from ._directories import run_ids, runs_directory
from ._ledger import Ledgers, place_of, read_ledgers
from ._ledger_lines import LedgerEntry
from ._lines import record_of, seal_claims
from ._names import LOG_NAME
from ._read import whole_record
from ._record import Head, Record
from ._segments import all_lines


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """A run, as far as its log and the ledgers tell without being verified."""

    run: RunId
    workflow: str | None = None
    started: str | None = None
    """When, UTC; None if not even its first record can be read."""
    ended: str | None = None
    """When it finished last; None if it is unfinished."""
    result: str | None = None
    """How it finished, in the log's own word, or `pruned`."""
    directory: Path | None = None
    """Its folder; None if that is gone."""
    problems: tuple[str, ...] = ()
    """Where log and ledgers disagree."""


def list_runs(root: Path) -> tuple[KnownRun, ...]:
    """Return every run that the project at `root` holds, or that a ledger knows, newest first.

    Raises:
        LogUnreadableError: The folder that holds the runs can't be read.
    """
    here, ledgers = run_ids(root), read_ledgers(root)
    noted: dict[RunId, list[LedgerEntry]] = {}
    for entry in (*ledgers.project.entries, *ledgers.user.entries):
        noted.setdefault(entry.run, []).append(entry)
    place = place_of(root)
    runs = [
        _gone(run, noted[run]) if run not in here else _present(runs_directory(root) / run, noted.get(run, []))
        for run in sorted({*here, *noted}, reverse=True)
    ]
    return tuple(
        replace(each, problems=(*each.problems, *_unnoted(each.run, noted.get(each.run, []), ledgers, place)))
        for each in runs
    )


def _gone(run: RunId, noted: list[LedgerEntry]) -> KnownRun:
    pruned = any(entry.event == "pruned" for entry in noted)
    finished = [entry.ts for entry in noted if entry.event == "finished"]
    return KnownRun(
        run=run,
        workflow=noted[0].workflow,
        started=noted[0].ts,
        ended=max(finished, default=None),
        result="pruned" if pruned else None,
        problems=() if pruned else ("its folder is gone: it was deleted or moved away",),
    )


def _present(directory: Path, noted: list[LedgerEntry]) -> KnownRun:
    known = KnownRun(run=directory.name, directory=directory, workflow=noted[0].workflow if noted else None)
    try:
        facts = _facts_of(directory / LOG_NAME, {entry.head for entry in noted})
    except (LogUnreadableError, OSError) as error:
        return replace(known, problems=(f"its log can't be read: {error}",))
    problems = [
        f"its log does not hold record {seq} as a ledger noted it: it was cut or rewritten"
        for seq in sorted({head.seq for head in facts.wanted})
    ]
    return replace(
        known,
        workflow=facts.workflow or known.workflow,
        started=facts.started,
        ended=facts.ended,
        result=facts.result,
        problems=tuple(problems),
    )


@dataclass(slots=True)
class _Facts:
    wanted: set[Head]
    """What was noted and not found yet."""
    workflow: str | None = None
    started: str | None = None
    ended: str | None = None
    result: str | None = None


def _facts_of(path: Path, noted: AbstractSet[Head]) -> _Facts:
    facts, end = _Facts(wanted={head for head in noted if head.seq >= 0}), b""
    for line in all_lines(path):
        claims = seal_claims(line.raw)
        if claims is None:
            continue
        facts.wanted.discard(Head(seq=claims.seq, hash=claims.hash.decode("ascii")))
        if claims.type == b"run.started":
            first = _record(line.raw, path)
            facts.started, facts.workflow = first.ts, _text(first, "workflow")
        elif claims.type in (b"run.finished", b"run.resumed"):
            end = line.raw if claims.type == b"run.finished" else b""
    if end:
        last = _record(end, path)
        facts.ended, facts.result = last.ts, _text(last, "result")
    return facts


def _record(raw: bytes, path: Path) -> Record:
    return whole_record(record_of(raw), path.parent)


def _text(record: Record, key: str) -> str | None:
    value = record.data.get(key)
    return value if isinstance(value, str) else None


def _unnoted(run: RunId, noted: list[LedgerEntry], ledgers: Ledgers, place: str) -> list[str]:
    # A project that was moved has a new copy of the user's, which can't know what was before.
    moved = bool(noted) and all(entry.root != place for entry in noted)
    asked = [("the project's ledger", ledgers.project), *([] if moved else [("the user's ledger", ledgers.user)])]
    if not noted:
        return ["no ledger knows it"]
    return [f"{name} does not know it" for name, ledger in asked if ledger.found and run not in ledger.runs]
