"""Gates that want signatures: what opens them, what does not, and what a stranger can prove of it later."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from pytest_workflow_exec.approval import (
    Answer,
    Ballot,
    BallotRefusedError,
    Decision,
    GateRequest,
    ReadAnswer,
    SignatureDesk,
    challenge_of,
    request_of,
)
from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.errors import GateDeniedError, GateSuspendedError
from pytest_workflow_exec.events import ENGINE, Actor
from pytest_workflow_exec.evidence import PinPlace, PinPlaces, hand_in, write_pin
from pytest_workflow_exec.model import Gate, Outcome
from pytest_workflow_exec.run import History, Run, _approval, _pin
from pytest_workflow_exec.settings import Pin, load_settings
from pytest_workflow_exec.verify import Asked, Verdict, held_to, verify_log
from tests.approval.signature._made import Keys, Token, armored, made_keys, sshsig, string
from tests.evidence._logs import rechained, records_in

from .conftest import Project

POLICY = """[policy]
sandbox = "none"
commands = ["echo *", "touch *"]
{more}
[policy.approvers]
managers = ["alice@example.org", "bob@example.org"]
security = ["carol@example.org"]
"""
FLOW = """
workflow: flow
steps:
  - {{id: make, idempotent: true, run: [echo, made]}}
  - {{id: approve, gate: {{question: Go on?, show: [make], assurance: 2, approvers: [managers], wait: suspend{more}}}}}
  - {{id: first, run: [touch, first]}}
"""
PEOPLE = {"alice@example.org": "ed25519", "bob@example.org": "ecdsa-256", "carol@example.org": "rsa"}
ALICE, BOB, CAROL = PEOPLE


class Team:
    """A pinned project whose people have keys."""

    def __init__(self, project: Project, keys: Keys, pins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.project, self.keys = project, keys
        uid = os.geteuid()
        self.place = PinPlace(base=pins, below=("pins",), owner=uid, for_machine=False)
        machine = PinPlace(base=pins / "etc", below=("pins",), owner=uid, for_machine=True)
        monkeypatch.setattr(_pin, "pin_places", lambda: PinPlaces(machine=machine, user=self.place))
        monkeypatch.setenv("HOME", str(pins))
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        self.signers = "".join(f"{name} {keys.line(kind)}\n" for name, kind in PEOPLE.items())
        self.pin = self.trust()

    def trust(self, signers: str | None = None, *, more: str = "", revoked: str | None = None) -> Pin:
        """Pin the project with a list of signers, and what else its policy says."""
        root = self.project.root
        (root / "workflow-exec.toml").write_text(POLICY.format(more=more))
        (root / "workflow-signers").write_text(self.signers if signers is None else signers)
        if revoked is not None:
            (root / "workflow-revoked").write_text(revoked)
        self.pin = write_pin(root, self.place, load_settings(root).policy.trusted)
        return self.pin

    def open(self, more: str = "", *, after: Run | None = None, flow: str = FLOW, **changes: Any) -> Run:
        """Return a run of the flow, new or going on."""
        return self.project.open(flow.format(more=more), after=after, pin=self.pin, **changes)

    @property
    def told(self) -> list[str]:
        """What a person was told in all sessions."""
        return [line for run in self.project.runs for line in run.said]

    def suspend(self, more: str = "", *, after: Run | None = None, **changes: Any) -> Run:
        """Return a run that came to its gate and waits there."""
        run = self.open(more, after=after, **changes)
        with pytest.raises(GateSuspendedError, match="waits for a decision"):
            to_the_gate(self.project, run)
        run.finish("approve", Outcome.SUSPENDED)
        run.close(interrupted=False)
        return run

    def sign(
        self,
        run: Run,
        who: str,
        answer: Answer = "approve",
        *,
        kind: str = "",
        reason: str = "",
        answers: Mapping[str, Json] = MappingProxyType({}),
    ) -> Ballot:
        """Hand in the answer of somebody at the gate where a run waits."""
        request = question_of(run)
        message = challenge_of(request, answer, reason=reason, answers=answers)
        armor = self.keys.sign(kind or PEOPLE[who], message=message)
        ballot = Ballot(
            run=run.id,
            step="approve",
            request=request.digest,
            answer=answer,
            reason=reason,
            principal=who,
            armor=armor,
            answers=dict(answers),
        )
        hand_in(run.log_path.parent, ballot.content())
        return ballot

    def signers_file(self, folder: Path, signers: str | None = None) -> Path:
        """Return a verifier's own list."""
        path = folder / "verifier-signers"
        path.write_text(self.signers if signers is None else signers)
        return path


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A real key of each kind."""
    return made_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def team(
    project: Project,
    keys: Keys,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Team:
    """People who can sign, in a pinned project."""
    return Team(project, keys, tmp_path_factory.mktemp("home"), monkeypatch)


def question_of(run: Run) -> GateRequest:
    """Return what a run asks at its gate, from its log alone."""
    gate = History.of(run.log_path).open_gates["approve"]
    return request_of(gate.request, digest=gate.digest)


def to_the_gate(project: Project, run: Run) -> None:
    """Run or carry what stands before the gate, and ask at it."""
    make, gate = run.workflow.step("make"), run.workflow.step("approve")
    if run.carries(make):
        run.carry(make)
    else:
        project.perform(run, "make")
    assert isinstance(gate.body, Gate)
    run.start(gate)
    run.decide(gate, gate.body, words="")


def finish(project: Project, run: Run) -> None:
    """Let the gate pass and run the rest."""
    run.finish("approve", Outcome.PASSED)
    project.perform(run, "first")
    run.close(interrupted=False)


def denied(team: Team, run: Run, match: str, more: str = "") -> None:
    """Go on with a run, and see it denied at its gate."""
    later = team.open(more, after=run)
    with pytest.raises(GateDeniedError, match=match):
        to_the_gate(team.project, later)
    later.finish("approve", Outcome.DENIED)
    later.close(interrupted=False)
    assert not (team.project.root / "first").exists()


def verdict_of(run: Run, signers: Path | None = None, *, at_least: int = 2, **more: Any) -> Verdict:
    """Return the verdict on a run's log, given its head and what its approvals have to be worth."""
    found = verify_log(run.log_path, expect_head=records_in(run.log_path)[-1]["hash"], signers=signers, **more)
    return held_to(found, Asked(min_assurance=at_least))


