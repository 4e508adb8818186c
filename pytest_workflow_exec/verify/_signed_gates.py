"""Approvals by signature: what the records claim of them, and what a verifier's own list of signers proves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, NamedTuple

from pytest_workflow_exec.digests import Json, canonical_json
from pytest_workflow_exec.lean_dataclasses import dataclass

from ._contradiction import ContradictionError
from ._verdict import GateFacts

if TYPE_CHECKING:
    from pytest_workflow_exec.approval import Proof, QuorumRules, SignatureRules, Trust, Vote

# What checks approvals is loaded for those that were signed: most verdicts need nothing of it.

_TERMINAL = 1
SIGNATURE = "signature"
"""The channel of answers that were signed."""
_PASSES_WITHIN = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cast:
    """One answer that was taken in."""

    at: str
    data: Mapping[str, Json]

    @property
    def approves(self) -> bool:
        """Whether it is a yes."""
        return self.data.get("decision") == "approved"

    @property
    def until(self) -> str:
        """When it holds no more, if it was given in advance; empty for an answer to just its question."""
        early = self.data.get("in_advance")
        return "" if early is None else str(early.get("until")) if isinstance(early, Mapping) else "?"

    @property
    def filled(self) -> Mapping[str, Json]:
        """What it fills into the form of the question."""
        form = self.data.get("form")
        return form if isinstance(form, Mapping) else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """The answers to a question that count by a verifier's list of signers, now."""

    votes: tuple[Vote, ...] = ()
    worths: Mapping[str, int] = field(default_factory=dict)
    """What the signatures of each principal are worth."""
    problems: tuple[str, ...] = ()
    """Why other answers do not count."""
    doubt: str = ""
    """Why none does, whoever signed; empty if they may."""


class Worth(NamedTuple):
    """What an approval is worth to the verifier, and why not more."""

    assurance: int
    doubt: str = ""


