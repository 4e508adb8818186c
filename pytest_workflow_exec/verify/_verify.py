"""From a file to a verdict, in one pass and constant memory."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import (
    BadLineError,
    BlobError,
    Head,
    Line,
    Record,
    Seal,
    may_hold_blobs,
    record_of,
    resolve_blobs,
)

from ._chain import Chain
from ._contradiction import ContradictionError
from ._story import AFTER_THE_END, Story
from ._verdict import EXIT_CODES, BrokenError, Kind, Verdict, Word

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_NOT_ANCHORED = (
    "intact, complete and passed, but only by its own word: whoever can write the log can write another. "
    "Give the head that pytest printed at the end of the run, with --expect-head."
)


def verify_log(path: Path, *, expect_head: str | None = None, chain_only: bool = False) -> Verdict:
    """Return what a log is worth; everything that can be wrong with it is in the verdict.

    Args:
        expect_head: The hash of the last record, in hex, kept somewhere the log's owner can't change it.
        chain_only: Look at the chain alone: no JSON is read, no blob compared, and the best verdict is "bounded".

    Raises:
        ValueError: `expect_head` is not 64 hexadecimal digits.
    """
    if expect_head is not None and not _HASH.fullmatch(expect_head):
        raise ValueError("expect_head must be 64 lower case hexadecimal digits")
    audit = _Audit(path, expect_head, chain_only=chain_only)
    try:
        audit.read()
    except BrokenError as error:
        verdict = audit.verdict("broken", str(error))
        return dataclasses.replace(verdict, kind=error.kind, line=error.line, byte=error.byte, seq=error.seq)
    except (LogUnreadableError, OSError) as error:
        return audit.verdict("unreadable", str(error))
    return audit.verdict(*audit.judgement())


class _Audit:
    """One reading of one log."""

    def __init__(self, path: Path, expect_head: str | None, *, chain_only: bool) -> None:
        self._path, self._expected, self._chain_only = path, expect_head, chain_only
        self._chain, self._story = Chain(path), Story()
        self._head: Head | None = None
        self._run: str | None = None
        self._blobs = 0
        self._anchored = False
        self._after_anchor = 0
        """How many records after the expected head are of a type that may not follow it."""

    def read(self) -> None:
        """Read the whole log.

        Raises:
            LogUnreadableError: It can't be read, is no evidence, or is of another version.
            BrokenError: It is not what the engine wrote, or does not hold the expected head.
        """
        for line, seal in self._chain.links():
            if not self._chain_only:
                self._take(line, seal)
            self._advance(seal)
        if self._expected is not None and not self._anchored:
            raise BrokenError(
                kind="replaced or cut",
                reason=f"the log does not contain the expected head {self._expected}: it is another one, or was cut",
            )

    def judgement(self) -> tuple[Word, str]:
        """Return the verdict on a log that is not broken."""
        result = self._story.result
        if result is not None and result != "passed":
            return "not passed", f"the log is intact, and the run finished as {result}"
        if self._chain.torn_bytes:
            return "torn tail", (
                f"the last record was not written whole ({self._chain.torn_bytes} bytes): the run was killed, or its disk "
                f"was full. Every record before it is intact."
            )
        bound = self._bound()
        return ("bounded", bound) if bound else ("verified", "intact, complete, passed, and anchored by your head")

    def verdict(self, word: Word, message: str) -> Verdict:
        """Return a verdict with all that was found."""
        story = self._story
        return Verdict(
            exit_code=EXIT_CODES[word],
            word=word,
            message=message,
            records=self._head.seq + 1 if self._head else 0,
            head=self._head,
            run=self._run,
            workflow=story.workflow,
            plan_digest=story.plan_digest,
            result=story.result,
            steps=story.outcomes,
            gates=story.gates,
            assurance=story.assurance,
            warnings=story.warnings,
            blobs=self._blobs,
            torn_bytes=self._chain.torn_bytes,
            recoveries=self._chain.recoveries,
            sessions=story.sessions,
            policies=tuple(story.policies),
            anchored=self._anchored,
            chain_only=self._chain_only,
        )

    def _take(self, line: Line, seal: Seal) -> None:
        try:
            self._story.take(self._record(line))
        except BadLineError as error:
            raise _broken(line, seal, "edited", error.reason) from error
        except BlobError as error:
            raise _broken(line, seal, "blob", str(error)) from error
        except ContradictionError as error:
            raise _broken(line, seal, "inconsistent", str(error)) from error

    def _record(self, line: Line) -> Record:
        record = record_of(line.raw)
        if not may_hold_blobs(line.raw):
            return record
        resolved = resolve_blobs(record.data, self._path.parent)
        self._blobs += resolved.blobs
        return dataclasses.replace(record, data=resolved.data)

    def _advance(self, seal: Seal) -> None:
        if self._anchored and seal.type.decode("utf-8", "replace") not in AFTER_THE_END:
            self._after_anchor += 1
        self._head = Head(seq=seal.seq, hash=seal.hash.decode("ascii"))
        self._run = self._run or seal.run.decode("utf-8", "replace")
        self._anchored = self._anchored or self._head.hash == self._expected

    def _bound(self) -> str:
        unknown = ", ".join(sorted(self._story.unknown_types))
        bounds = [
            (self._head is None, "the log is empty: the run ended before its first record"),
            (self._chain_only, "the chain is intact; what the records say was not read. Verify without --chain-only."),
            (
                self._story.result is None,
                "the log is intact, but its run has not finished; records after its last one may have been cut",
            ),
            (bool(unknown), f"it holds records that this version does not know: {unknown}. Use a newer one."),
            (self._after_anchor > 0, f"{self._after_anchor} records after the expected head are not covered by it"),
            (not self._anchored, _NOT_ANCHORED),
        ]
        return next((reason for applies, reason in bounds if applies), "")


def _broken(line: Line, seal: Seal, kind: Kind, reason: str) -> BrokenError:
    return BrokenError(kind=kind, reason=reason, line=line.number, byte=line.offset, seq=seal.seq)
