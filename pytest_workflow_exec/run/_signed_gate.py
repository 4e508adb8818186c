"""Gates that want signatures: answers are taken in one by one, judged anew each time, and counted."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path

from pytest_workflow_exec.approval import (
    NAMESPACE,
    Approved,
    Ballot,
    BallotRefusedError,
    Decision,
    GateRequest,
    Open,
    Proof,
    Rejected,
    SignatureDesk,
    Trust,
    assurance_of,
    challenge_of,
    checked,
    escape_line,
    moment_of,
    valid_until,
)
from pytest_workflow_exec.approval.signature import reachable_keys
from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.errors import GateDeniedError, GateSuspendedError
from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.evidence import handed_in, keep_challenge, read_small
from pytest_workflow_exec.model import Gate, StepId
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run._form import answer_reader, answers_problem
from pytest_workflow_exec.run._glass import Glass
from pytest_workflow_exec.run._in_advance import ballots_in_advance
from pytest_workflow_exec.run._journal import Journal
from pytest_workflow_exec.run._questions import filled_in
from pytest_workflow_exec.run._signed_answers import (
    SignedAnswer,
    against,
    amount_to,
    answer_by,
    armor_of,
    ballot_of,
    countable,
    demand_same_form,
    handed_ballot,
    missing_in,
    rules_in,
    standing_form,
)
from pytest_workflow_exec.run._signed_approver import GlassApprover, SignedApprover
from pytest_workflow_exec.run._signed_question import Agreement, Question, write_decision
from pytest_workflow_exec.run._signers import trust_of
from pytest_workflow_exec.sandbox import Policy

# Nobody is let through in the last moment: what is written a moment later must not look too late.
_MARGIN = timedelta(seconds=2)
_MAX_LINE_CHARACTERS = 1000


class SignedGates:
    """Lets a gate open for signatures alone."""

    def __init__(
        self,
        *,
        policy: Policy,
        directory: Path,
        plans: Path,
        journal: Journal,
        approver: SignedApprover,
        environment: Mapping[str, str],
        say: Callable[[str], None],
        break_glass: StepId | None,
        glass_approver: GlassApprover,
        notice: Callable[[StepId, Mapping[str, Json]], None],
        redactor: Redactor,
    ) -> None:
        """Begin a session.

        Args:
            directory: The run's folder.
            plans: Where plans lie that were approved in advance.
            environment: The engine's own, which names the agent whose keys are within reach.
            say: Tells the person at the terminal what was taken in, and what was not.
            break_glass: The gate at which a person is asked whether they go past it; None for none.
            glass_approver: Asks them.
            notice: Tells others that somebody did, in a session that was broken off.
            redactor: Knows what must not be filled into a form, as none of it is kept.
        """
        self._redactor, self._read = redactor, answer_reader(redactor)
        self._glass = Glass(
            granted=policy.break_glass,
            gate=break_glass,
            approver=glass_approver,
            journal=journal,
            say=self._say,
            notice=notice,
            read=self._read,
        )
        self._policy, self._directory, self._journal = policy, directory, journal
        self._plans = plans
        self._approver, self._environment, self._tell = approver, environment, say

    def decide(self, step: StepId, gate: Gate, question: Question) -> Agreement:
        """Return if enough persons signed, as of now.

        Raises:
            GateDeniedError: Somebody whose word counts said no, or it is too late.
            GateSuspendedError: Somebody has to sign elsewhere.
            PinError: Nobody's signature counts.
            ChallengeError: The question is too long to be signed.
            EvidenceError: What was answered can't be written.
        """
        request = question.request
        trust = trust_of(self._policy, reachable=reachable_keys(self._environment))
        if not request.fields_to_fill:
            # With a form, what is signed is made once that is filled in.
            self._keep(step, request, {})
        past = list(self._past(question, trust))
        answers = [*past, *self._new(step, question, trust, past)]
        # Looked for last: who said no to just this question is heard before who said yes to its like.
        rules = rules_in(request)
        if rules.in_advance and isinstance(amount_to(rules, request, countable(answers, rules)), Open):
            answers += self._in_advance(step, question, trust)
        agreement = self._counted(step, gate, question, answers)
        return agreement or self._at_terminal(step, gate, question, trust=trust, answers=answers)

    def _counted(
        self, step: StepId, gate: Gate, question: Question, answers: Sequence[SignedAnswer]
    ) -> Agreement | None:
        request, rules = question.request, rules_in(question.request)
        found = amount_to(rules, request, countable(answers, rules))
        if isinstance(found, Approved):
            agreed = {(counted.vote.principal, counted.vote.key) for counted in found.by}
            worth = [each.assurance for each in answers if (each.vote.principal, each.vote.key) in agreed]
            return Agreement(
                principals=tuple(dict.fromkeys(counted.vote.principal for counted in found.by)),
                assurance=min(worth),
                answers=standing_form(answers, rules) or {},
            )
        if isinstance(found, Open):
            broken = self._glass.past(step, gate, question, missing_in(found))
            if broken is not None:
                return broken
            if gate.suspends:
                self._say(f"gate {step} still needs {missing_in(found)}")
                raise GateSuspendedError(step=step, missing=missing_in(found))
            return None
        if isinstance(found, Rejected):
            who = ", ".join(vote.principal for vote in found.by)
            raise GateDeniedError(step=step, decision="rejected", reason=f"by {who}")
        raise GateDeniedError(step=step, decision="expired", reason=f"the question expired at {request.expires}")

    def _past(self, question: Question, trust: Trust) -> Iterator[SignedAnswer]:
        for vote in question.votes:
            if vote.data.get("channel") == "break-glass":
                # Nothing that is counted: whether it lets anybody through is asked when too few have signed.
                continue
            data, at = vote.data, moment_of(vote.at)
            try:
                ballot = ballot_of(data, question.request)
                proof = self._checked(ballot, question, trust)
            except BallotRefusedError as error:
                self._say(f"an earlier answer of {data.get('approver')} counts no more: {error}")
                if data.get("decision") == "rejected":
                    # A word against it stands, whatever became of its key.
                    yield against(str(data.get("approver")), at)
                continue
            yield answer_by(proof, ballot, rules_in(question.request), at)

    def _new(
        self, step: StepId, question: Question, trust: Trust, past: Sequence[SignedAnswer]
    ) -> Iterator[SignedAnswer]:
        taken, rules = list(past), rules_in(question.request)
        known = {armor_of(vote.data) for vote in question.votes}
        for file in handed_in(self._directory):
            try:
                ballot = handed_ballot(file)
                if ballot.run == question.request.run and ballot.step != step:
                    # An answer at another gate of this run.
                    continue
                if ballot.armor in known:
                    continue
                proof = self._judged(ballot, question, trust)
                demand_same_form(ballot, standing_form(taken, rules))
            except BallotRefusedError as error:
                self._say(f"{file.path.name} is not taken in: {error}")
                continue
            known.add(ballot.armor)
            answer = answer_by(proof, ballot, rules, datetime.now(timezone.utc))
            taken.append(answer)
            self._take_in(step, question, ballot, proof, answer.assurance)
            yield answer

    def _in_advance(self, step: StepId, question: Question, trust: Trust) -> Iterator[SignedAnswer]:
        """Take in the signatures under plans that are the one that is asked about."""
        known = {armor_of(vote.data) for vote in question.votes}
        for ballot, file in ballots_in_advance(self._plans, question.request, self._say):
            if ballot.armor in known:
                continue
            try:
                proof = self._judged(ballot, question, trust)
            except BallotRefusedError as error:
                self._say(f"{file.name}: the signature of {ballot.principal} does not count: {error}")
                continue
            known.add(ballot.armor)
            answer = answer_by(proof, ballot, rules_in(question.request), datetime.now(timezone.utc))
            self._take_in(step, question, ballot, proof, answer.assurance, file=file)
            yield answer

    def _judged(self, ballot: Ballot, question: Question, trust: Trust) -> Proof:
        request, now = question.request, datetime.now(timezone.utc)
        proof = self._checked(ballot, question, trust)
        if now + _MARGIN >= moment_of(request.expires):
            raise BallotRefusedError(f"the question expired at {request.expires}")
        if ballot.until and (problem := valid_until(ballot.until, at=now + _MARGIN)):
            raise BallotRefusedError(problem)
        return proof

    def _checked(self, ballot: Ballot, question: Question, trust: Trust) -> Proof:
        proof = checked(ballot, question.request, trust=trust, at=datetime.now(timezone.utc))
        problem = (
            answers_problem(question.request.fields_to_fill, ballot.answers) if ballot.answer == "approve" else None
        )
        if problem is not None:
            raise BallotRefusedError(f"what it fills in is none: {problem}")
        if self._redactor.value(dict(ballot.answers)) != ballot.answers:
            raise BallotRefusedError("what it fills in holds a secret of the run, which is not kept")
        return proof

    def _keep(self, step: StepId, request: GateRequest, answers: Mapping[str, Json]) -> Path:
        """Return the file that holds what has to be signed."""
        content = challenge_of(request, "approve", answers=answers)
        digest = digest_of({"request": request.digest, "answers": dict(answers)}) if answers else request.digest
        return keep_challenge(self._directory, step, digest, content)

    def _take_in(
        self,
        step: StepId,
        question: Question,
        ballot: Ballot,
        proof: Proof,
        assurance: int,
        *,
        file: Path | None = None,
    ) -> None:
        early: Mapping[str, Json] = {} if file is None else {"until": ballot.until, "file": file.name}
        decision = Decision(
            decision="approved" if ballot.answer == "approve" else "rejected",
            reason=ballot.reason,
            approver=Actor(kind="human", id=proof.principal),
            channel="signature",
            terminal="",
            assurance=assurance,
            answers=ballot.answers,
            proof=proof,
        )
        self._journal.record(
            decision.about(step, attempt=question.attempt, digest=question.request.digest, in_advance=early)
        )
        self._journal.barrier()
        how = "" if file is None else f" in advance until {ballot.until}"
        who = f"{proof.principal} ({proof.key_type} {proof.key}, assurance {assurance})"
        self._say(f"gate {step}: {decision.decision}{how} by {who}")
        self._warn(proof)

    def _say(self, line: str) -> None:
        # Of what others handed in, some is quoted.
        self._tell(escape_line(line, max_chars=_MAX_LINE_CHARACTERS))

    def _warn(self, proof: Proof) -> None:
        if proof.key_reachable:
            self._say(
                f"warning: the key of {proof.principal} is within the reach of this user, who could have signed with it"
            )

    def _at_terminal(
        self, step: StepId, gate: Gate, question: Question, *, trust: Trust, answers: Sequence[SignedAnswer]
    ) -> Agreement:
        request, rules = question.request, rules_in(question.request)

        def take(filled: Mapping[str, Json]) -> Proof:
            ballot = Ballot(
                run=request.run,
                step=step,
                request=request.digest,
                answer="approve",
                reason="",
                principal="",
                armor=_armor_beside(self._keep(step, request, filled)),
                answers=filled,
            )
            now = datetime.now(timezone.utc)
            proof = self._judged(ballot, question, trust)
            demand_same_form(ballot, standing_form(answers, rules))
            if assurance_of(proof, rules) < rules.assurance:
                raise BallotRefusedError(
                    f"the key of {proof.principal} is within the reach of this user, so that it is worth "
                    f"{assurance_of(proof, rules)} by the policy, and {rules.assurance} is asked for"
                )
            # Counted as everywhere else: who said no before, or is the starter under another name, does not agree.
            votes = countable([*answers, answer_by(proof, ballot, rules, now)], rules)
            if not isinstance(amount_to(rules, request, votes), Approved):
                raise BallotRefusedError(f"the signature of {proof.principal} is no approval by the gate's own rules")
            return proof

        desk = SignatureDesk(
            notice=lambda filled: _notice(self._keep(step, request, filled)),
            take=take,
            worth=lambda proof: assurance_of(proof, rules),
        )
        decision = filled_in(self._approver(request, gate.timeout_s, desk, self._read), request)
        if decision.decision == "expired" and gate.on_timeout == "suspend":
            raise GateSuspendedError(step=step)
        if decision.decision == "approved" and decision.proof is None:
            raise GateDeniedError(step=step, decision="denied", reason="nobody signed")
        write_decision(self._journal, step, question, decision)
        if decision.decision != "approved" or decision.proof is None:
            raise GateDeniedError(step=step, decision=decision.decision, reason=decision.reason)
        self._warn(decision.proof)
        return Agreement(principals=(decision.proof.principal,), assurance=decision.assurance, answers=decision.answers)


def _armor_beside(path: Path) -> str:
    signature = path.with_name(f"{path.name}.sig")
    try:
        return read_small(signature).decode("ascii")
    except FileNotFoundError as error:
        raise BallotRefusedError(f"there is no file {signature}") from error
    except (OSError, ValueError) as error:
        raise BallotRefusedError(f"{signature} can't be read: {error}") from error


def _notice(path: Path) -> str:
    return (
        f"What has to be signed is in {path}\n"
        f"Read it, and sign it with a listed key, here or on another machine:\n"
        f"  ssh-keygen -Y sign -n {NAMESPACE} -f KEY {shlex.quote(str(path))}\n"
        f"The code counts once {path.name}.sig lies beside it."
    )
