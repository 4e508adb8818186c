"""A run as the database has it, made files again: for whoever goes on with it, and for whoever verifies it."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_workflow_exec.digests import digest_of_bytes
from pytest_workflow_exec.evidence import (
    LOG_NAME,
    PROJECT,
    BundledFile,
    BundleList,
    Head,
    described,
    is_bundled,
    may_be_left,
    may_be_put_back,
    open_bundle,
    read_list,
    segment_path,
    take_in,
    unpack_below,
    write_bundle,
)
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.run import History
from pytest_workflow_exec.verify import verify_log

from ._database import Database
from ._errors import FleetRefusedError

_BROKEN = frozenset({"broken", "unreadable"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What the database has of a run."""

    run: str
    workflow: str
    head: Head
    leg: int
    """The leg that wrote the log's end."""


def stored_run(database: Database, submission: str) -> Stored | None:
    """Return how far the run of a submission is known; None if it has none yet."""
    with database.transaction() as transaction:
        found = transaction.row(
            "SELECT r.run, s.workflow, g.last_seq, g.head, g.leg FROM fleet_run r "
            "JOIN fleet_submission s ON s.id = r.submission "
            "JOIN fleet_segment g ON g.run = r.run "
            "WHERE r.submission = :submission ORDER BY g.first_seq DESC LIMIT 1",
            submission=submission,
        )
    if found is None:
        return None
    head = Head(seq=int(found["last_seq"]), hash=str(found["head"]))
    return Stored(run=str(found["run"]), workflow=str(found["workflow"]), head=head, leg=int(found["leg"]))


def write_log(database: Database, run: str, folder: Path) -> Path:
    """Write the log of a run and its stored texts into an empty folder, and return the log's first file.

    Raises:
        FleetRefusedError: What the database has is no log, or can't be written.
    """
    sources = _written(database, run, folder)
    if LOG_NAME not in sources:
        raise FleetRefusedError(f"the database has no log of run {run}")
    return sources[LOG_NAME]


def put_into(database: Database, stored: Stored, root: Path) -> Path:
    """Put a run into a checkout, with the files that its steps left, and return its log.

    Raises:
        FleetRefusedError: The log is broken, or is not the one whose end the database says.
        EvidenceError: It can't be written.
    """
    with tempfile.TemporaryDirectory(prefix="workflow-exec-") as name:
        folder = Path(name)
        (folder / "files").mkdir()
        sources = _written(database, stored.run, folder / "files")
        files = tuple(described(source, path) for path, source in sorted(sources.items()))
        listed = BundleList(run=stored.run, workflow=stored.workflow, head=stored.head, files=files)
        verdict = verify_log(folder / "files" / LOG_NAME)
        if verdict.word in _BROKEN or verdict.run != stored.run or verdict.head != stored.head:
            raise FleetRefusedError(f"the log of run {stored.run} in the database is {verdict.word}: {verdict.message}")
        write_bundle(folder / "bundle", listed, sources)
        left = _left_by(folder / "files" / LOG_NAME)
        with open_bundle(folder / "bundle") as file:
            again = read_list(file)
            place = take_in(root, file, again)
            missing = frozenset(
                each.path for each in files if left.get(each.path) == each.sha256 and _is_missing(root, each)
            )
            unpack_below(
                file, again, root, wanted=lambda each: each.path.removeprefix(PROJECT) if each.path in missing else ""
            )
    return place / LOG_NAME


def _left_by(log: Path) -> Mapping[str, str]:
    """Return the files that the satisfied steps of a log left in the project: no other one is put into a checkout."""
    steps = History.of(log).satisfied.values()
    return {f"{PROJECT}{file.path}": file.sha256 for step in steps for file in step.outputs.files.values()}


def _is_missing(root: Path, file: BundledFile) -> bool:
    path = file.path.removeprefix(PROJECT)
    if not file.path.startswith(PROJECT) or not may_be_put_back(path):
        return False
    place = root / path
    return not (place.exists() or place.is_symlink())


def _written(database: Database, run: str, folder: Path) -> Mapping[str, Path]:
    sources = dict(_log_files(database, run, folder))
    for path, content, executable in _newest_files(database, run):
        if not (is_bundled(path) or may_be_left(path)) or path.startswith("evidence"):
            raise FleetRefusedError(f"the database has {path!r} of run {run}, which is no place for a file of a run")
        place = (
            folder / "beside" / digest_of_bytes(path.encode("utf-8"))
            if not path.startswith("blobs/")
            else folder / path
        )
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(0o700 if executable else 0o600)
        sources[path] = place
    return sources


def _log_files(database: Database, run: str, folder: Path) -> Iterator[tuple[str, Path]]:
    with database.transaction() as transaction:
        pieces = transaction.rows(
            "SELECT file, content FROM fleet_segment WHERE run = :run ORDER BY first_seq", run=run
        )
    log = folder / LOG_NAME
    for number in sorted({int(piece["file"]) for piece in pieces}):
        path = segment_path(log, number)
        path.write_bytes(b"".join(bytes(piece["content"]) for piece in pieces if int(piece["file"]) == number))
        yield path.name, path


def _newest_files(database: Database, run: str) -> Iterator[tuple[str, bytes, bool]]:
    with database.transaction() as transaction:
        found = transaction.rows(
            "SELECT path, sha256, content, executable FROM fleet_file f WHERE run = :run AND number = "
            "(SELECT max(number) FROM fleet_file o WHERE o.run = f.run AND o.path = f.path)",
            run=run,
        )
    for row in found:
        content = bytes(row["content"])
        if digest_of_bytes(content) != row["sha256"]:
            raise FleetRefusedError(f"the database has {row['path']!r} of run {run} with another content than it says")
        yield str(row["path"]), content, bool(row["executable"])
