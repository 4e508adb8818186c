"""The writer of a log: one write per record, nothing after the first failure, no doubt about what is stored."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple, NoReturn

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import EvidenceError, ValueRefusedError
from pytest_workflow_exec.events import Actor, Event
from pytest_workflow_exec.model import RunId
from pytest_workflow_exec.redaction import Redactor

from ._blobs import MAX_TEXT_BYTES, Blob, spilled, write_blob
from ._boot import boot_id
from ._files import opened_directory, reason_of
from ._lines import MAX_LINE_BYTES, sealed
from ._names import LOG_NAME
from ._record import NO_HASH, VERSION, Head, Record
from ._run_id import RUN_ID
from ._strict import encode
from ._values import Cleaner, refuse_too_long

_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_TYPE = re.compile(r"[a-z]+(?:[._][a-z]+)*", re.ASCII)
_sync = getattr(os, "fdatasync", os.fsync)


class _State(NamedTuple):
    """What is known to be in the file."""

    seq: int
    hash: str
    size_bytes: int


class EvidenceLog:
    """A run's log, open for appending by the process that made it."""

    def __init__(self, file: int, path: Path, run: RunId, redactor: Redactor) -> None:
        """Take over the descriptor of a new, empty log; use `create`."""
        self._file, self._path, self._run = file, path, run
        self._cleaner = Cleaner(redactor)
        self._owner = os.getpid()
        self._lock = threading.RLock()
        self._busy = False
        self._dead: str | None = None
        self._state = _State(-1, NO_HASH, 0)
        self._pending: _State | None = None

    @classmethod
    def create(cls, run_directory: Path, run: RunId, *, redactor: Redactor) -> EvidenceLog:
        """Return the new log of a run, durable in its folder and readable only to its owner.

        Raises:
            EvidenceError: Something of that name is there already, or it can't be made.
        """
        if not RUN_ID.fullmatch(run):
            raise EvidenceError(f"{run!r} is no run id")
        path = run_directory / LOG_NAME
        with opened_directory(run_directory) as folder:
            try:
                file = os.open(LOG_NAME, _FLAGS, 0o600, dir_fd=folder)
            except OSError as error:
                raise EvidenceError(f"{path} can't be created: {reason_of(error)}") from error
            try:
                _own(file, path)
                os.fsync(folder)
            except BaseException:
                os.close(file)
                raise
        return cls(file, path, run, redactor)

    @property
    def path(self) -> Path:
        """The log's file."""
        return self._path

    @property
    def head(self) -> Head:
        """The newest record's place and hash."""
        return Head(seq=self._state.seq, hash=self._state.hash)

    def append(self, event: Event) -> Record:
        """Write one event as the log's next record and return it, as it will be read back.

        Raises:
            ValueRefusedError: The event can't be kept as JSON; nothing was written, and the log goes on.
            EvidenceError: The record could not be written whole, or an earlier one could not; the log is over.
        """
        with self._writing():
            record, line, blobs = self._prepared(event)
            try:
                for blob in blobs:
                    write_blob(self._path.parent, blob)
            except EvidenceError as error:
                self._die(str(error), error)
            self._pending = _State(record.seq, record.hash, self._state.size_bytes + len(line))
            self._write(line)
            self._state = self._pending
            self._pending = None
            return record

    def barrier(self) -> None:
        """Return once everything written so far survives a power cut, in the file that the path names.

        Raises:
            EvidenceError: It can't be made sure; the log is over.
        """
        with self._writing():
            try:
                _sync(self._file)
                held, named = os.fstat(self._file), _facts(self._path)
            except OSError as error:
                self._die(f"could not be made durable: {reason_of(error)}", error)
            problem = _difference(held, named, self._state.size_bytes)
            if problem:
                self._die(problem)

    def close(self) -> None:
        """Let go of the file; nothing can be written any more. Closing twice does nothing."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        # The owner first: in a forked child, another thread of the parent may hold the lock for ever.
        if os.getpid() != self._owner:
            raise EvidenceError(f"{self._path} belongs to process {self._owner}; a forked child may not write to it")
        with self._lock:
            if self._busy:
                raise EvidenceError(f"{self._path}: a signal handler may not write while a record is being written")
            self._busy = True
            try:
                self._refuse_if_over()
                self._settle()
                yield
            finally:
                self._busy = False

    def _refuse_if_over(self) -> None:
        if self._dead is not None:
            raise EvidenceError(f"{self._path} takes no more records: it {self._dead}")
        if self._file < 0:
            raise EvidenceError(f"{self._path} takes no more records: it is closed")

    def _settle(self) -> None:
        # Ctrl-C can strike between the write and the note of it. The file's size says which of the two
        # states is true; a guess would let the next record name a predecessor that isn't there.
        if self._pending is None:
            return
        size_bytes = os.fstat(self._file).st_size
        if size_bytes == self._pending.size_bytes:
            self._state = self._pending
        elif size_bytes != self._state.size_bytes:
            self._die("was interrupted in the middle of a record")
        self._pending = None

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
        except OSError as error:
            self._die(f"could not be written: {reason_of(error)}", error)
        if written != len(line):
            self._die(f"took only {written} of {len(line)} bytes of a record; is the disk full?")

    def _die(self, reason: str, cause: Exception | None = None) -> NoReturn:
        self._dead = reason
        raise EvidenceError(f"{self._path} {reason}") from cause

    def _prepared(self, event: Event) -> tuple[Record, bytes, list[Blob]]:
        data = self._cleaner.data(event.data)
        fields = self._fields(event)
        body = _body(fields, data)
        blobs: list[Blob] = []
        if len(body) > MAX_TEXT_BYTES:
            body = _short_body(fields, data, blobs)
        line, digest = sealed(body)
        if len(line) > MAX_LINE_BYTES:
            raise ValueRefusedError(where="step", reason=f"the record is longer than {MAX_LINE_BYTES} bytes")
        return Record(**fields, data=data, hash=digest), line, blobs  # type: ignore[arg-type]  # as _fields made them

    def _fields(self, event: Event) -> dict[str, object]:
        if not _TYPE.fullmatch(event.type):
            raise ValueRefusedError(where="type", reason="it must be lower case words joined by dots")
        step, actor = event.step, event.actor
        return {
            "v": VERSION,
            "seq": self._state.seq + 1,
            "run": self._run,
            "ts": datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "mono_ns": time.monotonic_ns(),
            "boot": boot_id(),
            "type": event.type,
            "step": None if step is None else self._cleaner.text(step, "step"),
            "attempt": event.attempt,
            "actor": Actor(kind=actor.kind, id=self._cleaner.text(actor.id, "actor.id")),
            "prev": self._state.hash,
        }


def _body(fields: Mapping[str, object], data: Json) -> bytes:
    # One dictionary, one call: an encoder's start costs more than encoding a small record.
    ordered = {**fields, "actor": _actor_data(fields["actor"]), "data": data}
    ordered["prev"] = ordered.pop("prev")
    return encode(ordered)[:-1].encode("utf-8")


def _actor_data(actor: object) -> dict[str, str]:
    return {"kind": actor.kind, "id": actor.id} if isinstance(actor, Actor) else {}


def _short_body(fields: Mapping[str, object], data: Json, blobs: list[Blob]) -> bytes:
    short = spilled(data, blobs)
    body = _body(fields, short)
    if len(body) <= MAX_LINE_BYTES - _SEAL_ROOM:
        return body
    whole = encode(short)
    refuse_too_long(whole, "data")
    blobs.append(Blob.of(whole))
    return _body(fields, blobs[-1].reference)


_SEAL_ROOM = 128


def _own(file: int, path: Path) -> None:
    os.fchmod(file, 0o600)
    facts = os.fstat(file)
    if not stat.S_ISREG(facts.st_mode) or facts.st_nlink != 1 or facts.st_uid != os.geteuid():
        raise EvidenceError(f"{path} is not a regular file of its own that belongs to uid {os.geteuid()}")


def _facts(path: Path) -> os.stat_result | None:
    try:
        return path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _difference(held: os.stat_result, named: os.stat_result | None, size_bytes: int) -> str | None:
    if named is None or held.st_nlink == 0:
        return "was deleted or moved away" if named is None else "was replaced by another file"
    if (held.st_dev, held.st_ino) != (named.st_dev, named.st_ino):
        return "was replaced by another file"
    if held.st_nlink != 1:
        return "has a second name: somebody linked it"
    if held.st_size > size_bytes:
        return f"was written by somebody else: it has {held.st_size} bytes, not {size_bytes}"
    if held.st_size < size_bytes:
        return f"was cut, or its records are not being stored: it has {held.st_size} bytes, not {size_bytes}"
    return None
