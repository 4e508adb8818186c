"""`workflow-exec redact`: stored texts of a run are taken out later; a record says which, why and by whom."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import (
    MAX_TEXT_BYTES,
    EvidenceLog,
    PinPlaces,
    Record,
    blob_path,
    digests_in,
    is_reference,
    may_be_redacted,
    pin_places,
    references_in,
)
from pytest_workflow_exec.lean_dataclasses import dataclass
from pytest_workflow_exec.verify import Signers, verify_log

from ._append import held, somebody
from ._find import log_of
from ._redaction_signer import RedactionSigner, pinned_signers
from ._text import escape


class RedactError(WorkflowExecError):
    """Nothing can be taken out, or not all of what was to be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """Stored texts of one record."""

    seq: int
    step: str | None
    digests: tuple[str, ...]


def redact(arguments: argparse.Namespace, *, places: PinPlaces | None = None) -> int:
    """Take stored texts out of a run, after a record said so, and say what the log's head is now; return 0.

    Args:
        arguments: Which run, which texts, and why.
        places: Where pins lie; None for this machine's and this user's.

    Raises:
        RedactError: It is not said which or why, there are none, they are of a kind that stays, or signers are pinned
            and none of them signs.
        SignerError: The key does not sign, or the pinned list of signers can't be used.
        PinError: The project's pin can't be believed.
        EvidenceError: The log is being written, or nothing can be appended to it.
        LogUnreadableError: There is no such run.
    """
    if (arguments.step, arguments.seq, arguments.digest) == (None, None, None):
        raise RedactError("say which stored texts: --step STEP, --seq N or --digest SHA256")
    log = log_of(arguments.run)
    pinned = pinned_signers(log, pin_places() if places is None else places)
    _demand_signature(arguments, pinned)
    verdict = verify_log(log)
    if verdict.word in ("broken", "unreadable"):
        raise RedactError(f"nothing is taken out of a log that is {verdict.word}: {verdict.message}")
    reason = _reason(arguments.reason)
    with held(log, run=verdict.run or "") as evidence:
        # Now that nobody else can write to it: what was verified must be what is there.
        if verdict.head != evidence.head:
            raise RedactError("the log changed while it was read; nothing was taken out. Try again.")
        signer = RedactionSigner.of(arguments, pinned, run=verdict.run or "", workflow=verdict.workflow or "")
        found, told = _wanted(
            evidence.records(blobs=False), arguments, lambda record: signer.counts(record, log.parent)
        )
        new = [each for each in found if not told.issuperset(each.digests)]
        left = [path for each in found for digest in each.digests if os.path.lexists(path := _path(log, digest))]
        if not left:
            raise RedactError(
                "there are no stored texts that fit, or they were taken out before; nothing was done. Texts of up to "
                f"{MAX_TEXT_BYTES >> 10} KiB stand in the records, which nothing changes: revoke a secret in one, and "
                "prune the run when it may go"
            )
        for each in new:
            _record(evidence, each, reason, signer)
        evidence.barrier()
        # Only now: after a kill in between, the record names texts that are still there, and `verify` says so.
        _remove(left)
        sys.stdout.write(
            f"{len(left)} stored texts taken out: the head of the log is now {evidence.head.seq} {evidence.head.hash}\n"
        )
    return 0


def _demand_signature(arguments: argparse.Namespace, pinned: Signers | None) -> None:
    if (arguments.key is None) != (arguments.principal is None):
        raise RedactError("nothing was taken out: a signature needs both --key FILE and --principal NAME")
    if arguments.principal is not None and not (arguments.principal.strip() and arguments.principal.isprintable()):
        raise RedactError("nothing was taken out: the principal is empty, or has characters that can't be seen")
    if arguments.key is None and pinned is not None:
        raise RedactError(
            "nothing was taken out: the project's signers are pinned, so one of them has to sign it. "
            "Add --key FILE --principal NAME."
        )


def _wanted(
    records: Iterable[Record], arguments: argparse.Namespace, counts: Callable[[Record], bool]
) -> tuple[list[_Found], set[str]]:
    """Return what fits the arguments, and the digests of all that was taken out before and needs no other record."""
    found: list[_Found] = []
    told: set[str] = set()
    for record in records:
        if record.type == "redaction" and counts(record):
            told.update(digests_in(record))
        digests = tuple(
            digest for digest in references_in(record.data) if arguments.digest is None or digest == arguments.digest
        )
        if not digests or not _fits(record, arguments):
            continue
        if not may_be_redacted(record.type):
            if arguments.seq is None and arguments.digest is None:
                # What its commands printed stays beside what the step made of it.
                sys.stderr.write(f"kept: record {record.seq} ({escape(record.type)}) may not lose its stored texts\n")
                continue
            raise RedactError(f"record {record.seq} is a {record.type}: decisions and the run itself rest on it")
        if is_reference(record.data):
            raise RedactError(
                f"the stored text of record {record.seq} is all that it says: without it the log is broken"
            )
        found.append(_Found(seq=record.seq, step=record.step, digests=digests))
    return found, told


def _fits(record: Record, arguments: argparse.Namespace) -> bool:
    return arguments.step in (None, record.step) and arguments.seq in (None, record.seq)


def _reason(given: str | None) -> str:
    if given is None and sys.stdin.isatty():
        sys.stdout.write("Reason: ")
        sys.stdout.flush()
        given = sys.stdin.readline()
    if given is None or not given.strip():
        raise RedactError("nothing was taken out: a reason is needed. Add --reason TEXT.")
    return given.strip()


def _record(evidence: EvidenceLog, found: _Found, reason: str, signer: RedactionSigner) -> None:
    who = somebody()
    data: dict[str, Json] = {
        "digests": list(found.digests), "seq": found.seq, "step": found.step, "reason": reason, "who": who.id,
        **signer.signature(evidence.make_room(), seq=found.seq, step=found.step, digests=found.digests, reason=reason),
    }  # fmt: skip
    evidence.append(Event(type="redaction", actor=who, data=data))


def _remove(paths: Iterable[Path]) -> None:
    for path in paths:
        try:
            path.unlink()
            folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise RedactError(f"{path} can't be removed: {error.strerror}. Run it again.") from error


def _path(log: Path, digest: str) -> Path:
    return blob_path(log.parent, digest)
