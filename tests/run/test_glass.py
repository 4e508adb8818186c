"""Breaking the glass: only where the policy grants it, for a reason, and never taken for an approval."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_workflow_exec.approval import Decision, GateRequest, ReadAnswer
from pytest_workflow_exec.cli._append import somebody
from pytest_workflow_exec.digests import digest_of
from pytest_workflow_exec.errors import (
    ApprovalLapsedError,
    CommandRefusedError,
    GateDeniedError,
    GateSuspendedError,
    SettingsError,
)
from pytest_workflow_exec.events import ENGINE, Actor
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import Run
from pytest_workflow_exec.settings import load_settings
from pytest_workflow_exec.verify import (
    Asked,
    Demand,
    InsufficientError,
    Signatures,
    demand_approval,
    held_to,
    verify_log,
)
from tests.cli._tool import workflow_exec
from tests.evidence._logs import rechained, records_in

from .conftest import Project, history_in
from .test_signed_gate import ALICE, BOB, FLOW, Team, finish, keys, team, to_the_gate

__all__ = ["keys", "team"]

GRANT = "break_glass = true\n"
NOTIFY = '[[notify]]\ncommand = ["true"]\non = ["break_glass"]\n'
TWO = ", required: 2"


@dataclass
class Somebody:
    """Who is asked to break the glass."""

    decision: str = "approved"
    channel: str = "break-glass"
    reason: str = "the site is down"
    who: str = "zoe"
    asked: list[str] = field(default_factory=list)

    def __call__(self, request: GateRequest, timeout_s: float, missing: str, read: ReadAnswer) -> Decision:
        """Answer."""
        self.asked.append(missing)
        return Decision(
            decision=self.decision,  # type: ignore[arg-type]  # parametrized
            reason=self.reason,
            approver=ENGINE if self.channel == "none" else Actor(kind="human", id=self.who),
            channel=self.channel,  # type: ignore[arg-type]  # parametrized
            terminal="/dev/pts/1",
            assurance=0 if self.channel == "none" else 1,
            answers={field.name: read(field, "REL-7") for field in request.fields_to_fill},
        )


@pytest.fixture
def granted(team: Team) -> Team:
    """People whose policy lets somebody break the glass."""
    _grant(team)
    return team


def _grant(team: Team, more: str = GRANT) -> None:
    team.trust(more=more + NOTIFY)


def broken(team: Team, person: Somebody, more: str = TWO, **changes: Any) -> Run:
    """Return a run that went on because somebody broke the glass of its suspended gate."""
    first = team.suspend(more, **changes)
    run = team.open(more, after=first, glass_approver=person, break_glass="approve", **changes)
    to_the_gate(team.project, run)
    finish(team.project, run)
    return run


def test_a_person_goes_past_what_is_missing(granted: Team) -> None:
    """The run goes on, and its log, its verdicts and the question of every later gate say how."""
    person = Somebody()

    run = broken(granted, person)

    assert person.asked == ["2 of managers"]
    assert (granted.project.root / "first").exists()
    [decided] = [record for record in granted.project.records(run) if record.type == "gate.decided"]
    said = {key: decided.data[key] for key in ("decision", "channel", "assurance", "reason", "missing", "approver")}
    assert said == {
        "decision": "approved",
        "channel": "break-glass",
        "assurance": 1,
        "reason": "the site is down",
        "missing": "2 of managers",
        "approver": "zoe",
    }
    assert run.broken_glass == {"approve": "zoe: the site is down"}
    verdict = verify_log(run.log_path, expect_head=run.head.hash)
    assert (verdict.word, verdict.assurance) == ("verified", 0)
    assert "BUT the glass of gate 'approve' was broken by zoe, not reviewed" in verdict.message
    assert [(each.step, each.by, each.reason) for each in verdict.broken_glass] == [
        ("approve", "zoe", "the site is down")
    ]


def test_it_is_no_approval_to_whoever_asks_for_one(granted: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A wanted plan, a wanted assurance, a policy without the grant, and a deploying host: to none of them it will do."""
    run = broken(granted, Somebody())
    found = verify_log(run.log_path, expect_head=run.head.hash)
    listed = granted.signers_file(tmp_path_factory.mktemp("verifier"))

    wanted = [
        Asked(plan=found.plan_digest),
        Asked(min_assurance=1),
        Asked(min_assurance=2),
        Asked(policy=found.policies[0], glass_granted=False),
    ]

    assert [held_to(found, each).exit_code for each in wanted] == [4, 4, 4, 4]
    assert held_to(found, Asked(policy=found.policies[0], glass_granted=True)).exit_code == 0
    with pytest.raises(InsufficientError, match="without a signature"):
        demand_approval(run.log_path, Demand(step="approve", artifacts={}), Signatures(listed, None))