@dataclass(slots=True, kw_only=True)
class SignedQuestion:
    """What a gate that wants signatures asked, and who answered."""

    step: str
    attempt: int | None
    run: str
    request: Mapping[str, Json]
    digest: str
    before: tuple[int, str]
    """The place and hash of the record before it, which it names as the head of the evidence."""
    casts: list[Cast] = field(default_factory=list)
    stopped: bool = False
    """Whether it was denied otherwise than by a signature."""
    filled: Mapping[str, Json] | None = None
    """What the approvals that count fill in; None as long as none does."""
    broken: GateFacts | None = None
    """The decision of who went past it without signatures; None if nobody did."""

    def demand_as_planned(self, planned: Json) -> None:
        """Return if it asks for what the plan says of its gate.

        Raises:
            ContradictionError: It asks for less, more or something else.
        """
        rules = self.rules()
        wanted = planned if isinstance(planned, Mapping) else {}
        asked: Mapping[str, Json] = {
            "assurance": rules.assurance,
            # A gate that names no group is asked of everybody who was listed.
            "approvers": sorted(rules.approvers) if wanted.get("approvers") else [],
            "required": rules.required if isinstance(rules.required, int) else dict(rules.required),
            "min_wait_s": rules.min_wait_s,
            "veto": rules.veto,
            **({"in_advance": True} if rules.in_advance else {}),
        }
        groups = wanted.get("approvers")
        listed = sorted(map(str, groups)) if isinstance(groups, list) else groups
        if asked != {**wanted, "approvers": listed}:
            raise ContradictionError(f"gate {self.step!r} asks for other signatures than the plan says")

    def break_glass(self, facts: GateFacts, data: Mapping[str, Json], *, granted: bool) -> None:
        """Take in that somebody went past it.

        Args:
            granted: Whether the session's policy lets anybody do that.

        Raises:
            ContradictionError: Nobody may, it says no reason, or claims to be worth more than it is.
        """
        if not granted or not self.rules().break_glass:
            raise ContradictionError(f"the glass of gate {self.step!r} is broken, but the policy grants that to nobody")
        if not data.get("reason") or not data.get("missing") or facts.assurance != _TERMINAL:
            raise ContradictionError(
                f"the glass of gate {self.step!r} is broken, but not for a reason and by a code alone"
            )
        self.broken = facts

    def agreed(self, at: str) -> GateFacts:
        """Return the approval that the answers claim to be, none of them checked.

        Args:
            at: When the gate passed.

        Raises:
            ContradictionError: They are none: too few persons, too early or too late, or somebody said no.
        """
        rules = self.rules()
        try:
            votes = self._of_one_form([cast for cast in self.casts if self._counts(cast) and not _has_lapsed(cast, at)])
            found = _who(self.quorum_rules(), [_vote(cast, self._named(cast)) for cast in votes], at)
        except ValueError as error:
            raise ContradictionError(f"the times of the answers at gate {self.step!r} are none") from error
        if found is None and self.broken is not None and self._still_open(at) and not self.stopped:
            return self.broken
        if self.stopped or found is None:
            raise ContradictionError(f"gate {self.step!r} passed, but its answers are no approval by its own rules")
        early = any(cast.until for cast in votes if cast.data.get("approver") in found)
        worth = min(_number(cast.data.get("assurance")) for cast in votes if cast.data.get("approver") in found)
        return GateFacts(
            step=self.step,
            attempt=self.attempt,
            decision="approved",
            approver=", ".join(sorted(found)),
            channel=f"{SIGNATURE} in advance" if early else SIGNATURE,
            assurance=worth,
            groups=tuple((name, tuple(sorted(group))) for name, group in sorted(rules.approvers.items())),
        )

    def _of_one_form(self, casts: Sequence[Cast]) -> list[Cast]:
        """Return the rejections, and the approvals that fill in what the first of them does."""
        approvals = [cast for cast in casts if cast.approves]
        if approvals and self.filled is None:
            self.filled = min(approvals, key=lambda cast: cast.at).filled
        return [cast for cast in casts if not cast.approves or _same(cast.filled, self.filled)]

    def _still_open(self, at: str) -> bool:
        """Return whether nobody said no, and it was not too late: whoever goes past signatures goes past nothing else."""
        from pytest_workflow_exec.approval import Expired, Rejected, moment_of, quorum

        casts = self._of_one_form([cast for cast in self.casts if self._counts(cast)])
        votes = [_vote(cast, self._named(cast)) for cast in casts]
        return not isinstance(quorum(self.quorum_rules(), votes, moment_of(at)), (Expired, Rejected))

    def proven(self, trust: Trust, first: Mapping[str, Json], at: str) -> Worth:
        """Return what the approval is worth by a verifier's own list of signers, now.

        Args:
            first: The data of the run's first record.
            at: When the gate passed.
        """
        judged = self.judged(trust, first, at=at)
        if judged.doubt:
            return self._nothing(judged.doubt)
        found = _who(self.quorum_rules(), judged.votes, at)
        if found is None:
            return self._nothing("; ".join(judged.problems) or "the answers are no approval by its rules")
        return Worth(min(judged.worths[name] for name in found))

    def judged(self, trust: Trust, first: Mapping[str, Json], *, at: str = "") -> Judged:
        """Return which answers count by a verifier's own list of signers, now.

        Args:
            first: The data of the run's first record.
            at: When the gate passed; empty if that is not known.
        """
        from pytest_workflow_exec.approval import StoredRequestError, assurance_of, request_of

        try:
            request, rules = request_of(self.request, digest=self.digest), self.rules()
        except StoredRequestError as error:
            return Judged(doubt=str(error))
        if (request.evidence_seq, request.evidence_head) != self.before:
            return Judged(doubt="it names another head of the evidence than the record before it")
        if problem := _starter_problem(rules, self.run, first, trust):
            return Judged(doubt=problem)
        votes, worths, problems = list["Vote"](), dict[str, int](), list[str]()
        for cast in self.casts:
            if at and _has_lapsed(cast, at):
                problems.append(f"{cast.data.get('approver')}: what was given in advance held until {cast.until}")
                continue
            proof = self._proof(cast, trust, problems)
            if proof is None and cast.approves:
                continue
            counts = proof is not None and assurance_of(proof, rules) >= rules.assurance
            if proof is not None and counts and cast.approves and not self._agrees(cast):
                problems.append(f"{proof.principal}: something else is filled in than in the first approval")
                continue
            name, key = self._named(cast) if proof is None else (proof.principal, proof.key)
            worth = 0 if proof is None else assurance_of(proof, rules)
            if worth >= rules.assurance or not cast.approves:
                votes.append(_vote(cast, (name, key)))
                worths[name] = max(worth, worths.get(name, 0))
        return Judged(votes=tuple(votes), worths=worths, problems=tuple(problems))

    def _agrees(self, cast: Cast) -> bool:
        """Return whether an approval that counts fills in what the first one does."""
        if self.filled is None:
            self.filled = cast.filled
        return _same(cast.filled, self.filled)

    def _nothing(self, why: str) -> Worth:
        return Worth(0, f"the signatures at gate {self.step!r} prove no approval: {why}")

    def _proof(self, cast: Cast, trust: Trust, problems: list[str]) -> Proof | None:
        from pytest_workflow_exec.approval import Ballot, BallotRefusedError, checked, moment_of, request_of

        said = cast.data.get("proof")
        held = said if isinstance(said, Mapping) else {}
        ballot = Ballot(
            run=self.run,
            step=self.step,
            request=str(cast.data.get("digest")),
            answer="approve" if cast.approves else "reject",
            reason=str(cast.data.get("reason")),
            principal=str(cast.data.get("approver")),
            armor=str(held.get("armor")),
            until=cast.until,
            answers=cast.filled,
        )
        try:
            request = request_of(self.request, digest=self.digest)
            now, taken_in = datetime.now(timezone.utc), moment_of(cast.at)
            proof = checked(ballot, request, trust=_reaching(trust, held), at=now, taken_in=taken_in)
        except (BallotRefusedError, ValueError) as error:
            problems.append(f"{ballot.principal}: {error}")
            return None
        for key in ("principal", "key", "key_type", "challenge", "armor", "key_reachable"):
            if held.get(key) != proof.to_data()[key]:
                problems.append(f"{ballot.principal}: its record says something else of its {key.replace('_', ' ')}")
                return None
        return proof

    def _counts(self, cast: Cast) -> bool:
        return not cast.approves or _number(cast.data.get("assurance")) >= self.rules().assurance

    def _named(self, cast: Cast) -> tuple[str, str]:
        proof = cast.data.get("proof")
        key = proof.get("key") if isinstance(proof, Mapping) else None
        return str(cast.data.get("approver")), str(key)

    def rules(self) -> SignatureRules:
        """Return who has to sign.

        Raises:
            ContradictionError: It does not say so.
        """
        from pytest_workflow_exec.approval import rules_of

        rules = self.request.get("rules")
        try:
            return rules_of(rules if isinstance(rules, Mapping) else {})
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ContradictionError(f"gate {self.step!r} asks for signatures by rules that can't be read") from error

    def quorum_rules(self) -> QuorumRules:
        """Return the rules by which its answers are counted.

        Raises:
            ContradictionError: They can't be kept.
        """
        try:
            return self.rules().quorum(issued=str(self.request.get("issued")), expires=str(self.request.get("expires")))
        except ValueError as error:
            raise ContradictionError(f"gate {self.step!r} asks for signatures by rules that can't be kept") from error


