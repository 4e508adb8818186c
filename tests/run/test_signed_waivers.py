"""Failures whose acceptance has to be signed: a code alone accepts nothing, and a stranger proves who did."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.approval import BallotRefusedError, Decision, GateRequest, ReadAnswer, SignatureDesk
from pytest_workflow_exec.digests import digest_of
from pytest_workflow_exec.errors import ApprovalLapsedError, GateDeniedError
from pytest_workflow_exec.events import Actor
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import Run
from tests.evidence._logs import records_in

from .test_signed_gate import ALICE, BOB, CAROL, PEOPLE, Team, _decided, _forge, _requested, keys, team, verdict_of

__all__ = ["keys", "team"]

FLOW = """
workflow: flow
steps:
  - {{id: tests, run: [echo, red], waive: {{question: Go on all the same?, assurance: 2, approvers: [managers]}}}}
  - {{id: first, run: [touch, first]}}
"""


class Signer:
    """Somebody at the terminal, with a key."""

    def __init__(self, team: Team, who: str, *, after: Callable[[], object] = lambda: None) -> None:
        self.team, self.who, self.after = team, who, after
        self.refused = ""

    def __call__(self, request: GateRequest, timeout_s: float, desk: SignatureDesk, read: ReadAnswer) -> Decision:
        """Sign, and type the code."""
        assert request.failure == "two builders are red"
        path = Path(desk.notice({}).splitlines()[0].removeprefix("What has to be signed is in "))
        path.with_name(f"{path.name}.sig").write_text(self.team.keys.sign(PEOPLE[self.who], message=path.read_bytes()))
        try:
            proof = desk.take({})
        except BallotRefusedError as error:
            self.refused = str(error)
            return _typed(request, timeout_s, desk, read)
        self.after()
        return Decision(
            decision="approved",
            reason="",
            approver=Actor(kind="human", id=proof.principal),
            channel="signature",
            terminal="/dev/pts/1",
            assurance=desk.worth(proof),
            proof=proof,
        )


def _typed(request: GateRequest, timeout_s: float, desk: SignatureDesk, read: ReadAnswer) -> Decision:
    """Say yes without a signature."""
    who = Actor(kind="human", id="mallory")
    return Decision(decision="approved", reason="", approver=who, channel="terminal", terminal="x", assurance=1)


def at_the_failure(team: Team, approver: Any) -> Run:
    """Return a run whose step failed."""
    run = team.open(flow=FLOW, signed_approver=approver)
    run.start(run.workflow.step("tests"))
    return run


def waived(team: Team) -> Run:
    """Return a run whose failure Alice accepted, and that went to its end."""
    run = at_the_failure(team, Signer(team, ALICE))
    assert run.waive(run.workflow.step("tests"), failure="two builders are red") == ALICE
    run.finish("tests", Outcome.WAIVED, message="two builders are red")
    team.project.perform(run, "first")
    run.close(interrupted=False)
    return run


def test_a_signature_accepts_a_failure(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Question, signed decision and use are in the log, and a stranger with the list of signers proves them worth 2."""
    run = waived(team)
    listed = team.signers_file(tmp_path_factory.mktemp("verifier"))

    types = [record.type for record in team.project.records(run)]
    assert types[types.index("gate.requested") : types.index("gate.used") + 1] == [
        "gate.requested",
        "gate.decided",
        "gate.used",
    ]
    proven, unproven = verdict_of(run, listed), verdict_of(run)
    assert (proven.exit_code, proven.assurance, proven.waived) == (0, 2, ("tests",))
    assert (unproven.exit_code, unproven.assurance) == (4, 1)
    assert [(name, group) for name, group in proven.asked_of] == [("managers", (ALICE, BOB))]


@pytest.mark.parametrize("who", ["a code alone", CAROL])
def test_nothing_else_does(team: Team, who: str) -> None:
    """No signature, or one of somebody who may not: the step stays failed, and nothing of it counts."""
    signer = _typed if who == "a code alone" else Signer(team, who)
    run = at_the_failure(team, signer)

    with pytest.raises(GateDeniedError, match="nobody signed"):
        run.waive(run.workflow.step("tests"), failure="two builders are red")

    run.finish("tests", Outcome.FAILED, message="red")
    run.close(interrupted=False)
    assert "gate.used" not in team.project.types(run)
    assert not (team.project.root / "first").exists()
    assert isinstance(signer, Signer) is (who == CAROL)
    assert verdict_of(run).word == "not passed"


def test_what_changed_before_its_use_is_not_used(team: Team) -> None:
    """A signature is for one question: where that is another one meanwhile, nothing is accepted."""
    signers = team.project.root / "workflow-signers"
    run = at_the_failure(team, Signer(team, ALICE, after=lambda: signers.write_text("")))

    with pytest.raises(ApprovalLapsedError, match="the signers"):
        run.waive(run.workflow.step("tests"), failure="two builders are red")

    run.close(interrupted=True)
    assert "gate.used" not in team.project.types(run)


def test_forged_acceptances_prove_nothing(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Another failure, another signer, no signature, loosened rules or a loosened plan: none is worth 2."""
    run = waived(team)
    listed = team.signers_file(tmp_path_factory.mktemp("verifier"))
    moment = datetime.now(timezone.utc) + timedelta(days=30)

    def with_request(change: Callable[[dict[str, Any]], object]) -> Callable[[list[dict[str, Any]]], None]:
        def forge(records: list[dict[str, Any]]) -> None:
            data = _requested(records)
            change(data["request"])
            for record in records:
                if record["type"].startswith("gate."):
                    record["data"]["digest"] = digest_of(data["request"])

        return forge

    def unplanned(records: list[dict[str, Any]]) -> None:
        plan = records[0]["data"]["plan"]
        plan["steps"][0].pop("signed")
        digest = records[0]["data"]["plan_digest"] = digest_of(plan)

        def loosen(request: dict[str, Any]) -> None:
            request.pop("rules")
            request["plan_digest"] = digest

        with_request(loosen)(records)
        _decided(records)[0].update(channel="terminal", assurance=2)

    forgeries: dict[str, Callable[[list[dict[str, Any]]], object]] = {
        "another failure": with_request(lambda request: request.update(failure="nothing to speak of")),
        "no rules": with_request(lambda request: request.pop("rules")),
        "other approvers": with_request(lambda request: request["rules"]["approvers"].update(managers=[CAROL])),
        "less": with_request(lambda request: request["rules"].update(assurance=3)),
        "a code": lambda records: _decided(records)[0].update(channel="terminal"),
        "no signature": lambda records: _decided(records)[0].pop("proof"),
        "another's": lambda records: _decided(records)[0].update(approver=BOB),
        "worth more": lambda records: _decided(records)[0].update(assurance=3),
        "not decided": lambda records: records.remove(
            next(record for record in records if record["type"] == "gate.decided")
        ),
        "broken glass": lambda records: _decided(records)[0].update(
            channel="break-glass", reason="x", missing="1 of managers", assurance=1
        ),
        "too late": lambda records: [
            record.update(ts=moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"))
            for record in records
            if record["type"] == "gate.decided"
        ],
        "not in the plan": unplanned,
    }
    codes = {name: _forge(run, forge, listed).exit_code for name, forge in forgeries.items()}

    # A claim of more than the signature proves is worth what it proves.
    assert codes.pop("worth more") == 0
    assert _forge(run, forgeries["worth more"], listed, at_least=3).exit_code == 4
    assert {name: code for name, code in codes.items() if code not in (1, 4)} == {}
    assert len(records_in(run.log_path)) == len(team.project.records(run))
