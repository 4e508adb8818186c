"""Plans that were approved before a run proposed them: what lets one run unasked, and all that does not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.approval import (
    Answer,
    Ballot,
    BallotRefusedError,
    FormField,
    GateRequest,
    PlanApproval,
    PlanSignature,
    challenge_of,
    checked,
    moment_text,
    plan_challenge_of,
)
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.errors import GateDeniedError, GateSuspendedError
from pytest_workflow_exec.evidence import hand_in, keep_approved_plan, plans_folder
from pytest_workflow_exec.model import Gate, Outcome
from pytest_workflow_exec.run import Run, trust_in
from pytest_workflow_exec.verify import verify_log
from tests.approval.signature._made import Keys, made_keys
from tests.evidence._logs import rechained, records_in
from tests.run.conftest import Project
from tests.run.test_signed_gate import ALICE, BOB, CAROL, PEOPLE, Team, question_of, verdict_of

from .test_flow import PLAN, Model, ask, execute, of_type

FLOW = """
workflow: flow
inputs: {{host: {{default: web1}}}}
steps:
  - {{id: ask, ai: {{prompt: "What of ${{inputs.host}}?", output: CommandPlan}}}}
  - id: approve
    gate: {{question: Go?, show: [ask], assurance: 2, approvers: [managers], wait: suspend, in_advance: true{more}}}
  - {{id: do, execute: "${{steps.ask.commands}}"}}
"""
OTHER: dict[str, Json] = {"commands": [{"argv": ["touch", "one"], "why": "x"}, {"argv": ["echo", "three"], "why": "y"}]}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Keys:
    """A real key of each kind."""
    return made_keys(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def team(tmp_path: Path, keys: Keys, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Team:
    """People who can sign, in a pinned project whose workflow asks a model."""
    return Team(Project(tmp_path), keys, tmp_path_factory.mktemp("home"), monkeypatch)


def moment(**later: float) -> str:
    """Return a moment so much later than now."""
    return moment_text(datetime.now(timezone.utc) + timedelta(**later))


def to_the_gate(run: Run, plan: dict[str, Json] = PLAN) -> None:
    """Let a model propose the plan, and come to the gate."""
    ask(run, Model(plan, base_url="https://api.anthropic.com"))
    gate = run.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    run.start(gate)
    run.decide(gate, gate.body, words="")


def suspended(team: Team, *, plan: dict[str, Json] = PLAN, more: str = "", **options: Any) -> Run:
    """Return a run that waits at its gate, and see that nothing of its plan ran."""
    run = team.open(more, flow=FLOW, **options)
    with pytest.raises(GateSuspendedError, match="waits for a decision"):
        to_the_gate(run, plan)
    run.finish("approve", Outcome.SUSPENDED)
    run.close(interrupted=False)
    assert of_type(run, "command.started") == []
    assert not (team.project.root / "one").exists()
    return run


def goes_through(team: Team, run: Run, plan: dict[str, Json] = PLAN) -> None:
    """Let a run pass its gate unasked, and execute the plan."""
    to_the_gate(run, plan)
    run.finish("approve", Outcome.PASSED)
    outputs = execute(run)
    assert outputs["commands"] == [{"argv": ["touch", "one"], "exit": 0}, {"argv": ["echo", "two"], "exit": 0}]
    run.finish("do", Outcome.PASSED)
    run.close(interrupted=False)
    assert (team.project.root / "one").exists()


def approval_of(team: Team, request: GateRequest, until: str, **signers: str) -> PlanApproval:
    """Return an approval of what a run asks.

    Args:
        signers: Whose key signs, by who is said to.
    """
    challenge = plan_challenge_of(request, until)
    made = PlanApproval(workflow=request.workflow, gate=request.step, until=until, challenge=challenge)
    for name, key in (signers or {"alice": "ed25519"}).items():
        armor = team.keys.sign(key, message=challenge)
        made = made.with_signature(PlanSignature(f"{name}@example.org", armor))
    return made


def keep(team: Team, approval: PlanApproval) -> Path:
    """Put an approval where runs look for it."""
    path = plans_folder(team.project.root / "flow.workflow.yaml", "flow") / approval.name
    keep_approved_plan(path, approval.content())
    return path


def test_an_approved_plan_runs_in_every_run_that_proposes_it(
    team: Team, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As often as it comes, whatever the model says of its reasons; the decision is worth 2 to who lists its signer."""
    until = moment(days=30)
    path = keep(team, approval_of(team, question_of(suspended(team)), until))
    listed = team.signers_file(tmp_path_factory.mktemp("verifier"))
    same: dict[str, Json] = {
        "commands": [{"argv": ["touch", "one"], "why": "new"}, {"argv": ["echo", "two"], "why": "newer"}]
    }

    for plan in (PLAN, same):
        run = team.open(flow=FLOW)
        goes_through(team, run, plan)

        [decided] = of_type(run, "gate.decided")
        assert (decided["decision"], decided["approver"], decided["channel"]) == ("approved", ALICE, "signature")
        assert (decided["assurance"], decided["in_advance"]) == (2, {"until": until, "file": path.name})
        assert decided["proof"]["key_reachable"] is False
        assert any(f"gate approve: approved in advance until {until} by {ALICE}" in line for line in run.said)
        proven, unproven = verdict_of(run, listed), verdict_of(run)
        assert (proven.exit_code, proven.assurance) == (0, 2), proven.message
        assert proven.gates[-1].channel == "signature in advance"
        assert (unproven.exit_code, unproven.assurance) == (4, 1)


