"""From a file to a verdict, in one pass and constant memory."""

from __future__ import annotations

import dataclasses
import os
import re
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

from pytest_workflow_exec.counted import counted
from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import (
    SEGMENT_END,
    STATE_DIRECTORY,
    BadLineError,
    BlobError,
    Head,
    Record,
    Seal,
    StoredTexts,
    blob_path,
    may_hold_blobs,
    record_of,
    segment_path,
)

from ._chain import Chain, broken_at
from ._contradiction import ContradictionError
from ._plain import Plain
from ._seals import SealClaim, claim_in
from ._shapes import Shapes
from ._signed import Signatures, Signers
from ._signed_redactions import UNSIGNED, redaction_claim
from ._story import AFTER_THE_END, Story
from ._told import Told
from ._verdict import EXIT_CODES, BrokenError, Kind, Verdict, Word, glass_said

_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)
_CHECKED_SEALS = 16
"""So many of the last seals are tried: each of them may cost a process."""

_NOT_ANCHORED = (
    "intact, complete and passed, but only by its own word: whoever can write the log can write another. "
    "Give the head that pytest printed at the end of the run, with --expect-head."
)


def verify_log(
    path: Path,
    *,
    expect_head: str | None = None,
    chain_only: bool = False,
    signers: Path | Signers | None = None,
    revoked: Path | None = None,
    fold: Callable[[Told], None] | None = None,
) -> Verdict:
    """Return what a log is worth; everything that can be wrong with it is in the verdict.

    Args:
        expect_head: The hash of the last record, in hex, kept somewhere the log's owner can't change it.
        chain_only: Look at the chain alone: no JSON is read, no blob compared, and the best verdict is "bounded".
        signers: An allowed signers file of OpenSSH, kept as a head would be: a seal of one of them anchors the log, and
            behind it only redactions count that one of them signed. An approval by signature is worth what their
            signatures prove.
        revoked: A file of keys that count no more, kept likewise.
        fold: Is given each record once it was found to be true after the ones before it, with stored texts put back.
            What it makes of them counts only if the verdict is not "broken" or "unreadable". Not with `chain_only`.

    Raises:
        ValueError: `expect_head` is not 64 hexadecimal digits.
        SignerError: There are signers and a seal or a signed redaction, and the list can't be used or nothing here can
            check the signature.
    """
    if expect_head is not None and not _HASH.fullmatch(expect_head):
        raise ValueError("expect_head must be 64 lower case hexadecimal digits")
    audit = _Audit(path, expect_head, chain_only=chain_only, signers=signers, revoked=revoked, fold=fold)
    try:
        audit.read()
        audit.check_seals()
        audit.check_approvals()
    except BrokenError as error:
        verdict = audit.verdict("broken", str(error))
        return dataclasses.replace(
            verdict, kind=error.kind, file=error.file, line=error.line, byte=error.byte, seq=error.seq
        )
    except (LogUnreadableError, OSError) as error:
        return audit.verdict("unreadable", str(error))
    return audit.verdict(*audit.judgement())


