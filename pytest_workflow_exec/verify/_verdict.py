"""The answer to "can this log be believed?", with all that was found on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from types import MappingProxyType
from typing import Literal

from pytest_workflow_exec.errors import WorkflowExecError
from pytest_workflow_exec.evidence import Head
from pytest_workflow_exec.lean_dataclasses import dataclass

Word = Literal["verified", "broken", "unreadable", "not passed", "not as asked", "torn tail", "bounded"]
Kind = Literal["edited", "gap", "duplicate", "fork", "reordered", "replaced", "replaced or cut", "blob", "inconsistent"]

EXIT_CODES: Mapping[Word, int] = MappingProxyType(
    {"verified": 0, "broken": 1, "unreadable": 2, "bounded": 3, "not passed": 4, "not as asked": 4, "torn tail": 5}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateFacts:
    """The last decision at one gate."""

    step: str
    attempt: int | None
    decision: str
    approver: str
    channel: str
    assurance: int
    """What its record claims."""
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The groups of approvers that it was asked of, if it was signed."""
    proven: int | None = None
    """What it is worth to the verifier; None if nobody looked."""
    reason: str = ""
    """Why somebody went past the signatures that it wants; empty for any other decision."""

    @property
    def breaks_glass(self) -> bool:
        """Whether somebody went past the signatures that the gate wants."""
        return self.channel == "break-glass" and self.decision == "approved"


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenGlass:
    """A gate that somebody went past without the signatures that it wants."""

    step: str
    by: str
    reason: str
    digest: str
    """That of the question that was gone past."""
    reviewed_by: str | None = None
    """Who says that they looked at it since; None if nobody does."""
    review: str = ""
    """What they say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a log is worth."""

    exit_code: int
    word: Word
    message: str
    """Why, and what to do about it."""
    kind: Kind | None = None
    """What is wrong with a broken log."""
    file: str | None = None
    """The name of the file in which it is broken: a long log has several."""
    line: int | None = None
    """Where it is broken; counts from 1, in each file anew."""
    byte: int | None = None
    """Where that line begins in the file."""
    seq: int | None = None
    records: int = 0
    """How many records were read and found intact."""
    segments: int = 1
    """How many files the log has, as far as it was read."""
    head: Head | None = None
    """The last of them."""
    run: str | None = None
    workflow: str | None = None
    plan_digest: str | None = None
    """SHA-256 of the plan that it followed last, in hex."""
    policies: tuple[str, ...] = ()
    """The digests of the policies that its sessions ran under."""
    result: str | None = None
    """How the run finished, in the log's own word; None if it did not, or if that was not read."""
    steps: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """How many steps ended in each outcome, and how many planned ones did not end."""
    gates: tuple[GateFacts, ...] = ()
    waived: tuple[str, ...] = ()
    """The steps that count though they failed, as a person accepted that."""
    broken_glass: tuple[BrokenGlass, ...] = ()
    """The gates that somebody went past, in any session."""
    assurance: int | None = None
    """What the decisions that let anything go on are worth at least, in any session; None if there was none."""
    doubts: tuple[str, ...] = ()
    """Why one of them is worth less than its record claims."""
    asked_of: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """The groups of approvers that signed approvals were asked of, with their principals as the log has them."""
    warnings: tuple[str, ...] = ()
    """What is odd about the log and breaks nothing, such as a clock that was set back."""
    unknown_types: tuple[str, ...] = ()
    """The types of its records that this version does not know."""
    blobs: int = 0
    """How many stored texts were compared with the log."""
    redacted: int = 0
    """How many stored texts were taken out later, as records of it say."""
    torn_bytes: int = 0
    """The length of a last record that was not written whole."""
    recoveries: int = 0
    """How many times a writer went on behind a record that was not written whole."""
    sessions: int = 0
    """How many processes ran steps of it, one after the other: the first, and one each time it was resumed."""
    anchored: bool = False
    """Whether the log holds the head that the verifier supplied, or a seal of one of the signers."""
    sealed_by: str | None = None
    """The signer whose seal anchors it; None if the head does, or nothing."""
    anchored_through: int | None = None
    """The last record that the anchor covers; None without one."""
    unsigned_redaction: str | None = None
    """What is wrong with a redaction that no anchor covers; None if nothing is, or if no signers were supplied."""
    chain_only: bool = False


def glass_said(broken: Sequence[BrokenGlass]) -> str:
    """Return in words which gates somebody went past; empty if nobody did."""
    parts = (
        f"the glass of gate {each.step!r} was broken by {each.by}, "
        + ("not reviewed" if each.reviewed_by is None else f"reviewed by {each.reviewed_by}")
        for each in broken
    )
    return "; ".join(parts)


class BrokenError(WorkflowExecError):
    """A log is not what the engine wrote."""

    def __init__(
        self,
        *,
        kind: Kind,
        reason: str,
        file: str | None = None,
        line: int | None = None,
        byte: int | None = None,
        seq: int | None = None,
        later: bool = False,
    ) -> None:
        """Say what is wrong, and where.

        Args:
            later: Whether the file is not the log's first, and has to be named.
        """
        where = f"{file}, " if later else ""
        place = "" if line is None else f"{where}line {line} (byte {byte}, seq {seq}): "
        super().__init__(f"{kind}: {place}{reason}")
        self.kind, self.file, self.line, self.byte, self.seq = kind, file, line, byte, seq