def test_a_suspended_run_goes_on_once_its_plan_is_approved(team: Team) -> None:
    """The question stands; the approval lets this run pass, too."""
    run = suspended(team)
    keep(team, approval_of(team, question_of(run), moment(days=1)))

    later = team.open(flow=FLOW, after=run)
    later.carry(later.workflow.step("ask"))
    gate = later.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    later.start(gate)
    later.decide(gate, gate.body, words="")
    later.finish("approve", Outcome.PASSED)
    execute(later)
    later.finish("do", Outcome.PASSED)
    later.close(interrupted=False)

    assert verify_log(later.log_path).result == "passed"


def edited(approval: PlanApproval) -> bytes:
    """Return its file with the time, and the text that names it, put off."""
    return approval.content().replace(approval.until.encode(), moment(days=80).encode())


def other_bytes(approval: PlanApproval) -> bytes:
    """Return its file with a signature over something else."""
    broken = approval.signatures[0].armor.replace("A", "B", 9)
    return approval.with_signature(PlanSignature(ALICE, broken)).content()


def unsigned(approval: PlanApproval) -> bytes:
    """Return its file without its signature."""
    content = json.loads(approval.content())
    return json.dumps({**content, "signatures": []}, indent=2).encode() + b"\n"


def no_file(_: PlanApproval) -> bytes:
    """Return what is none."""
    return b"approved: true\n"


def not_whole(approval: PlanApproval) -> bytes:
    """Return half of its file."""
    return approval.content()[:-200]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (unsigned, ""),
        (edited, "It is about another plan, gate, policy or time"),
        (other_bytes, "does not count"),
        (no_file, "it is no approved plan as workflow-exec approve --in-advance writes it"),
        (not_whole, "it is no approved plan as workflow-exec approve --in-advance writes it"),
    ],
)
def test_a_file_that_nobody_signed_is_absent(team: Team, made: Callable[[PlanApproval], bytes], said: str) -> None:
    """An unsigned or edited one opens nothing: the run is suspended, as without it, and nothing is executed."""
    path = keep(team, approval_of(team, question_of(suspended(team)), moment(days=30)))
    path.write_bytes(made(approval_of(team, question_of(team.project.runs[0]), moment(days=30))))

    run = suspended(team)

    assert of_type(run, "gate.decided") == []
    assert said in "\n".join(run.said)


@pytest.mark.parametrize(
    ("signers", "said"),
    [
        ({"carol": "rsa"}, "'carol@example.org' is none of the approvers of this gate"),
        ({"mallory": "mallory"}, "'mallory@example.org' is none of the approvers"),
        ({"alice": "mallory"}, "is none of those of 'alice@example.org'"),
        ({"alice": "ecdsa-256"}, "but not for 'alice@example.org'"),
    ],
)
def test_whoever_may_not_approve_approves_nothing_in_advance(team: Team, signers: dict[str, str], said: str) -> None:
    """A stranger, somebody of another group, and a key in another's name."""
    keep(team, approval_of(team, question_of(suspended(team)), moment(days=30), **signers))

    run = suspended(team)

    assert of_type(run, "gate.decided") == []
    assert said in "\n".join(run.said)


def test_an_expired_approval_is_absent_and_one_for_years_too(team: Team) -> None:
    """It ends in 90 days at the latest: one that is to hold longer does not count before."""
    request = question_of(suspended(team))
    for until, said in ((moment(seconds=-5), "it held until"), (moment(days=100), "for more than 90 days")):
        path = keep(team, approval_of(team, request, until))

        run = suspended(team)

        assert of_type(run, "gate.decided") == []
        assert said in "\n".join(run.said)
        path.unlink()


