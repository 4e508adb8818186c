"""The evidence of a run on its way to the database: before each effect, whole lines in one unbroken chain."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, cast

from pytest_workflow_exec.digests import Json, digest_of_bytes
from pytest_workflow_exec.evidence import (
    LOG_NAME,
    PROJECT,
    Record,
    blob_path,
    may_be_left,
    may_hold_blobs,
    references_in,
    runs_directory,
)
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._database import Database, Transaction
from ._errors import FleetLostError, FleetRefusedError
from ._log_tail import LogTail, Piece
from ._submission import Submission

MAX_FILE_BYTES = 64 << 20
"""A larger file that a step left is not carried to other hosts: there, its step runs again."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """A file that belongs to a run."""

    path: str
    content: bytes
    executable: bool = False


@dataclass
class Shipper:
    """Ships the log of one leg of a run. Only what was committed counts as known."""

    database: Database
    submission: Submission
    leg: int
    root: Path
    """The project in its checkout."""
    run: str = ""
    """The run; empty before it has begun."""
    _tail: LogTail | None = None
    _nonces: dict[str, str] = field(default_factory=dict)
    _shipped: set[tuple[str, str]] = field(default_factory=set)

    @property
    def log(self) -> Path:
        """The log's first file."""
        return runs_directory(self.root) / self.run / LOG_NAME

    def resume(self, run: str, *, seq: int, hash_: str) -> None:
        """Take note of what the database already has of a run, which was put into the checkout.

        Raises:
            FleetRefusedError: The log is not what the database has.
        """
        self.run = run
        tail = self._tail = LogTail(self.log)
        for piece in tail.pieces(through=seq):
            tail.take(piece)
            self._remember(tail.records(piece))
        if tail.head != (seq, hash_):
            raise FleetRefusedError(f"the log of run {run} is not what the database has")

    def ship(self, log: Path, *, seq: int, hash_: str) -> None:
        """Return once the database holds a log up to a record, with all that belongs to it.

        Raises:
            FleetRefusedError: It is not the log of this submission, or a decision in it was used before.
            FleetLostError: This leg has no say in the run any more.
            UnreachableError: The database can't be reached.
        """
        self.run = self.run or self._run_of(log)
        if log.resolve() != self.log.resolve():
            raise FleetRefusedError(f"{log} is not the log of run {self.run}")
        tail = self._tail = self._tail or LogTail(self.log)
        if seq <= tail.head[0]:
            return
        pieces = list(tail.pieces(through=seq))
        if not pieces or pieces[-1].head != (seq, hash_):
            raise FleetRefusedError(f"the log of run {self.run} is not what its engine says")
        self._commit(tail, pieces)

    def ship_rest(self) -> None:
        """Ship the whole lines that nobody asked for, once nobody writes any more.

        Raises:
            FleetRefusedError: As `ship`.
            FleetLostError: As `ship`.
            UnreachableError: As `ship`.
        """
        found = sorted(runs_directory(self.root).glob(f"*/{LOG_NAME}"))
        if not self.run and len(found) == 1:
            self.run = self._run_of(found[0])
        if not self.run:
            return
        tail = self._tail = self._tail or LogTail(self.log)
        pieces = list(tail.pieces(through=None))
        if pieces:
            self._commit(tail, pieces)

    def _run_of(self, log: Path) -> str:
        if log.name != LOG_NAME or log.parent.parent.resolve() != runs_directory(self.root).resolve():
            raise FleetRefusedError(f"{log} is no log of this checkout")
        return log.parent.name

    def _remember(self, records: Sequence[Record]) -> None:
        for record in records:
            request = record.data.get("request")
            if record.type == "gate.requested" and isinstance(request, Mapping):
                self._nonces[str(record.data.get("digest"))] = str(request.get("nonce"))

    def _commit(self, tail: LogTail, pieces: Sequence[Piece]) -> None:
        from sqlalchemy.exc import DBAPIError

        records = [record for piece in pieces for record in tail.records(piece)]
        for record in records:
            self._demand_own(record)
        self._remember(records)
        files = list(self._files(pieces, records))
        try:
            with self.database.transaction() as transaction:
                transaction.alone(self.submission.id)
                if not self._is_there(transaction, pieces[-1]):
                    self._insert(transaction, pieces, records, files)
        except DBAPIError as error:
            raise _refused(error) from error
        for piece in pieces:
            tail.take(piece)
        self._shipped |= {(file.path, digest_of_bytes(file.content)) for file in files}

    def _is_there(self, transaction: Transaction, last: Piece) -> bool:
        # A connection that was lost during a commit does not say whether it was one.
        found = transaction.row(
            "SELECT last_seq, head FROM fleet_segment WHERE run = :run AND last_seq = :seq AND leg = :leg",
            run=self.run,
            seq=last.head[0],
            leg=self.leg,
        )
        return found is not None and found["head"] == last.head[1]

    def _insert(
        self, transaction: Transaction, pieces: Sequence[Piece], records: Sequence[Record], files: Sequence[_Left]
    ) -> None:
        if pieces[0].seals[0].seq == 0:
            transaction.run(
                "INSERT INTO fleet_run (run, submission) VALUES (:run, :submission)",
                run=self.run,
                submission=self.submission.id,
            )
        for file in files:
            transaction.run(
                "INSERT INTO fleet_file (run, path, sha256, size_bytes, executable, content) "
                "VALUES (:run, :path, :sha256, :size, :executable, :content)",
                run=self.run,
                path=file.path,
                sha256=digest_of_bytes(file.content),
                size=len(file.content),
                executable=file.executable,
                content=file.content,
            )
        for piece in pieces:
            transaction.run(
                "INSERT INTO fleet_segment (run, first_seq, last_seq, prev, head, file, leg, content) "
                "VALUES (:run, :first, :last, :prev, :head, :file, :leg, :content)",
                run=self.run,
                first=piece.seals[0].seq,
                last=piece.head[0],
                prev=piece.prev,
                head=piece.head[1],
                file=piece.file,
                leg=self.leg,
                content=b"".join(piece.lines),
            )
        for record in records:
            if record.type == "gate.used":
                self._use(transaction, record)

    def _use(self, transaction: Transaction, record: Record) -> None:
        digest = str(record.data.get("digest"))
        if digest not in self._nonces:
            raise FleetRefusedError(f"run {self.run} uses a decision on a question that it never asked")
        transaction.run(
            "INSERT INTO fleet_decision_use (nonce, run, step, digest, seq) VALUES (:nonce, :run, :step, :digest, :seq)",
            nonce=self._nonces[digest],
            run=self.run,
            step=record.step or "",
            digest=digest,
            seq=record.seq,
        )

    def _demand_own(self, record: Record) -> None:
        """Return unless a session begins that is not what was submitted."""
        if record.type not in ("run.started", "run.resumed"):
            return
        data, wanted = record.data, self.submission
        policy = data.get("policy")
        found = {
            "workflow": data.get("workflow"),
            "plan": data.get("plan_digest"),
            "policy": policy.get("digest") if isinstance(policy, Mapping) else None,
            "inputs": data.get("given"),
            "commit": cast("Mapping[str, Json]", data.get("repository") or {}).get("commit"),
        }
        asked: Mapping[str, Json] = {
            "workflow": wanted.workflow,
            "plan": wanted.plan,
            "policy": wanted.policy,
            "inputs": dict(wanted.inputs),
            "commit": wanted.commit,
        }
        for name, value in asked.items():
            if found[name] != value:
                raise FleetRefusedError(f"its {name} is not what was submitted: {found[name]!r}, and not {value!r}")

    def _files(self, pieces: Sequence[Piece], records: Sequence[Record]) -> Iterable[_Left]:
        for digest in dict.fromkeys(_blobs_in(pieces)):
            path = blob_path(self.log.parent, digest)
            yield _Left(path=path.relative_to(self.log.parent).as_posix(), content=_content(path))
        for record in records:
            if record.type == "step.finished":
                yield from self._left_by(record)
        if any(record.type == "gate.requested" for record in records):
            yield from self._shown()

    def _left_by(self, record: Record) -> Iterable[_Left]:
        files = record.data.get("files")
        for file in (files if isinstance(files, Mapping) else {}).values():
            said = cast("Mapping[str, Any]", file)
            path = str(said["path"])
            own = f"{runs_directory(Path()).as_posix()}/{self.run}/"
            name = path.removeprefix(own) if path.startswith(own) else f"{PROJECT}{path}"
            fits = said["size_bytes"] <= MAX_FILE_BYTES and may_be_left(name)
            if fits and (name, str(said["sha256"])) not in self._shipped:
                yield from _as_left(self.root / path, name, sha256=str(said["sha256"]))

    def _shown(self) -> Iterable[_Left]:
        folder = self.log.parent / "outputs"
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(self.log.parent).as_posix()
            if path.is_symlink() or not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
                continue
            content = _content(path)
            if (name, digest_of_bytes(content)) not in self._shipped:
                yield _Left(path=name, content=content, executable=os.access(path, os.X_OK))