def _reaching(trust: Trust, held: Mapping[str, Json]) -> Trust:
    """Return the same trust, with the key within reach if its record says that it was."""
    from dataclasses import replace

    from pytest_workflow_exec.approval import signature

    if held.get("key_reachable") is not True:
        return trust
    try:
        return replace(trust, reachable=frozenset({signature.read_signature(str(held.get("armor"))).key.blob}))
    except signature.SignatureRefusedError:
        return trust


def _starter_problem(rules: SignatureRules, run: str, first: Mapping[str, Json], trust: Trust) -> str | None:
    from pytest_workflow_exec.approval import checked_start
    from pytest_workflow_exec.errors import StartRefusedError

    if not rules.starter_excluded or not rules.starter:
        return None
    data = first.get("signed_start")
    try:
        if not isinstance(data, Mapping):
            return "it excludes who started the run, but the start is not signed"
        start = checked_start(run, first, data, trust=trust, at=datetime.now(timezone.utc))
    except StartRefusedError as error:
        return str(error)
    if (start.principal, start.key) != (rules.starter, rules.starter_key):
        return "it excludes somebody else than who signed the start of the run"
    return None


def _has_lapsed(cast: Cast, at: str) -> bool:
    """Return whether an answer in advance held no more when the gate passed.

    Raises:
        ValueError: The times are none.
    """
    from pytest_workflow_exec.approval import moment_of, valid_until

    if not cast.until:
        return False
    taken_in = moment_of(cast.at)
    # A gate passes a moment after its answers were counted, however loaded the machine is.
    passed = max(taken_in, moment_of(at) - _PASSES_WITHIN)
    return any(valid_until(cast.until, at=moment) is not None for moment in (taken_in, passed))


def _vote(cast: Cast, who: tuple[str, str]) -> Vote:
    from pytest_workflow_exec.approval import Vote, moment_of

    return Vote(principal=who[0], key=who[1], approves=cast.approves, at=moment_of(cast.at))


def _who(rules: QuorumRules, votes: Sequence[Vote], at: str) -> frozenset[str] | None:
    """Return whose votes are an approval; None if they are none."""
    from dataclasses import replace

    from pytest_workflow_exec.approval import Approved, moment_of, quorum

    # The gate passes a moment after the last answer was counted: that each came in time is what counts.
    end = None if rules.expires is None else rules.requested_at + rules.expires
    timely = [vote for vote in votes if not vote.approves or end is None or vote.at < end]
    last = max([moment_of(at), *(vote.at for vote in timely)])
    if end is not None and last - end > _PASSES_WITHIN:
        return None
    found = quorum(replace(rules, expires=None), timely, last)
    return frozenset(counted.vote.principal for counted in found.by) if isinstance(found, Approved) else None


def _same(filled: Mapping[str, Json], others: Mapping[str, Json] | None) -> bool:
    return others is not None and canonical_json(filled) == canonical_json(others)


def _number(value: Json) -> int:
    return value if type(value) is int else 0