def test_a_revoked_key_and_a_signer_who_left_approve_nothing(team: Team) -> None:
    """The pinned lists of the moment count, not those of the day on which it was signed."""
    keep(team, approval_of(team, question_of(suspended(team)), moment(days=30)))
    line = team.keys.line("ed25519")

    team.trust(revoked=f"{line}\n")
    revoked = suspended(team)
    (team.project.root / "workflow-revoked").unlink()
    team.trust(team.signers.replace(f"{ALICE} {line}\n", ""))
    left = suspended(team)

    assert "is revoked" in "\n".join(revoked.said)
    assert "'alice@example.org' is not in workflow-signers" in "\n".join(left.said)
    assert of_type(revoked, "gate.decided") == of_type(left, "gate.decided") == []


@pytest.mark.parametrize("kind", ["a file", "a link", "a pipe", "too many", "too long"])
def test_what_can_not_be_read_is_absent(team: Team, kind: str) -> None:
    """A file in place of the folder, no regular file, more or longer than anybody signs: the run waits, and nothing runs."""
    approval = approval_of(team, question_of(suspended(team)), moment(days=30))
    folder = plans_folder(team.project.root / "flow.workflow.yaml", "flow")
    path = folder / approval.name
    if kind == "a file":
        folder.parent.mkdir()
        folder.write_bytes(approval.content())
    else:
        folder.mkdir(parents=True)
    if kind == "a link":
        (team.project.root / "real.json").write_bytes(approval.content())
        path.symlink_to(team.project.root / "real.json")
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "too many":
        keep(team, approval)
        for number in range(1000):
            (folder / f"{number}.json").touch()
    elif kind == "too long":
        path.write_bytes(approval.content() + b" " * (4 << 20))

    run = suspended(team)

    assert of_type(run, "gate.decided") == []
    assert "approved" in "\n".join(run.said)


def test_another_plan_input_policy_or_workflow_is_another_decision(team: Team) -> None:
    """What differs is said line by line; nothing of it runs."""
    keep(team, approval_of(team, question_of(suspended(team)), moment(days=30)))

    plan = suspended(team, plan=OTHER)
    order = suspended(team, plan={"commands": list(reversed(PLAN["commands"]))})  # type: ignore[arg-type]  # a list
    host = suspended(team, inputs={"host": "web2"})
    flow = team.open(flow=FLOW.replace("Go?", "Run it?"))
    with pytest.raises(GateSuspendedError):
        to_the_gate(flow)
    flow.finish("approve", Outcome.SUSPENDED)
    flow.close(interrupted=False)
    team.trust(more='path = ["/usr/bin", "/bin"]')
    policy = suspended(team)

    told = "\n".join(plan.said)
    assert "is not about what would run now; - approved, + now:" in told
    assert "-   3. do (execute): 2 of 2: ['echo', 'two'] by rule 'echo *'" in told
    assert "+   3. do (execute): 2 of 2: ['echo', 'three'] by rule 'echo *'" in told
    assert '+   - host = "web2"' in "\n".join(host.said)
    for run in (plan, order, host, flow, policy):
        assert of_type(run, "gate.decided") == []
        assert of_type(run, "command.started") == []


def test_a_gate_that_does_not_say_so_takes_none(team: Team) -> None:
    """Without `in_advance` a signature counts for just its question, also if somebody made one in advance."""
    keep(team, approval_of(team, question_of(suspended(team)), moment(days=30)))
    flow = FLOW.replace(", in_advance: true", "")
    run = team.open(flow=flow)
    with pytest.raises(GateSuspendedError):
        to_the_gate(run)
    run.finish("approve", Outcome.SUSPENDED)
    run.close(interrupted=False)
    keep(team, approval_of(team, question_of(run), moment(days=30)))

    again = team.open(flow=flow)
    with pytest.raises(GateSuspendedError):
        to_the_gate(again)
    again.finish("approve", Outcome.SUSPENDED)
    again.close(interrupted=False)

    assert of_type(again, "gate.decided") == of_type(again, "command.started") == []


def test_a_question_with_a_form_is_answered_by_nobody_in_advance(team: Team) -> None:
    """What is to be filled in is not known then: a signature that fills in nothing proves nothing of such a question."""
    request = question_of(suspended(team))
    rules = request.rules
    assert rules is not None
    asked = replace(request, form=(FormField(name="ticket", type="string"),))
    until = moment(days=30)
    ballot = Ballot(
        run=asked.run,
        step=asked.step,
        request=asked.digest,
        answer="approve",
        reason="",
        principal=ALICE,
        armor=team.keys.sign("ed25519", message=plan_challenge_of(asked, until)),
        until=until,
    )

    with pytest.raises(BallotRefusedError, match="takes no such answer in advance"):
        checked(ballot, asked, trust=trust_in(team.pin), at=datetime.now(timezone.utc))