def test_who_signed_before_does_not_make_it_an_approval(granted: Team) -> None:
    """One signature of two, and a person who goes past the other: it is still the glass that was broken."""
    first = granted.suspend(TWO)
    granted.sign(first, ALICE)
    person = Somebody()
    run = granted.open(TWO, after=first, glass_approver=person, break_glass="approve")
    to_the_gate(granted.project, run)
    finish(granted.project, run)

    assert person.asked == ["1 of managers"]
    assert run.broken_glass == {"approve": "zoe: the site is down"}
    assert verify_log(run.log_path, expect_head=run.head.hash).assurance == 0


def test_its_form_is_filled_in_by_who_breaks_it(granted: Team) -> None:
    """What they fill in is recorded, and what steps behind the gate see."""
    more = ", form: {ticket: {pattern: 'REL-[0-9]+'}}"
    first = granted.suspend(more)
    run = granted.open(more, after=first, glass_approver=Somebody(), break_glass="approve")
    run.carry(run.workflow.step("make"))
    granted.project.perform(run, "approve")
    granted.project.perform(run, "first")
    run.close(interrupted=False)

    assert run.values.outputs["approve"].values["ticket"] == "REL-7"
    [decided] = [record for record in granted.project.records(run) if record.type == "gate.decided"]
    assert decided.data["form"] == {"ticket": "REL-7"}
    assert verify_log(run.log_path, expect_head=run.head.hash).word == "verified"


def test_where_enough_signed_nobody_is_asked(granted: Team) -> None:
    """The option asks for the question, and answers nothing: an ordinary approval stays one."""
    first = granted.suspend()
    granted.sign(first, ALICE)
    person = Somebody()
    run = granted.open(after=first, glass_approver=person, break_glass="approve")
    to_the_gate(granted.project, run)
    finish(granted.project, run)

    assert person.asked == []
    assert verify_log(run.log_path, expect_head=run.head.hash).broken_glass == ()


def test_a_rejection_is_not_gone_past(granted: Team) -> None:
    """Whoever may approve and said no has ended it: nobody is asked, and nothing runs."""
    first = granted.suspend(TWO)
    granted.sign(first, BOB, "reject", reason="no")
    person = Somebody()
    run = granted.open(TWO, after=first, glass_approver=person, break_glass="approve")

    with pytest.raises(GateDeniedError, match="rejected: by bob"):
        to_the_gate(granted.project, run)

    run.finish("approve", Outcome.DENIED)
    run.close(interrupted=False)
    assert person.asked == []
    assert not (granted.project.root / "first").exists()


def test_without_the_grant_nobody_is_asked(team: Team) -> None:
    """The option alone opens nothing."""
    first = team.suspend(TWO)
    person = Somebody()
    run = team.open(TWO, after=first, glass_approver=person, break_glass="approve")

    with pytest.raises(GateDeniedError, match="does not let anybody break its glass"):
        to_the_gate(team.project, run)

    run.finish("approve", Outcome.DENIED)
    run.close(interrupted=False)
    assert person.asked == []
    assert not [record for record in team.project.records(run) if record.type == "gate.decided"]


@pytest.mark.parametrize(("decision", "channel"), [("denied", "none"), ("denied", "terminal"), ("expired", "terminal")])
def test_who_only_tried_has_decided_nothing(granted: Team, decision: str, channel: str) -> None:
    """The gate goes on waiting, with the question that the others sign."""
    first = granted.suspend(TWO)
    run = granted.open(TWO, after=first, glass_approver=Somebody(decision, channel), break_glass="approve")

    with pytest.raises(GateSuspendedError):
        to_the_gate(granted.project, run)

    run.finish("approve", Outcome.SUSPENDED)
    run.close(interrupted=False)
    types = granted.project.types(run)
    assert types.count("gate.requested") == 1
    assert "gate.decided" not in types
    assert history_in(run.log_path).open_gates["approve"].suspended


@pytest.mark.parametrize(
    "person",
    [Somebody("rejected", "terminal", "no"), Somebody("approved", "terminal"), Somebody(reason="")],
    ids=["rejected", "another channel", "without a reason"],
)
def test_any_other_answer_denies(granted: Team, person: Somebody) -> None:
    """A rejection is one; what breaks no glass, or not for a reason, opens nothing."""
    first = granted.suspend(TWO)
    run = granted.open(TWO, after=first, glass_approver=person, break_glass="approve")

    with pytest.raises((GateDeniedError, GateSuspendedError)):
        to_the_gate(granted.project, run)

    run.close(interrupted=True)
    assert not (granted.project.root / "first").exists()