def test_a_signature_lets_the_run_go_on(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What was signed elsewhere is judged, recorded with all that proves it, and worth 2 to whoever lists the signer."""
    run = team.suspend()
    team.sign(run, ALICE)

    later = team.open(after=run)
    to_the_gate(team.project, later)
    approval = later._gatekeeper.approval
    finish(team.project, later)

    assert approval is not None
    assert (approval.assurance, approval.approvers, approval.groups) == (2, (ALICE,), frozenset({"managers"}))
    assert team.project.types(later).count("gate.requested") == 1
    [decided] = [record for record in team.project.records(later) if record.type == "gate.decided"]
    proof: Any = decided.data["proof"]
    assert (decided.data["approver"], decided.data["channel"], decided.data["assurance"]) == (ALICE, "signature", 2)
    assert (proof["key_type"], proof["key_reachable"], decided.actor.id) == ("ssh-ed25519", False, ALICE)
    assert proof["key"].startswith("SHA256:")
    listed = team.signers_file(tmp_path_factory.mktemp("verifier"))
    proven, unproven = verdict_of(later, listed), verdict_of(later)
    assert (proven.exit_code, proven.assurance, [gate.proven for gate in proven.gates]) == (0, 2, [2]), proven.message
    assert (unproven.exit_code, unproven.assurance) == (4, 1)
    assert "were not checked: give --signers" in unproven.message
    assert verdict_of(later, listed, at_least=3).exit_code == 4
    assert verdict_of(later, at_least=1).exit_code == 0


def test_several_must_sign_and_the_question_stands_meanwhile(
    team: Team, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """One of two is not enough, whoever signs twice; the second later signs the same question, and it passes."""
    more = ", approvers: [security, managers], required: {managers: 2, security: 1}"
    flow = FLOW.replace(", approvers: [managers]", "")
    run = team.suspend(more, flow=flow)
    team.sign(run, ALICE)
    team.sign(run, CAROL)
    again = team.suspend(more, after=run, flow=flow)
    team.sign(again, ALICE)
    third = team.suspend(more, after=again, flow=flow)
    listed = team.signers_file(tmp_path_factory.mktemp("verifier"))
    assert verdict_of(third, listed).result == "suspended"
    assert any("alice@example.org" in line for line in team.told)
    team.sign(third, BOB)

    last = team.open(more, after=third, flow=flow)
    to_the_gate(team.project, last)
    finish(team.project, last)

    assert team.project.types(last).count("gate.requested") == 1
    verdict = verdict_of(last, listed)
    assert (verdict.exit_code, verdict.assurance) == (0, 2), verdict.message
    assert verdict.gates[-1].approver == "alice@example.org, bob@example.org, carol@example.org"
    without_bob = "".join(line for line in team.signers.splitlines(keepends=True) if not line.startswith("bob"))
    assert verdict_of(last, team.signers_file(tmp_path_factory.mktemp("verifier"), without_bob)).exit_code == 4


def test_a_signed_rejection_ends_it(team: Team) -> None:
    """A rejection of a listed approver, with the reason that was signed, is final, whoever approved before."""
    run = team.suspend()
    team.sign(run, ALICE)
    team.sign(run, BOB, "reject", reason="not on a Friday")

    denied(team, run, "rejected: by bob")

    log = run.log_path
    decided = [record for record in team.project.records(run) if record.type == "gate.decided"]
    assert sorted(str(record.data["reason"]) for record in decided) == ["", "not on a Friday"]
    assert History.of(log).denied == "approve"
    assert verify_log(log).result == "denied"


def test_without_a_veto_a_rejection_is_a_vote(team: Team) -> None:
    """With `veto: false` one no leaves the gate open while enough others are left, and ends it when they are not."""
    run = team.suspend(", veto: false")
    team.sign(run, BOB, "reject", reason="no")
    again = team.suspend(", veto: false", after=run)
    team.sign(again, ALICE, "reject", reason="no")

    denied(team, again, "rejected: by", ", veto: false")


@pytest.mark.parametrize(
    ("signers", "said"),
    [
        ("expired", "allowed its key only before"),
        ("not yet", "allows its key only after"),
        ("other namespace", "does not allow its key for 'pytest-workflow-exec'"),
        ("other principal", "is listed in workflow-signers:1, but not for 'alice@example.org'"),
        ("other key", "is none of those of 'alice@example.org'"),
        ("nobody", "'alice@example.org' is not in workflow-signers"),
        ("revoked", "is revoked"),
    ],
)
def test_a_signer_who_does_not_count_now_opens_nothing(team: Team, signers: str, said: str) -> None:
    """Whoever the pinned list does not allow at the moment of taking in is refused with its own reason."""
    line, bob = team.keys.line("ed25519"), f"bob@example.org {team.keys.line('ecdsa-256')}\n"
    lists = {
        "expired": f'alice@example.org valid-before="20200101Z" {line}\n',
        "not yet": f'alice@example.org valid-after="29990101Z" {line}\n',
        "other namespace": f'alice@example.org namespaces="git" {line}\n',
        "other principal": f"eve@example.org {line}\nalice@example.org {team.keys.line('mallory')}\n",
        "other key": f"alice@example.org {team.keys.line('mallory')}\n",
        "nobody": "",
        "revoked": f"alice@example.org {line}\n",
    }
    run_list = lists[signers] + bob
    team.trust(run_list, revoked=f"{line}\n" if signers == "revoked" else None)
    run = team.suspend()
    team.sign(run, ALICE)

    again = team.suspend(after=run)

    assert any(said in told and "is not taken in" in told for told in team.told), team.told
    assert "gate.decided" not in team.project.types(again)
    assert not (team.project.root / "first").exists()


def _hand(to: Run, ballot: Ballot, /, **changes: Any) -> None:
    hand_in(to.log_path.parent, dataclasses.replace(ballot, **changes).content())


def _ballot(team: Team, run: Run, message: bytes, **sign: Any) -> Ballot:
    request = question_of(run)
    armor = team.keys.sign(sign.pop("kind", "ed25519"), message=message, **sign)
    return Ballot(
        run=run.id, step="approve", request=request.digest, answer="approve", reason="", principal=ALICE, armor=armor
    )


def test_a_signature_of_anything_else_opens_nothing(team: Team) -> None:
    """Of another run, request, step or answer, over changed bytes, for another namespace, by a weak or certified key."""
    earlier = team.suspend()
    moved = team.sign(earlier, ALICE)
    run = team.suspend()
    challenge = challenge_of(question_of(run), "approve")
    another_step = challenge_of(dataclasses.replace(question_of(run), step="other"), "approve")
    good = _ballot(team, run, challenge)
    _hand(run, moved)
    _hand(run, moved, run=run.id)
    _hand(run, moved, run=run.id, request=question_of(run).digest)
    _hand(run, _ballot(team, run, another_step))
    _hand(run, _ballot(team, run, challenge + b"\n"))
    _hand(run, _ballot(team, run, challenge_of(question_of(run), "reject", reason="no")))
    _hand(run, _ballot(team, run, challenge, namespace="git"))
    _hand(run, _ballot(team, run, challenge, kind="weak"))
    _hand(run, good, principal="mallory@example.org")
    _hand(run, good, answer="reject", reason="words in my mouth")
    hand_in(run.log_path.parent, b"{}\n")
    link = run.log_path.parent / "gates" / "link.decision.json"
    link.symlink_to(next(link.parent.glob("*.decision.json")))
    _hand(run, good, armor=armored(sshsig(team.keys.blob("certified-cert"), string(b"any"))))

    again = team.suspend(after=run)

    told = "\n".join(line for line in team.told if "is not taken in" in line)
    for said in (
        f"it is about another run: {earlier.id}",
        "it is about another request",
        "did not sign these bytes. Sign exactly what `workflow-exec challenge",
        "it was made for 'git'",
        "an RSA key of 2048 bits is too weak",
        "is a certificate, and only plain keys count",
        "'mallory@example.org' is none of the approvers of this gate",
        "it is no decision as workflow-exec approve and reject write it",
        "link.decision.json is not taken in",
    ):
        assert said in told, said
    assert "gate.decided" not in team.project.types(again)
    assert team.project.types(again).count("gate.requested") == 1
    assert not (team.project.root / "first").exists()


def test_what_was_taken_in_is_judged_again(team: Team) -> None:
    """A vote that the log holds counts no more once its key is revoked, and a pinned policy asks everybody anew."""
    run = team.suspend(", required: 2")
    team.sign(run, ALICE)
    again = team.suspend(", required: 2", after=run)
    assert team.project.types(again).count("gate.decided") == 1
    team.trust(revoked=f"{team.keys.line('ed25519')}\n")
    # The list of revoked keys is a fact of the question: it is asked anew, and only who counts now can answer.
    third = team.suspend(", required: 2", after=again)
    assert team.project.types(third).count("gate.requested") == 2
    team.sign(third, ALICE)
    team.sign(third, BOB)

    last = team.suspend(", required: 2", after=third)

    assert any("is revoked" in line for line in team.told)
    assert not (team.project.root / "first").exists()
    assert "gate.used" not in team.project.types(last)


def test_a_wait_is_waited_out(team: Team) -> None:
    """Before `min_wait` is over the gate stays open, whoever agreed."""
    run = team.suspend(", min_wait: 1h")
    team.sign(run, ALICE)

    team.suspend(", min_wait: 1h", after=run)

    assert not (team.project.root / "first").exists()
    assert any("approved by alice@example.org" in line for line in team.told)


def test_a_late_question_is_asked_anew(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signature under a question that expired opens nothing: it is asked again, with another nonce."""
    run = team.suspend(", expires: 1h")
    team.sign(run, ALICE)
    monkeypatch.setattr(_approval, "_MARGIN", timedelta(hours=1))

    again = team.suspend(", expires: 1h", after=run)

    assert team.project.types(again).count("gate.requested") == 2
    assert "gate.decided" not in team.project.types(again)


@pytest.mark.parametrize("refuse", [False, True])
def test_a_key_within_reach_is_found(team: Team, tmp_path_factory: pytest.TempPathFactory, refuse: bool) -> None:
    """A private key in the user's own folder is told and recorded, and is worth 1 where the policy says so."""
    team.trust(more="refuse_reachable_keys = true" if refuse else "")
    ssh = Path(os.environ["HOME"]) / ".ssh"
    ssh.mkdir()
    (ssh / "id_work").write_bytes((team.keys.folder / "ed25519").read_bytes())
    run = team.suspend()
    team.sign(run, ALICE)

    if refuse:
        later = team.suspend(after=run)
        assert not (team.project.root / "first").exists()
    else:
        later = team.open(after=run)
        to_the_gate(team.project, later)
        finish(team.project, later)

    [decided] = [record for record in team.project.records(later) if record.type == "gate.decided"]
    proof: Any = decided.data["proof"]
    assert (proof["key_reachable"], decided.data["assurance"]) == (True, 1 if refuse else 2)
    assert any("the key of alice@example.org is within the reach of this user" in line for line in team.told)
    if not refuse:
        assert verdict_of(later, team.signers_file(tmp_path_factory.mktemp("verifier"))).exit_code == 0


def test_an_agent_that_answers_here_is_found(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    """A key that an agent of the run's environment holds is within reach; an agent that is gone is none."""
    said = subprocess.run(["ssh-agent", "-s"], capture_output=True, text=True, check=True).stdout
    agent = dict(part.split("=", 1) for part in said.split(";") if "=" in part.strip() for part in [part.strip()])
    environment = {**os.environ, **agent}
    try:
        subprocess.run(["ssh-add", "-q", str(team.keys.folder / "ed25519")], env=environment, check=True)
        monkeypatch.setenv("SSH_AUTH_SOCK", agent["SSH_AUTH_SOCK"])
        run = team.suspend()
        team.sign(run, ALICE)
        later = team.open(after=run)
        to_the_gate(team.project, later)
        finish(team.project, later)
    finally:
        subprocess.run(["ssh-agent", "-k"], env=environment, capture_output=True, check=True)

    [decided] = [record for record in team.project.records(later) if record.type == "gate.decided"]
    proof: Any = decided.data["proof"]
    assert proof["key_reachable"] is True


def test_presence_is_what_a_token_says(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Assurance 3 needs a token that says it was touched; without the touch, or with a plain key, nothing is taken in."""
    token = Token("ed25519")
    team.trust(f"alice@example.org {token.line}\nbob@example.org {team.keys.line('ecdsa-256')}\n")
    flow = FLOW.replace("assurance: 2", "assurance: 3")
    run = team.suspend(flow=flow)
    challenge = challenge_of(question_of(run), "approve")
    good = _ballot(team, run, challenge)
    _hand(run, good, armor=token.sign(challenge, flags=0x00))
    team.sign(run, BOB)
    again = team.suspend(after=run, flow=flow)
    assert "gate.decided" not in team.project.types(again)
    told = "\n".join(team.told)
    assert "its token was not touched" in told
    assert "its key is no token's" in told
    _hand(again, good, armor=token.sign(challenge))

    later = team.open(after=again, flow=flow)
    to_the_gate(team.project, later)
    finish(team.project, later)

    listed = tmp_path_factory.mktemp("verifier") / "signers"
    listed.write_text(f"alice@example.org {token.line}\n")
    assert verdict_of(later, listed, at_least=3).exit_code == 0


def test_who_started_the_run_may_not_approve_it(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A signed start excludes its signer under every name of the key; unsigned, the question says that it is unproven."""
    team.suspend()
    [asked] = [r for r in team.project.records(team.project.runs[-1]) if r.type == "gate.requested"]
    unproven: Any = asked.data["request"]
    assert unproven["rules"]["starter"] == ""
    run = team.suspend(sign_start=team.keys.folder / "ed25519")
    assert question_of(run).rules is not None
    team.sign(run, ALICE)
    again = team.suspend(after=run)
    assert any("alice@example.org started the run and may not approve it" in line for line in team.told)
    team.sign(again, BOB)

    later = team.open(after=again)
    to_the_gate(team.project, later)
    finish(team.project, later)

    listed = team.signers_file(tmp_path_factory.mktemp("verifier"))
    assert verdict_of(later, listed).exit_code == 0
    assert _forge(later, _unsign_start, listed).exit_code != 0


def test_the_policy_may_let_who_started_approve(team: Team) -> None:
    """With `starter_may_approve` the signer of the start is an approver like others, and the question says so."""
    team.trust(more="starter_may_approve = true")
    run = team.suspend(sign_start=team.keys.folder / "ed25519")
    assert "may approve, by the policy" in challenge_of(question_of(run), "approve").decode()
    team.sign(run, ALICE)

    later = team.open(after=run)
    to_the_gate(team.project, later)
    finish(team.project, later)

    assert (team.project.root / "first").exists()


def test_without_groups_everybody_listed_may_sign(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A gate that names no group asks whoever the list of signers names plainly; a pattern names nobody."""
    flow = FLOW.replace(", approvers: [managers]", "")
    lines = (f"carol@example.org {team.keys.line('rsa')}", f"*@example.com {team.keys.line('ecdsa-384')}")
    team.trust("".join(f"{line}\n" for line in lines))
    run = team.suspend(flow=flow)
    rules = question_of(run).rules
    assert rules is not None
    assert rules.approvers == {"any listed signer": (CAROL,)}
    team.sign(run, CAROL)

    later = team.open(after=run, flow=flow)
    to_the_gate(team.project, later)
    finish(team.project, later)

    assert verdict_of(later, team.signers_file(tmp_path_factory.mktemp("verifier"))).exit_code == 0


def _unsign_start(records: list[dict[str, Any]]) -> None:
    del records[0]["data"]["signed_start"]


def test_a_terminal_wants_the_signature_beside_the_challenge(
    team: Team, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The bytes to sign lie where the notice says; without a good signature the desk says why, with one it proves who."""
    problems: list[str] = []

    def sign(request: GateRequest, timeout_s: float, desk: SignatureDesk, read: ReadAnswer) -> Decision:
        path = Path(desk.notice({}).splitlines()[0].removeprefix("What has to be signed is in "))
        assert path.read_bytes() == challenge_of(request, "approve")
        beside = path.with_name(f"{path.name}.sig")
        for armor in (None, "nonsense", team.keys.sign("mallory", message=path.read_bytes())):
            if armor is not None:
                beside.write_text(armor)
            with pytest.raises(BallotRefusedError) as caught:
                desk.take({})
            problems.append(str(caught.value))
        beside.unlink()
        subprocess.run(
            ["ssh-keygen", "-Y", "sign", "-q", "-n", "pytest-workflow-exec", "-f", team.keys.folder / "ed25519", path],
            check=True,
        )
        proof = desk.take({})
        return Decision(
            decision="approved",
            reason="",
            approver=Actor(kind="human", id=proof.principal),
            channel="signature",
            terminal="/dev/pts/1",
            assurance=desk.worth(proof),
            proof=proof,
        )

    flow = FLOW.replace(", wait: suspend", "")
    run = team.open(flow=flow, signed_approver=sign)
    to_the_gate(team.project, run)
    finish(team.project, run)

    for said, problem in zip(
        ("there is no file", "this is no SSH signature", "is none of those"), problems, strict=True
    ):
        assert said in problem
    assert verdict_of(run, team.signers_file(tmp_path_factory.mktemp("verifier"))).exit_code == 0


def test_who_rejected_elsewhere_does_not_open_it_at_the_terminal(team: Team) -> None:
    """At the terminal, too, an answer is counted with all others: who said no before does not agree, somebody else does."""
    refused: list[str] = []

    def nobody(request: GateRequest, timeout_s: float, desk: SignatureDesk, read: ReadAnswer) -> Decision:
        return Decision(decision="expired", reason="", approver=ENGINE, channel="none", terminal="", assurance=0)

    def both(request: GateRequest, timeout_s: float, desk: SignatureDesk, read: ReadAnswer) -> Decision:
        path = Path(desk.notice({}).splitlines()[0].removeprefix("What has to be signed is in "))
        beside = path.with_name(f"{path.name}.sig")
        beside.write_text(team.keys.sign(PEOPLE[BOB], message=path.read_bytes()))
        with pytest.raises(BallotRefusedError) as caught:
            desk.take({})
        refused.append(str(caught.value))
        beside.write_text(team.keys.sign(PEOPLE[ALICE], message=path.read_bytes()))
        return Decision(
            decision="approved",
            reason="",
            approver=Actor(kind="human", id=ALICE),
            channel="signature",
            terminal="/dev/pts/1",
            assurance=2,
            proof=desk.take({}),
        )

    flow = FLOW.replace(", wait: suspend", ", on_timeout: suspend, veto: false")
    run = team.open(flow=flow, signed_approver=nobody)
    with pytest.raises(GateSuspendedError):
        to_the_gate(team.project, run)
    run.finish("approve", Outcome.SUSPENDED)
    run.close(interrupted=False)
    team.sign(run, BOB, "reject", reason="no")

    later = team.open(flow=flow, after=run, signed_approver=both)
    to_the_gate(team.project, later)

    assert refused == [f"the signature of {BOB} is no approval by the gate's own rules"]
    approving = [data for data in _decided(records_in(later.log_path)) if data["decision"] == "approved"]
    assert [data["approver"] for data in approving] == [ALICE]


def test_a_code_alone_opens_no_signed_gate(team: Team) -> None:
    """Whatever asks at the terminal and says yes without a proof: the gate is denied."""

    def typed(request: GateRequest, timeout_s: float, desk: SignatureDesk, read: ReadAnswer) -> Decision:
        return Decision(decision="approved", reason="", approver=ENGINE, channel="terminal", terminal="x", assurance=1)

    run = team.open(flow=FLOW.replace(", wait: suspend", ""), signed_approver=typed)

    with pytest.raises(GateDeniedError, match="nobody signed"):
        to_the_gate(team.project, run)

    assert "gate.decided" not in team.project.types(run)


def _forge(run: Run, change: Callable[[list[dict[str, Any]]], object], signers: Path, *, at_least: int = 2) -> Verdict:
    """Return the verdict on a log that somebody changed and chained anew, who even knows its head."""
    whole, records = run.log_path.read_bytes(), records_in(run.log_path)
    change(records)
    run.log_path.write_bytes(rechained(records))
    try:
        return verdict_of(run, signers, at_least=at_least)
    finally:
        run.log_path.write_bytes(whole)


def _decided(records: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [record["data"] for record in records if record["type"] == "gate.decided"]


def _requested(records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = next(record["data"] for record in records if record["type"] == "gate.requested")
    return found


def test_forged_approvals_prove_nothing(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Moved signatures, other requests, fewer votes, one key twice, loosened rules: none is worth 2 to a verifier."""
    other = team.suspend(", required: 2")
    stolen = team.sign(other, ALICE)
    run = team.suspend(", required: 2")
    team.sign(run, ALICE)
    team.sign(run, BOB)
    later = team.open(", required: 2", after=run)
    to_the_gate(team.project, later)
    finish(team.project, later)
    listed = team.signers_file(tmp_path_factory.mktemp("verifier"))
    assert verdict_of(later, listed).exit_code == 0
    moment = datetime.now(timezone.utc) + timedelta(days=30)

    def with_request(change: Callable[[dict[str, Any]], object]) -> Callable[[list[dict[str, Any]]], None]:
        def forge(records: list[dict[str, Any]]) -> None:
            data = _requested(records)
            change(data["request"])
            digest = digest_of(data["request"])
            for record in records:
                if record["type"].startswith("gate."):
                    record["data"]["digest"] = digest

        return forge

    def plan_and_rules(records: list[dict[str, Any]]) -> None:
        def loosen(request: dict[str, Any]) -> None:
            request["rules"]["required"] = 1
            request["plan_digest"] = digest

        for record in records:
            if record["type"] in ("run.started", "run.resumed"):
                gate = next(step for step in record["data"]["plan"]["steps"] if step["id"] == "approve")
                gate["signed"]["required"] = 1
                digest = record["data"]["plan_digest"] = digest_of(record["data"]["plan"])
        records.remove(next(r for r in records if r["type"] == "gate.decided"))
        with_request(loosen)(records)

    forgeries: dict[str, Callable[[list[dict[str, Any]]], object]] = {
        "a moved signature": lambda records: _decided(records)[0]["proof"].update(armor=stolen.armor),
        "no signature": lambda records: _decided(records)[0].pop("proof"),
        "another's name": lambda records: _decided(records)[0].update(approver=CAROL),
        "another answer": lambda records: _decided(records)[0].update(decision="rejected"),
        "a reason put in": lambda records: _decided(records)[0].update(reason="words"),
        "fewer votes": lambda records: records.remove(next(r for r in records if r["type"] == "gate.decided")),
        "one vote twice": lambda records: _decided(records)[1].update(_decided(records)[0]),
        "one key, two names": lambda records: _decided(records)[1].update(
            proof=_decided(records)[0]["proof"], approver=BOB
        ),
        "a code instead": lambda records: _decided(records)[0].update(channel="terminal"),
        "more than it is": lambda records: [data.update(assurance=3) for data in _decided(records)],
        "key within reach": lambda records: _decided(records)[0]["proof"].update(key_reachable=True),
        "another question": with_request(lambda request: request["covers"][0].update(does="rm -rf /")),
        "another head": with_request(lambda request: request.update(evidence_head="0" * 64)),
        "other approvers": with_request(lambda request: request["rules"]["approvers"].update(managers=[CAROL, BOB])),
        "no rules": with_request(lambda request: request.pop("rules")),
        "loosened rules": with_request(lambda request: request["rules"].update(required=1)),
        "odd rules": with_request(lambda request: request["rules"].update(required=[1])),
        "a loosened plan": plan_and_rules,
        "an older head": lambda records: records.insert(
            next(at for at, r in enumerate(records) if r["type"] == "gate.requested"),
            {**records[-1], "type": "note", "step": None, "attempt": None, "data": {"text": "x"}},
        ),
        "too late": lambda records: [
            record.update(ts=moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
            for record in records
            if record["type"] == "gate.decided"
        ],
    }
    exits = {name: _forge(later, change, listed).exit_code for name, change in forgeries.items()}
    # Claims that change nothing about who signed what: the claim itself is worth nothing.
    claims = {"more than it is": 4, "key within reach": 0}

    assert {name: code for name, code in exits.items() if code not in (1, 4)} == dict.fromkeys(claims, 0)
    for name, code in claims.items():
        assert _forge(later, forgeries[name], listed, at_least=3 if code else 2).exit_code == code
    beside = later.log_path.parent / "signers"
    beside.write_text(team.signers)
    assert verdict_of(later, beside).exit_code == 4
    assert json.loads((later.log_path).read_bytes().splitlines()[0])["type"] == "run.started"