def test_an_answer_to_a_question_is_no_approval_in_advance(team: Team) -> None:
    """What somebody signed at one gate of one run can't be put into a file for others, nor the other way round."""
    run = suspended(team)
    request, until = question_of(run), moment(days=30)
    approval = approval_of(team, request, until)
    armor = team.keys.sign("ed25519", message=challenge_of(request, "approve"))
    keep(team, approval.with_signature(PlanSignature(ALICE, armor)))

    again = suspended(team)

    assert "did not sign these bytes" in "\n".join(again.said)
    asked = question_of(again)
    early = team.keys.sign("ed25519", message=plan_challenge_of(asked, until))
    answer: Answer = "approve"
    ballot = Ballot(
        run=again.id, step="approve", request=asked.digest, answer=answer, reason="", principal=ALICE, armor=early
    )
    hand_in(again.log_path.parent, ballot.content())
    later = team.open(flow=FLOW, after=again)
    later.carry(later.workflow.step("ask"))
    gate = later.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    later.start(gate)
    with pytest.raises(GateSuspendedError):
        later.decide(gate, gate.body, words="")
    later.finish("approve", Outcome.SUSPENDED)
    later.close(interrupted=False)
    assert any("is not taken in" in line for line in later.said)
    assert of_type(later, "gate.decided") == []


def test_who_said_no_to_a_question_is_heard_before_who_said_yes_to_its_like(team: Team) -> None:
    """A signed rejection of just this run denies it, whatever was approved in advance."""
    run = suspended(team)
    keep(team, approval_of(team, question_of(run), moment(days=30)))
    team.sign(run, BOB, "reject", reason="not today")

    later = team.open(flow=FLOW, after=run)
    later.carry(later.workflow.step("ask"))
    gate = later.workflow.step("approve")
    assert isinstance(gate.body, Gate)
    later.start(gate)
    with pytest.raises(GateDeniedError, match="rejected: by bob"):
        later.decide(gate, gate.body, words="")
    later.finish("approve", Outcome.DENIED)
    later.close(interrupted=False)

    assert [each["decision"] for each in of_type(later, "gate.decided")] == ["rejected"]
    assert of_type(later, "command.started") == []


def test_all_who_have_to_sign_have_to_sign_in_advance(team: Team) -> None:
    """One of two is not enough, nor one person twice; two are."""
    more = ", required: 2"
    request, until = question_of(suspended(team, more=more)), moment(days=30)
    keep(team, approval_of(team, request, until))
    one = suspended(team, more=more)
    assert len(of_type(one, "gate.decided")) == 1

    keep(team, approval_of(team, request, until, alice="ed25519", bob=PEOPLE[BOB]))
    run = team.open(more, flow=FLOW)
    goes_through(team, run)

    assert [each["approver"] for each in of_type(run, "gate.decided")] == [ALICE, BOB]


def test_a_gated_command_runs_by_an_approval_of_those_whom_its_rule_names(team: Team) -> None:
    """The rule wants a signature of the managers: one in advance is one; one of other people is none."""
    more = '[[policy.command]]\nrule = "touch one"\ngated = {assurance = 2, approvers = ["managers"]}\n'
    root = team.project.root
    text = (root / "workflow-exec.toml").read_text().replace('"echo *", "touch *"', '"echo *"')
    assert CAROL in text

    def trust() -> None:
        from pytest_workflow_exec.evidence import write_pin
        from pytest_workflow_exec.settings import load_settings

        (root / "workflow-exec.toml").write_text(text + more)
        team.pin = write_pin(root, team.place, load_settings(root).policy.trusted)

    trust()
    keep(team, approval_of(team, question_of(suspended(team)), moment(days=30)))

    goes_through(team, team.open(flow=FLOW))


def test_a_log_can_not_claim_more_of_an_approval_in_advance(
    team: Team, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A later end, another plan or a decision without its time prove nothing to a verifier."""
    keep(team, approval_of(team, question_of(suspended(team)), moment(days=30)))
    run = team.open(flow=FLOW)
    goes_through(team, run)
    listed = team.signers_file(tmp_path_factory.mktemp("verifier"))
    records = records_in(run.log_path)
    place = next(number for number, record in enumerate(records) if record["type"] == "gate.decided")
    changes: dict[str, dict[str, Any]] = {
        "a later end": {"in_advance": {**records[place]["data"]["in_advance"], "until": moment(days=60)}},
        "over before": {"in_advance": {**records[place]["data"]["in_advance"], "until": moment(days=-1)}},
        "no time": {"in_advance": None},
        "no moment": {"in_advance": {"until": 5}},
        "a list": {"in_advance": [1]},
    }

    for name, change in changes.items():
        forged = run.log_path.parent / "forged.jsonl"
        changed = [
            {**record, "data": {**record["data"], **change}} if number == place else record
            for number, record in enumerate(records)
        ]
        forged.write_bytes(rechained(changed))
        head = records_in(forged)[-1]["hash"]
        found = verify_log(forged, expect_head=head, signers=listed)
        assert found.exit_code != 0 or (found.assurance or 0) < 2, (name, found.message)