def _refused(error: Exception) -> FleetLostError | FleetRefusedError:
    said = str(getattr(error, "orig", error)).strip().splitlines()[0]
    if "was cancelled" in said:
        return FleetRefusedError("the run was cancelled, so that no decision is used any more")
    if "fleet_decision_use" in said:
        return FleetRefusedError("the decision was used before, here or on another host")
    if "fleet:" in said:
        return FleetLostError(said.partition("fleet:")[2].strip())
    return FleetRefusedError(f"the database does not take it: {said}")


def _as_left(path: Path, name: str, *, sha256: str) -> Iterable[_Left]:
    try:
        content = _content(path)
    except FleetRefusedError:
        return
    # What changed since is not what the step left: elsewhere its step runs again.
    if digest_of_bytes(content) == sha256:
        yield _Left(path=name, content=content, executable=os.access(path, os.X_OK))


def _blobs_in(pieces: Sequence[Piece]) -> Iterable[str]:
    for piece in pieces:
        for raw in piece.lines:
            if may_hold_blobs(raw):
                yield from references_in(json.loads(raw)["data"])


def _content(path: Path) -> bytes:
    try:
        with os.fdopen(os.open(path, _READ), "rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise FleetRefusedError(f"{path} can't be read: {error.strerror}") from error
    if len(content) > MAX_FILE_BYTES:
        raise FleetRefusedError(f"{path} is larger than a fleet carries")
    return content
