"""Plans that are approved before a run proposes them: what is signed of one, and the file that says who signed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from pytest_workflow_exec.digests import canonical_json, digest_of_bytes
from pytest_workflow_exec.lazy_patterns import lazy_pattern
from pytest_workflow_exec.lean_dataclasses import dataclass, replace

from ._challenge import MAX_CHALLENGE_BYTES, ChallengeError
from ._facts import facts_of
from ._refusal import BallotRefusedError
from ._request import GateRequest
from ._rules import moment_of
from ._stored import request_of
from ._words import escape_line

MAX_VALID = timedelta(days=90)
"""Nobody remembers for longer what they once let run unseen."""
MAX_SIGNATURES = 100

_VERSION = 1
_TITLE = "pytest-workflow-exec plan in advance 1"
_MOMENT = lazy_pattern(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
_FACTS = (
    "Workflow",
    "Plan digest",
    "If you approve",
    "Inputs",
    "Policy digest",
    "Sandbox level",
    "Meaning",
    "References",
)
"""What must be the same in the run that goes by it; what differs between runs of the same is not among them."""
_DIGEST_CHARACTERS = 16
_NO_FILE = "it is no approved plan as workflow-exec approve --in-advance writes it"


class PlanSignature(NamedTuple):
    """One signature under a plan. Nothing of it is true before it was judged."""

    principal: str
    armor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanApproval:
    """A plan that somebody is said to have approved in advance."""

    workflow: str
    gate: str
    until: str
    """When it holds no more, UTC in ISO 8601."""
    challenge: bytes
    """What is said to be signed: for people to read, and to say what differs."""
    signatures: tuple[PlanSignature, ...] = ()

    def content(self) -> bytes:
        """Return it as its file holds it, for people who review it line by line."""
        fields = {
            "v": _VERSION,
            "workflow": self.workflow,
            "gate": self.gate,
            "until": self.until,
            "signed": self.challenge.decode("ascii").splitlines(),
            "signatures": [each._asdict() for each in self.signatures],
        }
        return json.dumps(fields, indent=2, ensure_ascii=True).encode("ascii") + b"\n"

    @property
    def name(self) -> str:
        """What its file is called: another one for each plan and time."""
        readable = re.sub(r"[^A-Za-z0-9_-]", "_", self.gate)[:64]
        return f"{readable}-{digest_of_bytes(self.challenge)[:_DIGEST_CHARACTERS]}.json"

    def with_signature(self, signature: PlanSignature) -> PlanApproval:
        """Return it with one signature more; of each principal the last one stays.

        Raises:
            BallotRefusedError: It has more than anybody needs.
        """
        others = tuple(each for each in self.signatures if each.principal != signature.principal)
        if len(others) >= MAX_SIGNATURES:
            raise BallotRefusedError(f"it has {MAX_SIGNATURES} signatures already")
        return replace(self, signatures=(*others, signature))


def plan_challenge_of(request: GateRequest, until: str) -> bytes:
    """Return what has to be signed to approve in advance what a gate lets run: the same in every run that would run it.

    Args:
        until: When it holds no more, UTC in ISO 8601 with whole seconds.

    Raises:
        ChallengeError: It would be longer than anybody reads, or names no such moment.
        StoredRequestError: It is no question that an engine asks.
        TypeError: A value of the request is none that JSON has a word for.
        ValueError: A value of the request is NaN or an infinity.
    """
    _moment(until)
    # In the order of its canonical spelling: whoever stores it may order its names differently.
    ordered = request_of(json.loads(canonical_json(request.to_data())), digest=request.digest)
    text = "".join(f"{line}\n" for line in _lines(ordered, until))
    content = text.encode("ascii", "backslashreplace")
    if len(content) > MAX_CHALLENGE_BYTES:
        raise ChallengeError(f"what the gate {request.step!r} lets run is too long to be signed: {len(content)} bytes")
    return content


def _lines(request: GateRequest, until: str) -> Iterator[str]:
    yield _TITLE
    yield f"valid until {until}"
    yield ""
    yield "Whoever signs this lets each run of this workflow pass this gate until then, as often as one comes to it and"
    yield "without seeing it, on whatever commit, if what follows is what it would run, with the very files that are named"
    yield "here. What other outputs hold that are shown there is not signed."
    yield ""
    yield "Gate step:"
    yield f"  {request.step.encode('unicode_escape').decode('ascii')}"
    facts = {fact.label: fact for fact in facts_of(request)}
    for label in _FACTS:
        yield f"{label}:"
        yield from (f"  {line.mark}{line.text}{line.behind}" for line in facts[label].lines)
    # Who approves in advance does not know what went wrong before the gate, unless it is said here.
    for label, steps in (("Failures accepted", request.waived), ("Gates gone past", request.broken_glass)):
        yield f"{label}:"
        yield from (f"  - {escape_line(step)}" for step in steps or ("none",))
    # What is done with a file is done with its content: a command line alone says nothing of it.
    files = [
        f"{escape_line(f'{each.step}.{each.key}')} = {escape_line(each.file.path)}, {each.file.size_bytes} bytes, "
        f"sha256 {each.file.sha256}"
        for each in request.shown
        if each.file is not None
    ]
    yield "Files shown:"
    yield from (f"  - {each}" for each in files or ("none",))
    yield "end"


def valid_until(text: str, *, at: datetime) -> str | None:
    """Return why an approval until that moment does not count at a time, or None if it does.

    Args:
        at: The time, aware.
    """
    try:
        until = _moment(text)
    except ChallengeError as error:
        return str(error)
    if at >= until:
        return f"it held until {text}"
    if until - at > MAX_VALID:
        return f"it is to hold until {text}, and nobody approves for more than {MAX_VALID.days} days"
    return None


def moment_text(moment: datetime) -> str:
    """Return a moment as an approval in advance names it."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> datetime:
    try:
        if _MOMENT.fullmatch(text):
            return moment_of(text)
    except ValueError:
        pass
    raise ChallengeError(f"{text[:40]!r} is no moment: write it like 2030-01-31T12:00:00Z")


def plan_approval_in(content: bytes) -> PlanApproval:
    """Return the approval that a file holds.

    Raises:
        BallotRefusedError: It holds none.
    """
    try:
        fields = json.loads(content.decode("ascii"))
        approval = PlanApproval(
            workflow=fields["workflow"],
            gate=fields["gate"],
            until=fields["until"],
            challenge="".join(f"{line}\n" for line in _texts(fields["signed"])).encode("ascii"),
            signatures=tuple(PlanSignature(each["principal"], each["armor"]) for each in fields["signatures"]),
        )
        names = (approval.workflow, approval.gate, approval.until)
        signed = [text for signature in approval.signatures for text in signature]
        is_whole = approval.content() == content and len(approval.signatures) <= MAX_SIGNATURES
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise BallotRefusedError(_NO_FILE) from error
    # Only its one spelling counts: what a reviewer reads is then all that there is.
    if not is_whole or not all(isinstance(text, str) for text in (*names, *signed)):
        raise BallotRefusedError(_NO_FILE)
    return approval


def _texts(lines: Sequence[object]) -> list[str]:
    if not isinstance(lines, list) or not all(isinstance(line, str) for line in lines):
        raise TypeError("it holds no lines")
    return lines
