"""Whether a decision in a log lets somebody elsewhere do a thing: by their own list of signers and rules, now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import LogUnreadableError, WorkflowExecError
from pytest_workflow_exec.evidence import Record
from pytest_workflow_exec.lean_dataclasses import dataclass, replace

from ._contradiction import ContradictionError
from ._signed import Signatures
from ._signed_gates import Cast, Judged, SignedQuestion
from ._told import Told
from ._verdict import Verdict
from ._verify import verify_log

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import GateRequest, Quorum, Vote

_SIGNATURE = 2


class InsufficientError(WorkflowExecError):
    """No decision in a log covers what somebody is about to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What somebody wants of a decision before they do a thing. Nothing of it comes from the run."""

    step: str
    """The gate, or a step that it covers."""
    artifacts: Mapping[str, str]
    """SHA-256 of each file, in hex, by what messages call the file."""
    output: str | None = None
    """The output, `STEP.KEY`, that each of them must be; None for any that was shown."""
    workflow: str | None = None
    """The workflow that must have asked; None for any."""
    policy: str | None = None
    """SHA-256 of the policy that it must have asked under, in hex."""
    approvers: Mapping[str, tuple[str, ...]] | None = None
    """The groups of approvers that this policy has."""
    required: int | Mapping[str, int] = 1
    """How many must have signed at least: of all signers, or of which group how many."""
    min_assurance: int = _SIGNATURE
    """What each of their signatures must be worth at least."""


class Signed(NamedTuple):
    """One who approved."""

    principal: str
    key: str
    """The key's fingerprint."""
    assurance: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sufficient:
    """A decision that covers what was demanded."""

    request: GateRequest
    digest: str
    """The question's."""
    signed: tuple[Signed, ...]
    outputs: Mapping[str, str]
    """As which output each file was shown."""


def demand_approval(log: Path, demand: Demand, signatures: Signatures) -> Sufficient:
    """Return the decision that covers what is demanded.

    Args:
        signatures: Of whom they count: a list that the log's writer can't change.

    Raises:
        InsufficientError: There is none; says why in a sentence.
        LogUnreadableError: The log can't be read.
        SignerError: The list of signers can't be used.
    """
    trust, gates = signatures.trust(), _Gates()
    _demand_intact(verify_log(log, fold=gates.take))
    asked = gates.named(demand.step)
    question, request = asked.question, asked.request
    _demand_same(request, demand)
    outputs = {name: _shown_as(name, digest, request, demand) for name, digest in demand.artifacts.items()}
    if asked.stopped:
        raise InsufficientError(f"gate {request.step!r} was {asked.stopped}")
    if asked.early and not question.casts:
        raise InsufficientError(
            f"gate {request.step!r} passed by a plan that was approved in advance, which says nothing of the files that "
            "this run made. Have just its question signed: workflow-exec challenge, without --in-advance"
        )
    try:
        judged = question.judged(trust, gates.first)
        signed = _counted(request, question, judged, demand)
    except (ContradictionError, ValueError) as error:
        raise InsufficientError(f"the signatures at gate {request.step!r} can't be counted: {error}") from error
    return Sufficient(request=request, digest=question.digest, signed=signed, outputs=outputs)


@dataclass(slots=True, kw_only=True)
class _Asked:
    request: GateRequest
    question: SignedQuestion
    stopped: str = ""
    """How it was decided otherwise than by signatures; empty if it was not."""
    early: int = 0
    """How many answers were given before anybody saw what it shows."""


class _Gates:
    """What was asked last at each gate of a run, and how that was answered."""

    def __init__(self) -> None:
        self.first: Mapping[str, Json] = {}
        """The data of the run's first record."""
        self._asked: dict[str, _Asked | str] = {}
        """For a gate whose answer can't count, why."""

    def take(self, record: Told) -> None:
        """Take in a record that was found to be true after the ones before it."""
        step = record.step or ""
        if record.type == "run.started":
            self.first = record.data
        elif record.type == "gate.requested":
            self._asked[step] = _asked_in(record)
        elif record.type == "step.invalidated":
            self._asked.pop(step, None)
        elif record.type == "gate.decided":
            self._decide(step, record)

    def _decide(self, step: str, record: Told) -> None:
        asked = self._asked.get(step)
        if not isinstance(asked, _Asked):
            return
        cast = Cast(at=record.ts, data=record.data)
        if record.data.get("channel") == "signature" and cast.until:
            # A plan was approved, whatever files a run would show beside it.
            asked.early += 1
        elif record.data.get("channel") == "signature":
            asked.question.casts.append(cast)
        else:
            asked.stopped = f"{record.data.get('decision')} by {record.data.get('approver')}, without a signature"

    def named(self, step: str) -> _Asked:
        """Return what a gate asked, or the gate that covers a step.

        Raises:
            InsufficientError: Nothing was asked that can be answered by signatures.
        """
        found = [each for each in self._asked.values() if isinstance(each, _Asked)]
        covering = [each for each in found if any(covered.step == step for covered in each.request.covers)]
        gate = self._asked.get(step, next(iter(covering[-1:]), None))
        if isinstance(gate, _Asked):
            return gate
        if gate is not None:
            raise InsufficientError(f"gate {step!r} {gate}")
        names = ", ".join(each.request.step for each in found) or "none"
        raise InsufficientError(
            f"no gate {step!r} asked for signatures, and none that did covers such a step (gates that did: {names})"
        )


