"""Forms of gates that want signatures: what is filled in is part of what is signed, and one for all who sign."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pytest_workflow_exec.approval import (
    Ballot,
    BallotRefusedError,
    ChallengeError,
    answers_in_challenge,
    ballot_in,
    challenge_of,
)
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import hand_in
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import Run
from pytest_workflow_exec.verify import Demand, InsufficientError, Signatures, demand_approval

from .test_signed_gate import (
    ALICE,
    BOB,
    Team,
    _decided,
    _forge,
    keys,
    question_of,
    team,
    to_the_gate,
    verdict_of,
)

__all__ = ["keys", "team"]

FORM = ", form: {ticket: {pattern: 'REL-[0-9]+'}, count: {type: integer, default: 1}}"
FILLED: dict[str, Json] = {"ticket": "REL-1", "count": 2}
OTHER: dict[str, Json] = {"ticket": "REL-2", "count": 2}


def go_on(team: Team, run: Run, more: str = FORM) -> Run:
    """Return the run that went on to its end."""
    later = team.open(more, after=run)
    to_the_gate(team.project, later)
    gate = later._gatekeeper.approval
    assert gate is not None
    later.finish("approve", Outcome.PASSED, outputs=_outputs(gate.answers))
    team.project.perform(later, "first")
    later.close(interrupted=False)
    return later


def _outputs(answers: Any) -> Any:
    from pytest_workflow_exec.run import StepOutputs

    return StepOutputs(values={"approver": ALICE, **answers}, files={})


def test_what_is_filled_in_is_signed_and_left(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The signature covers it, the record holds it, steps behind the gate see it, and a stranger proves all that."""
    run = team.suspend(FORM)
    team.sign(run, ALICE, answers=FILLED)

    later = go_on(team, run)

    [decided] = _decided([*_records(later)])
    assert decided["form"] == FILLED
    assert later.values.outputs["approve"].values["ticket"] == "REL-1"
    assert verdict_of(later, team.signers_file(tmp_path_factory.mktemp("verifier"))).exit_code == 0


