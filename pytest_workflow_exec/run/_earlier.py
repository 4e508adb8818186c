"""Earlier runs of a workflow: which is the newest, and how far it got. Only the logs themselves are asked."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import (
    LOG_NAME,
    MAX_LINE_BYTES,
    BadLineError,
    BlobError,
    Head,
    Record,
    find_run,
    is_sealed,
    open_log,
    read_ledgers,
    record_of,
    runs_directory,
    segments_of,
    whole_record,
)
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.model import RunId

_TAIL_BYTES = 4 * MAX_LINE_BYTES
# A gate at which a run was suspended is decided behind its end.
_AFTER_THE_END = frozenset({"run.sealed", "note", "verification", "redaction", "gate.decided", "segment.sealed"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlierRun:
    """A run that has a log."""

    id: RunId
    workflow: str
    log: Path
    result: str | None
    """What its last session ended with; None if that has no end."""

    @property
    def directory(self) -> Path:
        """The run's folder."""
        return self.log.parent


def newest_run(root: Path, workflow: str) -> EarlierRun | None:
    """Return the newest run of a workflow; None if there is none that ever began.

    Raises:
        LogUnreadableError: A log can't be read that may be of a newer run, or a newer one's is gone.
    """
    found = next(_runs_of(root, workflow), None)
    for run in lost_runs(root, workflow):
        if found is None or run > found.id:
            message = f"the project's ledger knows run {run} of workflow {workflow!r}, but its evidence is gone"
            raise LogUnreadableError(message)
    return found


def lost_runs(root: Path, workflow: str, *, anywhere: bool = False) -> list[RunId]:
    """Return the runs of a workflow that began here and whose evidence is gone, though nobody pruned them; newest first.

    Args:
        anywhere: Whether the copy of the ledger outside the project counts, too.
    """
    ledgers = read_ledgers(root)
    entries = [*ledgers.project.entries, *(ledgers.user.entries if anywhere else ())]
    pruned = {entry.run for entry in entries if entry.event == "pruned"}
    known = {entry.run for entry in entries if entry.workflow == workflow} - pruned
    return sorted((run for run in known if not (runs_directory(root) / run / LOG_NAME).exists()), reverse=True)


def doubt_of_records(root: Path, run: RunId, head: Head | None) -> str | None:
    """Return why a run's log can't be taken for all there was, whatever it says itself; None if nothing speaks against it.

    A ledger may have noted a later record than it ends with, or another one there. Where one is damaged and no other
    knows the run, nobody can tell.

    Args:
        head: The log's last record; None if it holds none.
    """
    ledgers = read_ledgers(root)
    copies = (ledgers.project, ledgers.user)
    noted = [entry.head for copy in copies for entry in copy.entries if entry.run == run and entry.head.seq >= 0]
    if any(head is None or each.seq > head.seq or (each.seq == head.seq and each.hash != head.hash) for each in noted):
        return "a ledger knows later records, so it was cut, or an older copy was put back"
    damaged = [copy for copy in copies if copy.problems]
    if damaged and not any(run in copy.runs for copy in copies if not copy.problems):
        return f"whether it was cut can't be told: the ledger {damaged[0].path}: {damaged[0].problems[0]}"
    return None


def _runs_of(root: Path, workflow: str) -> Iterator[EarlierRun]:
    for log in _logs(root):
        first = _first_record(log)
        if first is not None and first.data.get("workflow") == workflow:
            yield _earlier(log, first)


def runs_with_starts(root: Path, workflow: str) -> Iterator[tuple[EarlierRun, Mapping[str, Json]]]:
    """Give the runs of a workflow, newest first, each with what it was started with.

    Logs that can't be read are left out: whose they are is not known.

    Raises:
        LogUnreadableError: The folder of runs can't be read.
    """
    for log in _logs(root):
        with contextlib.suppress(LogUnreadableError):
            first = _first_record(log)
            if first is not None and first.data.get("workflow") == workflow:
                yield _earlier(log, first), first.data


def run_named(reference: str, root: Path) -> EarlierRun:
    """Return the run that a person named by its id, the beginning of it, a path, or `latest`.

    Raises:
        LogUnreadableError: There is no such run, it never began, or its log can't be read.
    """
    log = find_run(reference, root=root)
    first = _first_record(log)
    if first is None:
        raise LogUnreadableError(f"{log}: the run ended before its first record")
    return _earlier(log, first)


def _earlier(log: Path, first: Record) -> EarlierRun:
    return EarlierRun(id=first.run, workflow=str(first.data.get("workflow")), log=log, result=_result(log))


def _logs(root: Path) -> Iterator[Path]:
    try:
        names = sorted((entry.name for entry in os.scandir(runs_directory(root)) if entry.is_dir()), reverse=True)
    except FileNotFoundError:
        return
    except OSError as error:
        raise LogUnreadableError(f"{runs_directory(root)} can't be read: {error.strerror}") from error
    yield from (path for name in names if (path := runs_directory(root) / name / LOG_NAME).exists())


def _first_record(log: Path) -> Record | None:
    with open_log(log) as file:
        raw = file.readline(MAX_LINE_BYTES + 1)
    if not raw.endswith(b"\n"):
        # Killed before its first record was whole: nothing can have happened in it.
        return None
    try:
        if is_sealed(raw):
            # The plan of a long workflow stands in a file of its own.
            return whole_record(record_of(raw), log.parent)
    except (BadLineError, BlobError) as error:
        raise LogUnreadableError(f"{log}, line 1: {error}") from error
    raise LogUnreadableError(
        f"{log}, line 1: it is not what the engine wrote; `workflow-exec verify {log.parent.name}` says what became of it"
    )


def _result(log: Path) -> str | None:
    """Return what the last session ended with, from the end of the log backwards."""
    for raw in _last_lines(log):
        if not is_sealed(raw + b"\n"):
            continue
        record = record_of(raw + b"\n")
        if record.type not in _AFTER_THE_END:
            return _text(_whole(record, log).data.get("result")) if record.type == "run.finished" else None
    return None


def _last_lines(log: Path) -> Iterator[bytes]:
    left = _TAIL_BYTES
    for path in reversed(segments_of(log)):
        with open_log(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - left))
            yield from reversed(file.read().split(b"\n")[:-1])
        left -= size
        if left <= 0:
            return


def _whole(record: Record, log: Path) -> Record:
    try:
        return whole_record(record, log.parent)
    except BlobError as error:
        raise LogUnreadableError(f"{log}, seq {record.seq}: {error}") from error


def _text(value: Json) -> str | None:
    return value if isinstance(value, str) else None