def _asked_in(record: Told) -> _Asked | str:
    from pytest_workflow_exec.approval import StoredRequestError, request_of

    data, digest = record.data.get("request"), str(record.data.get("digest"))
    if not isinstance(data, Mapping) or data.get("rules") is None or not isinstance(record, Record):
        return "is answered at a terminal (assurance 1), which proves nothing here: it needs assurance: 2"
    try:
        request = request_of(data, digest=digest)
    except StoredRequestError as error:
        return f"can't be judged: {error}"
    # The question that was signed, not the record around it, says of which gate it is.
    if request.step != record.step:
        return "can't be judged: its record holds the question of another gate"
    question = SignedQuestion(
        step=request.step,
        attempt=record.attempt,
        run=record.run,
        request=data,
        digest=digest,
        before=(record.seq - 1, record.prev),
    )
    return _Asked(request=request, question=question)


def _demand_intact(verdict: Verdict) -> None:
    if verdict.word == "unreadable":
        raise LogUnreadableError(verdict.message)
    if verdict.word == "broken":
        raise InsufficientError(f"the log is broken: {verdict.message}")
    if verdict.unknown_types:
        names = ", ".join(verdict.unknown_types)
        raise InsufficientError(f"the log holds records that this version does not know ({names}): use a newer one")


def _demand_same(request: GateRequest, demand: Demand) -> None:
    if demand.workflow is not None and request.workflow != demand.workflow:
        raise InsufficientError(f"it is a decision of workflow {request.workflow!r}, not of {demand.workflow!r}")
    if demand.policy is not None and request.policy_digest != demand.policy:
        raise InsufficientError(f"it was asked under policy {request.policy_digest}, not {demand.policy}")
    groups = {} if request.rules is None else request.rules.approvers
    for name, group in {} if demand.approvers is None else groups.items():
        # A group of the policy has no spaces in its name: another one is everybody who was listed.
        if " " not in name and sorted((demand.approvers or {}).get(name, ())) != sorted(group):
            raise InsufficientError(f"its approvers {name} ({', '.join(group)}) are not those of your policy")


def _shown_as(name: str, digest: str, request: GateRequest, demand: Demand) -> str:
    shown = {f"{each.step}.{each.key}": each.file.sha256 for each in request.shown if each.file is not None}
    if demand.output is not None and demand.output not in shown:
        known = ", ".join(shown) or "none"
        raise InsufficientError(f"gate {request.step!r} showed no file as {demand.output!r} (it showed: {known})")
    for output, sha256 in shown.items():
        if sha256 == digest and demand.output in (None, output):
            return output
    raise InsufficientError(
        f"{name} (sha256 {digest}) is no file that gate {request.step!r} showed: the decision is about other bytes"
    )


def _counted(request: GateRequest, question: SignedQuestion, judged: Judged, demand: Demand) -> tuple[Signed, ...]:
    from pytest_workflow_exec.approval import quorum, roles_of

    if judged.doubt:
        raise InsufficientError(f"the signatures at gate {request.step!r} prove no approval: {judged.doubt}")
    # When each was given is the log's claim, and they count only as of now: until the question expires.
    now = datetime.now(timezone.utc)
    votes, worths = [replace(vote, at=now) for vote in judged.votes], judged.worths
    rules = question.quorum_rules()
    if now < rules.requested_at:
        raise InsufficientError(f"it was asked at {request.issued}, which is still to come by the clock here")
    _demand_agreed(quorum(rules, votes, now), request, judged)
    strong = [vote for vote in votes if not vote.approves or worths[vote.principal] >= demand.min_assurance]
    groups = {name: frozenset(group) for name, group in (demand.approvers or {}).items()}
    if isinstance(demand.required, int):
        groups = {"your signers": frozenset(vote.principal for vote in votes)}
    own = quorum(replace(rules, roles=roles_of(groups, demand.required)), strong, now)
    _demand_agreed(own, request, judged, whose=f"what is required here (assurance {demand.min_assurance}), ")
    return _signed(strong, worths, question)


def _signed(votes: Sequence[Vote], worths: Mapping[str, int], question: SignedQuestion) -> tuple[Signed, ...]:
    starter = question.rules().starter if question.rules().starter_excluded else ""
    found = {
        (vote.principal, vote.key): Signed(vote.principal, vote.key, worths[vote.principal])
        for vote in votes
        if vote.approves and vote.principal != starter
    }
    return tuple(found[each] for each in sorted(found))


def _demand_agreed(found: Quorum, request: GateRequest, judged: Judged, *, whose: str = "") -> None:
    from pytest_workflow_exec.approval import Approved, Expired, Rejected

    if isinstance(found, Approved):
        return
    gate, unsound = f"gate {request.step!r}", "; ".join(judged.problems)
    if isinstance(found, Rejected):
        raise InsufficientError(f"{gate} was rejected by {', '.join(vote.principal for vote in found.by)}")
    if isinstance(found, Expired):
        raise InsufficientError(f"the decision at {gate} held until {request.expires}, and counts no more")
    lacks = [f"{each.count} of {each.role}" for each in found.missing]
    if found.not_before is not None:
        lacks.append(f"time until {found.not_before.strftime('%Y-%m-%dT%H:%M:%SZ')}")
    why = f" (not counted: {unsound})" if unsound else ""
    raise InsufficientError(f"{gate} still needs {whose}{' and '.join(lacks)}{why}")
