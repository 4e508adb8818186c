"""The writer of a log: one write per record, nothing after the first failure, no doubt about what is stored."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from pytest_workflow_exec.errors import EvidenceError, ValueRefusedError
from pytest_workflow_exec.events import Actor, Event
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.model import RunId
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.settings import Durability

from ._blobs import Blob, write_blob
from ._body import Fields, body_of
from ._boot import boot_id
from ._files import reason_of
from ._instant import now_text
from ._lines import MAX_LINE_BYTES, BadLineError, record_of, sealed
from ._log_files import LogFiles
from ._record import NO_HASH, VERSION, Head, Record
from ._rescue import saved
from ._run_id import RUN_ID
from ._segments import SEGMENT_BYTES, segment_end
from ._values import Cleaner

if TYPE_CHECKING:
    from ._chain import Chain, Tail


_END_BYTES = 1 << 10
"""Room that is left in a file for the record that ends it."""
_TYPE = lazy_pattern(r"[a-z]+(?:[._][a-z]+)*", re.ASCII)


class _State(NamedTuple):
    """What is known to be in the file."""

    seq: int
    hash: str
    size_bytes: int
    """How long the last file is."""
    events: int = 0
    """How many of the records are events that somebody appended here."""
    file: int = 0
    """The number of the last file."""
    first: int = 0
    """The place of its first record."""
    ended: bool = False
    """Whether it takes no more records: they go into the next one."""


class EvidenceLog:
    """A run's log, open for appending by one process."""

    def __init__(self, files: LogFiles, run: RunId, redactor: Redactor, *, synced: bool, segment_bytes: int) -> None:
        """Take over the file of a new, empty log; use `create` or `reopen`."""
        self._files, self._run, self._synced, self._segment_bytes = files, run, synced, segment_bytes
        self._cleaner = Cleaner(redactor)
        self._owner = os.getpid()
        self._lock = threading.Lock()
        self._holder = 0
        """The thread that took the lock last."""
        self._dead: str | None = None
        self._state = _State(-1, NO_HASH, 0)
        self._pending: _State | None = None
        self._head = Head(seq=-1, hash=NO_HASH)
        self.recovery: Record | None = None
        """The record that tells of a torn end which was found when the log was reopened."""
        self.ends: deque[Record] = deque()
        """The records that ended files of the log, until somebody takes them out."""

    @classmethod
    def create(
        cls,
        run_directory: Path,
        run: RunId,
        *,
        redactor: Redactor,
        durability: Durability = "power",
        segment_bytes: int = SEGMENT_BYTES,
    ) -> EvidenceLog:
        """Return the new log of a run, durable in its folder and readable only to its owner.

        Args:
            durability: What a record survives once a barrier returned: a power cut, or the end of the process.
            segment_bytes: How long a file becomes before the log goes on in a next one; longer only if one record is.

        Raises:
            EvidenceError: Something of that name is there already, or it can't be made.
        """
        _demand_run_id(run)
        files = LogFiles.create(run_directory)
        return cls(files, run, redactor, synced=durability == "power", segment_bytes=segment_bytes)

    @classmethod
    def reopen(
        cls,
        run_directory: Path,
        run: RunId,
        *,
        redactor: Redactor,
        durability: Durability = "power",
        segment_bytes: int = SEGMENT_BYTES,
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
        files = LogFiles.open(run_directory)
        log = cls(files, run, redactor, synced=durability == "power", segment_bytes=segment_bytes)
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
        """The log's first file."""
        return self._files.path

    @property
    def head(self) -> Head:
        """The newest record's place and hash."""
        seq, digest = self._state.seq, self._state.hash
        last = self._head
        # Asked for at each report of a step: it is the same one until the next record.
        if last.seq != seq or last.hash != digest:
            last = self._head = Head(seq=seq, hash=digest)
        return last

    @property
    def events(self) -> int:
        """How many events were appended."""
        return self._state.events

    def settle(self) -> int:
        """Return how many events were appended, also after an interrupt that struck between a write and the note of it.

        Raises:
            EvidenceError: The log is over.
        """
        with self._writing():
            return self.events

    def make_room(self) -> Head:
        """Return the head that will stand right before the next event, whatever that is.

        Raises:
            EvidenceError: A file that is full could not be ended; the log is over.
        """
        with self._writing():
            if self._is_full(MAX_LINE_BYTES):
                self._go_on_in_next_file()
            return self.head

    def records(self, *, blobs: bool = True) -> Iterator[Record]:
        """Give the records of the open files in order, whatever their paths name now.

        Args:
            blobs: Whether long texts are put back; see `whole_record`.

        Raises:
            LogUnreadableError: It can't be read, or was broken meanwhile; the records before were given.
        """
        from ._read import records_of

        return records_of(self._files, self.path, blobs=blobs)

    def append(self, event: Event) -> Record:
        """Write one event as the log's next record and return it, as it will be read back.

        If the file is full, a record that ends it comes first, and the event goes into a new one.

        Raises:
            ValueRefusedError: The event can't be kept as JSON; nothing was written, and the log goes on.
            EvidenceError: The record could not be written whole, or an earlier one could not; the log is over.
        """
        self._refuse_other_hands()
        # As in `_writing`, which is too slow to be gone through for every record.
        with self._lock:
            self._begin()
            return self._append(event)

    def barrier(self) -> None:
        """Return once everything written so far survives a power cut, in the files that the log's names lead to.

        Raises:
            EvidenceError: It can't be made sure; the log is over.
        """
        self._refuse_other_hands()
        with self._lock:
            self._begin()
            try:
                if self._synced:
                    self._files.sync(self._state.file)
                problem = self._files.problem(self._state.file, self._state.size_bytes)
            except OSError as error:
                self._die(f"could not be made durable: {reason_of(error)}", error)
            if problem:
                self._die(problem.reason, file=problem.path)

    def close(self) -> None:
        """Let go of the files; nothing can be written any more. Closing twice does nothing."""
        self._files.close()

    def _read(self, last: Head | None) -> Tail | None:
        from ._chain import Chain

        chain = Chain()
        self._check(chain, strictly=last is None)
        if last is not None and chain.head != last:
            raise EvidenceError(f"{self.path} is not what it was when it was looked at; run again")
        # As it was read, not as it is now: what somebody adds meanwhile is then found by the next barrier.
        self._state = _State(
            chain.head.seq, chain.head.hash, chain.size_bytes, file=chain.segment, first=chain.first, ended=chain.ended
        )
        return chain.tail

    def _check(self, chain: Chain, *, strictly: bool) -> None:
        from ._chain import BrokenChainError

        run = self._run.encode("ascii")
        try:
            for link in chain.links(self._files):
                if chain.ended:
                    self._files.end(chain.segment, chain.size_bytes)
                if link.seal.run != run:
                    other = link.seal.run.decode("utf-8", "replace")
                    raise EvidenceError(f"{self.path} is the log of run {other}, not of {self._run}")
                if strictly:
                    record_of(link.line.raw)
        except BrokenChainError as error:
            place = f"line {error.line.number}, byte {error.line.offset}, seq {error.seq}"
            raise EvidenceError(
                f"{self._files.path_of(error.line.segment)} is broken ({place}): {error}. {self._advice}"
            ) from error
        except BadLineError as error:
            path = self._files.path_of(chain.segment)
            raise EvidenceError(f"{path} is broken (seq {chain.head.seq}): {error}. {self._advice}") from error
        except OSError as error:
            raise EvidenceError(f"{self._files.path_of(chain.segment)} can't be read: {reason_of(error)}") from error

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
        self._refuse_other_hands()
        with self._lock:
            self._begin()
            yield

    def _refuse_other_hands(self) -> None:
        # The owner first: in a forked child, another thread of the parent may hold the lock for ever.
        if os.getpid() != self._owner:
            raise EvidenceError(f"{self.path} belongs to process {self._owner}; a forked child may not write to it")
        if self._lock.locked() and self._holder == threading.get_ident():
            raise EvidenceError(f"{self.path}: a signal handler may not write while a record is being written")

    def _begin(self) -> None:
        # Never taken back: an interrupt that struck first would leave the log busy for good.
        self._holder = threading.get_ident()
        self._refuse_if_over()
        if self._pending is not None:
            self._settle()

    def _refuse_if_over(self) -> None:
        if self._dead is not None:
            raise EvidenceError(f"{self.path} takes no more records: it {self._dead}")
        if self._files.closed:
            raise EvidenceError(f"{self.path} takes no more records: it is closed")

    def _settle(self) -> None:
        # Ctrl-C can strike between the write and the note of it. The file's size says which of the two
        # states is true; a guess would let the next record name a predecessor that isn't there.
        if self._pending is None:
            return
        try:
            size_bytes = self._files.size_bytes(self._state.file)
        except OSError as error:
            self._die(f"was interrupted, and can't be looked at: {reason_of(error)}", error)
        if size_bytes == self._pending.size_bytes:
            self._state = self._pending
        elif size_bytes != self._state.size_bytes:
            self._die("was interrupted in the middle of a record")
        self._pending = None

    def _append(self, event: Event, *, after: bytes = b"") -> Record:
        record, line, blobs = self._prepared(event)
        # A recovery stands in the file of what it tells of.
        if not after and self._is_full(len(line)):
            self._go_on_in_next_file()
            record, line, blobs = self._prepared(event)
        try:
            for blob in blobs:
                write_blob(self.path.parent, blob, synced=self._synced)
        except EvidenceError as error:
            self._die(f"lacks a stored text: {error}", error)
        content = after + line
        # Whole and in order: this is done for every record, and takes a third of the time.
        _, _, before, events, file, first, ended = self._state
        self._put(content, _State(record.seq, record.hash, before + len(content), events + 1, file, first, ended))
        return record

    def _is_full(self, size_bytes: int) -> bool:
        state = self._state
        return state.ended or (
            state.size_bytes + size_bytes > self._segment_bytes - _END_BYTES and state.size_bytes > 0
        )

    def _go_on_in_next_file(self) -> None:
        """End the last file and begin the next; interrupted anywhere, it is gone on with where it was."""
        if not self._state.ended:
            count = self._state.seq + 1 - self._state.first
            record, line, _ = self._prepared(segment_end(self._state.file, records=count + 1), own=True)
            state, size_bytes = self._state, self._state.size_bytes + len(line)
            self._put(line, state._replace(seq=record.seq, hash=record.hash, size_bytes=size_bytes, ended=True))
            self.ends.append(record)
        try:
            # Also where power cuts don't count: a next file that nothing leads to would be a broken log.
            self._files.sync(self._state.file)
            self._files.begin(self._state.file + 1, before_bytes=self._state.size_bytes)
        except (EvidenceError, OSError) as error:
            self._die(f"could not be gone on with in a next file: {reason_of(error)}", error)
        self._state = self._state._replace(
            size_bytes=0, file=self._state.file + 1, first=self._state.seq + 1, ended=False
        )

    def _put(self, content: bytes, state: _State) -> None:
        self._pending = state
        self._write(content)
        self._state = state
        self._pending = None

    def _write(self, content: bytes) -> None:
        try:
            written = self._files.write(self._state.file, content)
        except OSError as error:
            self._die(f"could not be written: {reason_of(error)}", error)
        if written != len(content):
            self._die(f"took only {written} of {len(content)} bytes of a record; is the disk full?")

    def _die(self, reason: str, cause: Exception | None = None, *, file: Path | None = None) -> NoReturn:
        path = file or self._files.path_of(self._state.file)
        self._dead = reason if path == self.path else f"ended when {path} {reason}"
        message = f"{path} {reason}"
        where = saved(self._files)
        if where is not None:
            message += f". {where}"
        raise EvidenceError(message) from cause

    def _prepared(self, event: Event, *, own: bool = False) -> tuple[Record, bytes, list[Blob]]:
        # The log's own words stay as they are: a secret may be a word of them, and they hold no other.
        data = event.data if own else self._cleaner.data(event.data)
        fields = self._fields(event)
        blobs: list[Blob] = []
        line, digest = sealed(body_of(fields, data, blobs))
        if len(line) > MAX_LINE_BYTES:
            raise ValueRefusedError(where="step", reason=f"the record is longer than {MAX_LINE_BYTES} bytes")
        record = Record(
            v=VERSION,
            seq=fields.seq,
            run=fields.run,
            ts=fields.ts,
            mono_ns=fields.mono_ns,
            boot=fields.boot,
            type=fields.type,
            step=fields.step,
            attempt=fields.attempt,
            actor=fields.actor,
            data=data,
            prev=fields.prev,
            hash=digest,
        )
        return record, line, blobs

    def _fields(self, event: Event) -> Fields:
        if not _is_type(event.type):
            raise ValueRefusedError(where="type", reason="it must be lower case words joined by dots")
        step, actor, text = event.step, event.actor, self._cleaner.text
        name = text(actor.id, "actor.id")
        return Fields(
            self._state.seq + 1,
            self._run,
            now_text(),
            time.monotonic_ns(),
            boot_id(),
            event.type,
            None if step is None else text(step, "step"),
            event.attempt,
            actor if name == actor.id else Actor(kind=actor.kind, id=name),
            self._state.hash,
        )


@functools.lru_cache(maxsize=256)
def _is_type(text: str) -> bool:
    return _TYPE.fullmatch(text) is not None


def _demand_run_id(run: RunId) -> None:
    if not RUN_ID.fullmatch(run):
        raise EvidenceError(f"{run!r} is no run id")
