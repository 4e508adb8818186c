"""The writer of a log: one write per record, nothing after the first failure, no doubt about what is stored."""

from __future__ import annotations

import contextlib
import os
import re
import threading
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import NamedTuple, NoReturn

from pytest_workflow_exec.errors import EvidenceError, ValueRefusedError
from pytest_workflow_exec.events import Actor, Event
from pytest_workflow_exec.model import RunId
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.settings import Durability

from ._blobs import Blob, write_blob
from ._body import body_of
from ._boot import boot_id
from ._chain import BrokenChainError, Chain, Tail
from ._files import reason_of
from ._lines import MAX_LINE_BYTES, BadLineError, record_of, sealed
from ._log_file import LogFile
from ._read import records_of
from ._record import NO_HASH, VERSION, Head, Record
from ._rescue import saved
from ._run_id import RUN_ID
from ._values import Cleaner

_TYPE = re.compile(r"[a-z]+(?:[._][a-z]+)*", re.ASCII)


class _State(NamedTuple):
    """What is known to be in the file."""

    seq: int
    hash: str
    size_bytes: int


class EvidenceLog:
    """A run's log, open for appending by one process."""

    def __init__(self, file: LogFile, run: RunId, redactor: Redactor, *, synced: bool) -> None:
        """Take over the file of a new, empty log; use `create` or `reopen`."""
        self._file, self._run, self._synced = file, run, synced
        self._cleaner = Cleaner(redactor)
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._holder = 0
        """The thread that took the lock last."""
        self._dead: str | None = None
        self._state = _State(-1, NO_HASH, 0)
        self._pending: _State | None = None
        self.recovery: Record | None = None
        """The record that tells of a torn end which was found when the log was reopened."""

    @classmethod
    def create(
        cls, run_directory: Path, run: RunId, *, redactor: Redactor, durability: Durability = "power"
    ) -> EvidenceLog:
        """Return the new log of a run, durable in its folder and readable only to its owner.

        Args:
            durability: What a record survives once a barrier returned: a power cut, or the end of the process.

        Raises:
            EvidenceError: Something of that name is there already, or it can't be made.
        """
        _demand_run_id(run)
        return cls(LogFile.create(run_directory), run, redactor, synced=durability == "power")

    @classmethod
    def reopen(
        cls,
        run_directory: Path,
        run: RunId,
        *,
        redactor: Redactor,
        durability: Durability = "power",
        last: Head | None = None,
    ) -> EvidenceLog:
        """Return a log that is there, read and checked from its first record on, ready for the next one.

        A record that was not written whole stays where it is; a `recovery` record behind it says so.

        Args:
            last: The log's last record, for whoever has read the log strictly before: it must be the same one still.
                Then every byte is, as each record names the hash of the one before it, and no JSON is read again.

        Raises:
            EvidenceError: There is no log, it is not its owner's own, another process writes to it, it is broken, it
                is not the run's, or it does not end with `last`; nothing was written.
        """
        _demand_run_id(run)
        log = cls(LogFile.open(run_directory), run, redactor, synced=durability == "power")
        try:
            tail = log._read(last)
            if tail is not None:
                log._mend(tail)
        except BaseException:
            log.close()
            raise
        return log

    @property
    def path(self) -> Path:
        """The log's file."""
        return self._file.path

    @property
    def head(self) -> Head:
        """The newest record's place and hash."""
        return Head(seq=self._state.seq, hash=self._state.hash)

    def settle(self) -> Head:
        """Return the newest record's place, also after an interrupt that struck between a write and the note of it.

        Raises:
            EvidenceError: The log is over.
        """
        with self._writing():
            return self.head

    def records(self, *, blobs: bool = True) -> Iterator[Record]:
        """Give the records of the open file in order, whatever its path names now.

        Args:
            blobs: Whether long texts are put back; see `whole_record`.

        Raises:
            LogUnreadableError: It can't be read, or was broken meanwhile; the records before were given.
        """
        return records_of(self._file.reader(), self.path, blobs=blobs)

    def append(self, event: Event) -> Record:
        """Write one event as the log's next record and return it, as it will be read back.

        Raises:
            ValueRefusedError: The event can't be kept as JSON; nothing was written, and the log goes on.
            EvidenceError: The record could not be written whole, or an earlier one could not; the log is over.
        """
        with self._writing():
            return self._append(event)

    def barrier(self) -> None:
        """Return once everything written so far survives a power cut, in the file that the path names.

        Raises:
            EvidenceError: It can't be made sure; the log is over.
        """
        with self._writing():
            try:
                if self._synced:
                    self._file.sync()
                problem = self._file.problem(self._state.size_bytes)
            except OSError as error:
                self._die(f"could not be made durable: {reason_of(error)}", error)
            if problem:
                self._die(problem)

    def close(self) -> None:
        """Let go of the file; nothing can be written any more. Closing twice does nothing."""
        self._file.close()

    def _read(self, last: Head | None) -> Tail | None:
        chain = Chain()
        self._check(chain, strictly=last is None)
        if last is not None and chain.head != last:
            raise EvidenceError(f"{self.path} is not what it was when it was looked at; run again")
        # As it was read, not as it is now: what somebody adds meanwhile is then found by the next barrier.
        self._state = _State(chain.head.seq, chain.head.hash, chain.size_bytes)
        return chain.tail

    def _check(self, chain: Chain, *, strictly: bool) -> None:
        run = self._run.encode("ascii")
        try:
            for link in chain.links(self._file.reader()):
                if link.seal.run != run:
                    other = link.seal.run.decode("utf-8", "replace")
                    raise EvidenceError(f"{self.path} is the log of run {other}, not of {self._run}")
                if strictly:
                    record_of(link.line.raw)
        except BrokenChainError as error:
            place = f"line {error.line.number}, byte {error.line.offset}, seq {error.seq}"
            raise EvidenceError(f"{self.path} is broken ({place}): {error}. {self._advice}") from error
        except BadLineError as error:
            raise EvidenceError(f"{self.path} is broken (seq {chain.head.seq}): {error}. {self._advice}") from error
        except OSError as error:
            raise EvidenceError(f"{self.path} can't be read: {reason_of(error)}") from error

    def _mend(self, tail: Tail) -> None:
        with self._writing():
            ending = b"\n" if tail.newline else b""
            if tail.torn is not None:
                # In one write: a newline alone would leave a line that somebody may have edited.
                self.recovery = self._append(tail.torn.event, after=ending)
            else:
                self._put(ending, self._state._replace(size_bytes=self._state.size_bytes + len(ending)))
        self.barrier()

    @property
    def _advice(self) -> str:
        return f"Nothing is written to it. See what `workflow-exec verify {self.path}` says."

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        # The owner first: in a forked child, another thread of the parent may hold the lock for ever.
        if os.getpid() != self._owner:
            raise EvidenceError(f"{self.path} belongs to process {self._owner}; a forked child may not write to it")
        if self._lock.locked() and self._holder == threading.get_ident():
            raise EvidenceError(f"{self.path}: a signal handler may not write while a record is being written")
        with self._lock:
            # Never taken back: an interrupt that struck first would leave the log busy for good.
            self._holder = threading.get_ident()
            self._refuse_if_over()
            self._settle()
            yield

    def _refuse_if_over(self) -> None:
        if self._dead is not None:
            raise EvidenceError(f"{self.path} takes no more records: it {self._dead}")
        if self._file.closed:
            raise EvidenceError(f"{self.path} takes no more records: it is closed")

    def _settle(self) -> None:
        # Ctrl-C can strike between the write and the note of it. The file's size says which of the two
        # states is true; a guess would let the next record name a predecessor that isn't there.
        if self._pending is None:
            return
        try:
            size_bytes = self._file.size_bytes
        except OSError as error:
            self._die(f"was interrupted, and can't be looked at: {reason_of(error)}", error)
        if size_bytes == self._pending.size_bytes:
            self._state = self._pending
        elif size_bytes != self._state.size_bytes:
            self._die("was interrupted in the middle of a record")
        self._pending = None

    def _append(self, event: Event, *, after: bytes = b"") -> Record:
        record, line, blobs = self._prepared(event)
        try:
            for blob in blobs:
                write_blob(self.path.parent, blob, synced=self._synced)
        except EvidenceError as error:
            self._die(str(error), error)
        content = after + line
        self._put(content, _State(record.seq, record.hash, self._state.size_bytes + len(content)))
        return record

    def _put(self, content: bytes, state: _State) -> None:
        self._pending = state
        self._write(content)
        self._state = state
        self._pending = None

    def _write(self, content: bytes) -> None:
        try:
            written = self._file.write(content)
        except OSError as error:
            self._die(f"could not be written: {reason_of(error)}", error)
        if written != len(content):
            self._die(f"took only {written} of {len(content)} bytes of a record; is the disk full?")

    def _die(self, reason: str, cause: Exception | None = None) -> NoReturn:
        self._dead = reason
        message = f"{self.path} {reason}"
        where = saved(self._file)
        if where is not None:
            message += f". {where}"
        raise EvidenceError(message) from cause

    def _prepared(self, event: Event) -> tuple[Record, bytes, list[Blob]]:
        data = self._cleaner.data(event.data)
        fields = self._fields(event)
        blobs: list[Blob] = []
        line, digest = sealed(body_of(fields, data, blobs))
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
            "ts": datetime.now(timezone.utc).isoformat(timespec="microseconds")[: -len("+00:00")] + "Z",
            "mono_ns": time.monotonic_ns(),
            "boot": boot_id(),
            "type": event.type,
            "step": None if step is None else self._cleaner.text(step, "step"),
            "attempt": event.attempt,
            "actor": Actor(kind=actor.kind, id=self._cleaner.text(actor.id, "actor.id")),
            "prev": self._state.hash,
        }


def _demand_run_id(run: RunId) -> None:
    if not RUN_ID.fullmatch(run):
        raise EvidenceError(f"{run!r} is no run id")