def test_a_broken_glass_stands_if_the_session_is_killed_right_behind_it(granted: Team) -> None:
    """What was decided and told is used by the next session for the same question, which asks nobody again."""
    first = granted.suspend(TWO)
    run = granted.open(TWO, after=first, glass_approver=Somebody(), break_glass="approve")
    to_the_gate(granted.project, run)
    whole = records_in(run.log_path)
    until = next(at for at, each in enumerate(whole) if each["type"] == "gate.decided")
    run.close(interrupted=True)
    run.log_path.write_bytes(rechained(whole[: until + 1]))
    person = Somebody()

    again = granted.open(TWO, after=run, glass_approver=person)
    to_the_gate(granted.project, again)
    finish(granted.project, again)

    assert person.asked == []
    assert (granted.project.root / "first").exists()
    assert again.broken_glass == {"approve": "zoe: the site is down"}
    assert verify_log(again.log_path, expect_head=again.head.hash).assurance == 0


def test_what_the_policy_wants_signed_runs_behind_it(team: Team) -> None:
    """The grant is the policy's own: a gated command runs behind a broken glass, and behind nothing less."""
    rule = '[[policy.command]]\nrule = "touch first"\ngated = {assurance = 2, approvers = ["managers"]}\n'
    _grant(team, GRANT + rule)
    run = broken(team, Somebody())
    assert (team.project.root / "first").exists()
    (team.project.root / "first").unlink()

    other = team.open(TWO)
    other.start(other.workflow.step("make"))
    with pytest.raises(CommandRefusedError):
        other.run_command("make", ["touch", "first"], planned=True)
    other.close(interrupted=True)

    assert run.broken_glass
    assert not (team.project.root / "first").exists()


def test_it_holds_for_what_was_shown_only(granted: Team) -> None:
    """It goes past signatures and past nothing else: what it covers is looked at again before it is used."""
    first = granted.suspend(TWO)
    run = granted.open(TWO, after=first, glass_approver=Somebody(), break_glass="approve")
    to_the_gate(granted.project, run)
    run.finish("approve", Outcome.PASSED)
    (granted.project.root / "workflow-signers").write_text("")

    with pytest.raises(ApprovalLapsedError, match="the signers"):
        run.start(run.workflow.step("first"))

    run.close(interrupted=True)
    assert not (granted.project.root / "first").exists()


def test_a_later_gate_says_so(granted: Team) -> None:
    """Whoever decides behind it decides knowing it."""
    flow = FLOW + "  - {{id: more, gate: And more?}}\n  - {{id: end, run: [touch, end]}}\n"
    asked: list[GateRequest] = []

    def ask(request: GateRequest, timeout_s: float) -> Decision:
        asked.append(request)
        return Decision(
            decision="rejected", reason="", approver=ENGINE, channel="terminal", terminal="/dev/pts/1", assurance=1
        )

    first = granted.suspend(TWO, flow=flow)
    run = granted.open(TWO, after=first, flow=flow, glass_approver=Somebody(), break_glass="approve", approver=ask)
    to_the_gate(granted.project, run)
    run.finish("approve", Outcome.PASSED)
    granted.project.perform(run, "first")
    with pytest.raises(GateDeniedError):
        granted.project.perform(run, "more")
    run.close(interrupted=True)

    assert [each.broken_glass for each in asked] == [("approve by zoe: the site is down",)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[policy]\nbreak_glass = true\n", "policy.break_glass needs somebody who is told at once"),
        ("[policy.workflows.flow]\nbreak_glass = true\n", "policy.workflows.flow.break_glass needs somebody"),
        ('[policy]\nbreak_glass = "yes"\n' + NOTIFY, "policy.break_glass must be true or false"),
        ('[policy]\nstarter_may_approve = "yes"\n', "policy.starter_may_approve must be true or false"),
    ],
)
def test_a_grant_that_nobody_would_hear_of_is_none(project: Project, text: str, said: str) -> None:
    """The configuration is refused with its place, and so nothing runs."""
    (project.root / "workflow-exec.toml").write_text(text)

    with pytest.raises(SettingsError, match=said) as caught:
        load_settings(project.root)

    assert caught.value.problems[0].line == 2


def test_the_grant_of_one_workflow_is_none_of_another(team: Team) -> None:
    """A table of another workflow lets nobody past this one's gates."""
    _grant(team, "[policy.workflows.other]\nbreak_glass = true\n")
    person = Somebody()
    first = team.suspend(TWO)
    run = team.open(TWO, after=first, glass_approver=person, break_glass="approve")

    with pytest.raises(GateDeniedError, match="does not let anybody"):
        to_the_gate(team.project, run)

    run.close(interrupted=True)
    assert not person.asked


Records = list[dict[str, Any]]


def _decided(records: Records) -> dict[str, Any]:
    found: dict[str, Any] = next(record["data"] for record in records if record["type"] == "gate.decided")
    return found