def test_all_who_sign_fill_in_the_same(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Whoever signs something else beside the first is not taken in; the same again is."""
    more = FORM + ", required: 2"
    run = team.suspend(more)
    team.sign(run, ALICE, answers=FILLED)
    again = team.suspend(more, after=run)
    team.sign(again, BOB, answers=OTHER)
    third = team.suspend(more, after=again)
    assert any("it fills in something else than whoever signed first" in line for line in team.told)
    assert len(_decided([*_records(third)])) == 1
    team.sign(third, BOB, answers=FILLED)

    later = go_on(team, third, more)

    assert len(_decided([*_records(later)])) == 2
    assert verdict_of(later, team.signers_file(tmp_path_factory.mktemp("verifier"))).exit_code == 0


@pytest.mark.parametrize(
    "answers",
    [{"ticket": "NO-1", "count": 2}, {"ticket": "REL-1", "count": "2"}, {"ticket": "REL-1", "count": 2.5}],
    ids=["pattern", "type", "kind"],
)
def test_what_is_no_answer_is_not_taken_in(team: Team, answers: dict[str, Json]) -> None:
    """A good signature over values that the form does not allow opens nothing."""
    run = team.suspend(FORM)
    team.sign(run, ALICE, answers=answers)

    later = team.suspend(FORM, after=run)

    assert any("what it fills in is none" in line for line in team.told)
    assert not _decided([*_records(later)])
    assert not (team.project.root / "first").exists()


@pytest.mark.parametrize("answers", [{}, {"ticket": "REL-1"}, {**FILLED, "more": 1}], ids=["none", "few", "many"])
def test_other_fields_can_not_be_signed(team: Team, answers: dict[str, Json]) -> None:
    """What is signed fills in each field and nothing else; a rejection fills in nothing."""
    request = question_of(team.suspend(FORM))

    with pytest.raises(ChallengeError, match="fills in just what is asked for: count, ticket"):
        challenge_of(request, "approve", answers=answers)
    with pytest.raises(ChallengeError, match="fills in just what is asked for: nothing"):
        challenge_of(request, "reject", reason="no", answers=FILLED)
    assert answers_in_challenge(challenge_of(request, "approve", answers=FILLED)) == FILLED
    assert answers_in_challenge(challenge_of(request, "reject", reason="form {}")) is None
    assert answers_in_challenge(b"\xff") is None


def test_a_filled_form_of_another_signature_is_none(team: Team) -> None:
    """The values beside a signature have to be those under it."""
    run = team.suspend(FORM)
    ballot = team.sign(run, ALICE, answers=FILLED)
    [file] = run.log_path.parent.glob("*/*.decision*")
    file.unlink()
    hand_in(run.log_path.parent, replace(ballot, answers=OTHER).content())

    later = team.suspend(FORM, after=run)

    assert any("is not taken in" in line for line in team.told)
    assert not _decided([*_records(later)])


def test_a_handed_in_form_is_read_strictly(team: Team) -> None:
    """What is no table of values, or written otherwise than by the tool, is no decision."""
    ballot = team.sign(team.suspend(FORM), ALICE, answers=FILLED)
    whole = ballot.content()
    assert ballot_in(whole) == ballot
    plain = Ballot(**{**_fields(ballot), "answers": {}})
    assert b"answers" not in plain.content()

    for spoilt in (
        whole.replace(b'"answers":{', b'"answers":[{').replace(b'},"armor"', b'}],"armor"'),
        whole.replace(b'"count":2', b'"count": 2'),
        plain.content().replace(b'"armor"', b'"answers":{},"armor"'),
    ):
        assert spoilt not in (whole, plain.content())
        with pytest.raises(BallotRefusedError):
            ballot_in(spoilt)


def test_forged_forms_prove_nothing(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the log says was filled in is what was signed and what the gate left, or nothing is proven."""
    more = FORM + ", required: 2"
    run = team.suspend(more)
    team.sign(run, ALICE, answers=FILLED)
    team.sign(run, BOB, answers=FILLED)
    later = go_on(team, run, more)
    listed = team.signers_file(tmp_path_factory.mktemp("verifier"))
    assert verdict_of(later, listed).exit_code == 0

    def left(records: list[dict[str, Any]], **outputs: Json) -> None:
        ended = next(each for each in records if (each["type"], each["step"]) == ("step.finished", "approve"))
        while ended["data"]["outcome"] != "passed":
            ended = [each for each in records if (each["type"], each["step"]) == ("step.finished", "approve")][-1]
        ended["data"]["outputs"].update(outputs)

    def both(records: list[dict[str, Any]]) -> None:
        for data in _decided(records):
            data.update(form=OTHER)
        left(records, **OTHER)

    forgeries: dict[str, Callable[[list[dict[str, Any]]], object]] = {
        "another value": lambda records: [data.update(form=OTHER) for data in _decided(records)],
        "and left, too": both,
        "of one of them": lambda records: _decided(records)[0].update(form=OTHER),
        "of the other": lambda records: _decided(records)[1].update(form=OTHER),
        "nothing": lambda records: [data.pop("form") for data in _decided(records)],
        "more": lambda records: [data.update(form={**FILLED, "more": 1}) for data in _decided(records)],
        "left otherwise": lambda records: left(records, ticket="REL-9"),
    }

    assert {name: _forge(later, change, listed).exit_code in (1, 4) for name, change in forgeries.items()} == (
        dict.fromkeys(forgeries, True)
    )


def test_the_deploying_host_counts_only_one_form(team: Team, tmp_path_factory: pytest.TempPathFactory) -> None:
    """`require` judges what was filled in with the signatures, without the rest of the log."""
    run = team.suspend(FORM)
    team.sign(run, ALICE, answers=FILLED)
    later = go_on(team, run)
    listed = team.signers_file(tmp_path_factory.mktemp("verifier"))
    demand = Demand(step="approve", artifacts={})

    assert demand_approval(later.log_path, demand, Signatures(listed, None)).signed[0].principal == ALICE
    whole = later.log_path.read_bytes()
    from tests.evidence._logs import rechained, records_in

    records = records_in(later.log_path)
    _decided(records)[0]["form"] = OTHER
    later.log_path.write_bytes(rechained(records))
    with pytest.raises(InsufficientError):
        demand_approval(later.log_path, demand, Signatures(listed, None))
    later.log_path.write_bytes(whole)


def _records(run: Run) -> list[dict[str, Any]]:
    from tests.evidence._logs import records_in

    return records_in(run.log_path)


def _fields(ballot: Ballot) -> dict[str, Any]:
    return {name: getattr(ballot, name) for name in ballot.__dataclass_fields__}