class _Audit:
    """One reading of one log."""

    def __init__(
        self,
        path: Path,
        expect_head: str | None,
        *,
        chain_only: bool,
        signers: Path | Signers | None,
        revoked: Path | None,
        fold: Callable[[Told], None] | None,
    ) -> None:
        self._path, self._expected, self._chain_only, self._fold = path, expect_head, chain_only, fold
        self._chain, self._story, self._shapes = Chain(path), Story(), Shapes()
        self._records, self._last = 0, b""
        self._texts = StoredTexts(path.parent)
        self._signers_problem = _beside(signers, path)
        self._signatures = None if signers is None or self._signers_problem else Signatures(signers, revoked)
        self._has_signers = signers is not None
        self._anchored = False
        self._anchored_through = -1
        """The last record that the anchor covers."""
        self._unsigned: tuple[int, str] | None = None
        """The last record of a redaction that none of the signers signed, and why."""
        self._before_head = 0
        self._uncovered = 0
        """How many records after the first possible anchor are of a type that may not follow one."""
        self._after_anchor = 0
        """How many of them follow the anchor that holds."""
        self._seals: deque[tuple[SealClaim, int]] = deque(maxlen=_CHECKED_SEALS)
        """The last seals, each with the number of such records before it."""
        self._sealed_by: str | None = None
        self._seal_problem: str | None = None

    def read(self) -> None:
        """Read the whole log.

        Raises:
            LogUnreadableError: It can't be read, is no evidence, or is of another version.
            BrokenError: It is not what the engine wrote, or does not hold the expected head.
        """
        expected = None if self._expected is None else self._expected.encode("ascii")
        read = not self._chain_only
        for raw, digest, start, seal in self._chain.links():
            if read:
                self._take(raw, start)
            self._records, self._last = self._records + 1, digest
            if self._anchored or self._seals:
                self._count_uncovered(start[5] if start is not None else cast("Seal", seal).type)
            if digest == expected:
                self._anchored, self._before_head = True, self._uncovered
                self._anchored_through = self._records - 1
        self._texts.demand_explained()
        if self._expected is not None and not self._anchored:
            raise BrokenError(
                kind="replaced or cut",
                reason=f"the log does not contain the expected head {self._expected}: it is another one, or was cut",
            )
        if self._anchored:
            self._after_anchor = self._uncovered - self._before_head

    def check_seals(self) -> None:
        """Look for a seal of one of the signers, the newest first, unless the expected head covers all.

        Raises:
            SignerError: None can be checked.
        """
        if self._anchored and not self._after_anchor and self._open_redaction is None:
            return
        if self._signatures is None:
            self._seal_problem = self._signers_problem
            return
        for claim, uncovered in reversed(self._seals):
            problem = self._signatures.problem(claim.text, claim.armor, principal=claim.principal)
            if problem is None:
                self._anchored, self._sealed_by, self._anchored_through = True, claim.principal, claim.head.seq
                self._after_anchor = self._uncovered - uncovered
                return
            self._seal_problem = (
                self._seal_problem or f"the seal of {claim.principal} is none of your signers': {problem}"
            )

    def check_approvals(self) -> None:
        """Look at the signatures of approvals, unless the list of signers is the log's writer's, too.

        Raises:
            SignerError: The list can't be used.
        """
        if self._signatures is not None:
            self._story.prove(self._signatures.trust)

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
        if bound:
            return "bounded", bound
        anchor = "your head" if self._sealed_by is None else f"the seal of {self._sealed_by}"
        return "verified", f"intact, complete, passed, and anchored by {anchor}"

    def verdict(self, word: Word, message: str) -> Verdict:
        """Return a verdict with all that was found."""
        story = self._story
        past = "" if word in ("broken", "unreadable") else glass_said(story.broken_glass)
        return Verdict(
            exit_code=EXIT_CODES[word],
            word=word,
            message=f"{message.removesuffix('.')}. BUT {past}" if past else message,
            records=self._records,
            segments=self._chain.segment + 1,
            head=self._head,
            run=self._chain.run,
            workflow=story.workflow,
            plan_digest=story.plan_digest,
            result=story.result,
            steps=story.outcomes,
            gates=story.gates,
            waived=story.waived,
            broken_glass=story.broken_glass,
            assurance=story.assurance,
            doubts=story.doubts,
            asked_of=story.asked_of,
            warnings=(*story.warnings, *self._redactions()),
            unknown_types=tuple(sorted(story.unknown_types)),
            blobs=self._texts.read,
            redacted=len(self._texts.redacted),
            torn_bytes=self._chain.torn_bytes,
            recoveries=self._chain.recoveries,
            sessions=story.sessions,
            policies=tuple(story.policies),
            anchored=self._anchored,
            sealed_by=self._sealed_by,
            anchored_through=self._anchored_through if self._anchored else None,
            unsigned_redaction=self._open_redaction,
            chain_only=self._chain_only,
        )

    def _take(self, raw: bytes, start: Plain | None) -> None:
        try:
            known = self._shapes.recognize(raw, start) if start is not None else None
            if known is not None:
                self._story.take_known(known)
                if self._fold is not None:
                    self._fold(known)
            else:
                record = self._record(raw, start)
                self._story.take(record)
                if self._fold is not None:
                    self._fold(record)
                if record.type == "redaction":
                    self._texts.redact(record)
                    self._judge_redaction(record)
                if record.type == "run.sealed" and self._has_signers:
                    self._note_seal(record)
        except BadLineError as error:
            raise self._broken("edited", error.reason) from error
        except BlobError as error:
            raise self._broken("blob", str(error)) from error
        except ContradictionError as error:
            raise self._broken("inconsistent", str(error)) from error

    def _record(self, raw: bytes, start: Plain | None) -> Record:
        record = record_of(raw)
        if not may_hold_blobs(raw):
            if start is not None:
                self._shapes.learn(record, raw)
            return record
        return self._texts.whole(record, raw, lambda missing: self._broken("blob", str(missing)))

    def _redactions(self) -> Iterator[str]:
        redacted = self._texts.redacted
        if redacted:
            yield f"{len(redacted)} stored texts were taken out later, as records say; what they were is not known"
        left = [digest for digest in redacted if os.path.lexists(blob_path(self._path.parent, digest))]
        if left:
            yield (
                f"{len(left)} stored texts that a record says were taken out are still there: run workflow-exec redact "
                f"again, with --digest {left[0]}"
            )

    def _broken(self, kind: Kind, reason: str) -> BrokenError:
        return broken_at(self._path, self._chain.line(self._records), kind, self._records, reason)

    def _count_uncovered(self, kind: bytes) -> None:
        # That the log goes on in a next file says nothing of the run; what stands there is counted.
        if kind != SEGMENT_END and kind.decode("utf-8", "replace") not in AFTER_THE_END:
            self._uncovered += 1

    def _note_seal(self, record: Record) -> None:
        claim = claim_in(record, workflow=self._story.workflow, plan_digest=self._story.plan_digest)
        if claim is not None and self._story.result is not None:
            self._seals.append((claim, self._uncovered))

    def _judge_redaction(self, record: Record) -> None:
        if not self._has_signers:
            return
        claim = redaction_claim(record, workflow=self._story.workflow)
        problem: str | None = self._signers_problem or UNSIGNED
        if claim is not None and self._signatures is not None:
            problem = self._signatures.problem(claim.text, claim.armor, principal=claim.principal)
        if problem is not None:
            self._unsigned = (record.seq, problem)

    @property
    def _open_redaction(self) -> str | None:
        """Why a redaction that no anchor covers counts for nothing; None if there is none, or nobody asked."""
        if self._unsigned is None or self._unsigned[0] <= self._anchored_through:
            return None
        seq, problem = self._unsigned
        return f"record {seq} says that stored texts were taken out, and none of the signers says so: {problem}"

    @property
    def _head(self) -> Head | None:
        return Head(seq=self._records - 1, hash=self._last.decode("ascii")) if self._records else None

    @property
    def _promised(self) -> str:
        return segment_path(self._path, self._chain.promised or 0).name

    def _bound(self) -> str:
        unknown = ", ".join(sorted(self._story.unknown_types))
        anchor = "seal" if self._sealed_by is not None else "expected head"
        bounds = [
            (self._head is None, "the log is empty: the run ended before its first record"),
            (self._chain_only, "the chain is intact; what the records say was not read. Verify without --chain-only."),
            (
                self._story.result is None,
                "the log is intact, but its run has not finished; records after its last one may have been cut",
            ),
            (
                self._chain.promised is not None,
                f"the log is intact, but goes on in {self._promised}, where no record is: some may have been cut",
            ),
            (bool(unknown), f"it holds records that this version does not know: {unknown}. Use a newer one."),
            (
                self._after_anchor > 0,
                f"{counted(self._after_anchor, 'record')} after the {anchor} {'is' if self._after_anchor == 1 else 'are'} not covered by it",
            ),
            (not self._anchored and self._seal_problem is not None, f"intact, but not anchored: {self._seal_problem}"),
            (not self._anchored and self._has_signers, "intact, but not anchored: it has no seal of its end"),
            (not self._anchored, _NOT_ANCHORED),
            (self._open_redaction is not None, f"intact, but {self._open_redaction}"),
        ]
        return next((reason for applies, reason in bounds if applies), "")


def _beside(signers: Path | Signers | None, log: Path) -> str | None:
    if isinstance(signers, Path) and lies_beside(signers, log):
        return f"{signers} lies beside the log: whoever can write the one can write the other"
    return None


def lies_beside(file: Path, log: Path) -> bool:
    """Return whether a file lies where the log's writer could have put it."""
    folder = log.resolve().parent
    # Of a run in a project, all that the engine writes for it.
    state = next((parent for parent in folder.parents if parent.name == STATE_DIRECTORY), folder)
    # Both where the name stands and what it leads to: a link beside the log is its writer's, too.
    return any(place.is_relative_to(state) for place in (file.resolve(), file.absolute().parent.resolve()))