def _loosened(records: Records, change: Callable[[dict[str, Any]], object]) -> None:
    old, digest = "", ""
    for record in records:
        if record["type"] == "gate.requested":
            old = record["data"]["digest"]
            change(record["data"]["request"])
            digest = record["data"]["digest"] = digest_of(record["data"]["request"])
        elif record["type"].startswith("gate.") and record["data"]["digest"] == old:
            record["data"]["digest"] = digest


def _ungranted(records: Records) -> None:
    for record in records:
        if record["type"] in ("run.started", "run.resumed"):
            record["data"]["policy"].pop("break_glass")


def _as_signed(records: Records) -> None:
    _decided(records).update(channel="signature", assurance=2)


def test_forged_ways_past_signatures_are_broken(granted: Team) -> None:
    """However it is dressed up, a decision that nobody signed is no approval, and no grant is made up."""
    run = broken(granted, Somebody())
    path, whole = run.log_path, run.log_path.read_bytes()
    forgeries: dict[str, Callable[[Records], object]] = {
        "no grant in the policy": _ungranted,
        "no grant in the question": lambda records: _loosened(
            records, lambda request: request["rules"].pop("break_glass")
        ),
        "no reason": lambda records: _decided(records).update(reason=""),
        "nothing missing": lambda records: _decided(records).pop("missing"),
        "worth more": lambda records: _decided(records).update(assurance=2),
        "a code alone": lambda records: _decided(records).update(channel="terminal"),
        "as if signed": _as_signed,
        "rejected": lambda records: _decided(records).update(decision="rejected"),
        "about another question": lambda records: _decided(records).update(digest="0" * 64),
        "not decided": lambda records: records.remove(
            next(record for record in records if record["type"] == "gate.decided")
        ),
        "late": lambda records: [
            record.update(ts="2099-01-01T00:00:00.000000Z")
            for record in records[next(at for at, each in enumerate(records) if each["type"] == "gate.decided") :]
        ],
        "a review by the same": lambda records: records.append(
            {
                **records[-1],
                "type": "note",
                "step": "approve",
                "data": {"text": "fine", "who": "zoe", "review": {"digest": _decided(records)["digest"]}},
            }
        ),
        "a review of nothing": lambda records: records.append(
            {
                **records[-1],
                "type": "note",
                "step": "approve",
                "data": {"text": "fine", "who": "yan", "review": {"digest": "0" * 64}},
            }
        ),
    }

    words = {}
    for name, forge in forgeries.items():
        records = records_in(path)
        forge(records)
        path.write_bytes(rechained(records))
        words[name] = verify_log(path, expect_head=records_in(path)[-1]["hash"]).word
        path.write_bytes(whole)

    assert words == dict.fromkeys(forgeries, "broken")


def test_somebody_else_reviews_it_later(granted: Team) -> None:
    """A review is a record behind the end: it says who looked, and changes nothing of what the run is worth."""
    run = broken(granted, Somebody())
    head = run.head

    done = workflow_exec("review", run.id, "approve", "It was down, I looked.", cwd=granted.project.root)

    assert (done.returncode, done.stderr) == (0, "")
    verdict = verify_log(run.log_path, expect_head=head.hash)
    [found] = verdict.broken_glass
    assert (verdict.word, verdict.assurance) == ("verified", 0)
    assert (found.reviewed_by, found.review) == (somebody().id, "It was down, I looked.")
    assert f"was broken by zoe, reviewed by {somebody().id}" in verdict.message
    assert "GLASS BROKEN by zoe" in workflow_exec("show", run.id, cwd=granted.project.root).stdout
    said = workflow_exec("verify", run.id, "--json", cwd=granted.project.root)
    assert json.loads(said.stdout)["predicate"]["pytestWorkflowExec"]["broken_glass"][0]["by"] == "zoe"


@pytest.mark.parametrize(
    ("arguments", "by", "said"),
    [
        (("approve", "Fine."), "", "somebody else has to review it"),
        (
            ("first", "Fine."),
            "zoe",
            "nobody broke the glass of 'first' in this run (gates where somebody did: approve)",
        ),
        (("approve", "  "), "zoe", "the review is empty"),
    ],
)
def test_what_is_no_review_is_not_written(granted: Team, arguments: tuple[str, str], by: str, said: str) -> None:
    """Not by the same person, not of another step, not without a word; the log stays as it is."""
    run = broken(granted, Somebody(who=by or somebody().id))
    whole = run.log_path.read_bytes()

    done = workflow_exec("review", run.id, *arguments, cwd=granted.project.root)

    assert done.returncode == 2
    assert said in done.stderr
    assert run.log_path.read_bytes() == whole
