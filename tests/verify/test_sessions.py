"""Runs that went on: each session earns what it claims, whatever an earlier one did."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import (
    begun,
    decided,
    ended,
    finished,
    passed_run,
    records_in,
    requested,
    resumed,
    started,
    used,
    written,
)

BUILD_CARRIED = ended("build", Outcome.CARRIED)
ASKED_AGAIN = [
    begun("approve", attempt=2),
    requested(attempt=2),
    decided(attempt=2),
    ended("approve", attempt=2),
    used(attempt=2),
]
PUBLISHED = [begun("publish", attempt=2), ended("publish", attempt=2), finished()]
ALL_AGAIN = [BUILD_CARRIED, *ASKED_AGAIN, *PUBLISHED]


def _verdict(folder: Path, happened: list[Event]) -> Verdict:
    path = written(folder, happened)
    return verify_log(path, expect_head=records_in(path)[-1]["hash"])


def _struck() -> list[Event]:
    """Return a run whose process died in its last step."""
    return [*passed_run()[:-2], events.command_started("publish", attempt=1, facts={"argv": ["x"]})]


def _failed() -> list[Event]:
    """Return a run whose last step failed."""
    return [*passed_run()[:-2], ended("publish", Outcome.FAILED), finished("failed", not_satisfied=["publish"])]


@pytest.mark.parametrize("before", [_struck(), _failed()], ids=["struck", "failed"])
def test_a_resumed_run_carries_what_is_satisfied_and_runs_the_rest(tmp_path: Path, before: list[Event]) -> None:
    """After `run.resumed`, whether the session before has an end or not, each step is carried or run, in order."""
    verdict = _verdict(tmp_path, [*before, resumed(), *ALL_AGAIN])

    assert (verdict.exit_code, verdict.sessions) == (0, 2), verdict
    assert dict(verdict.steps) == {"carried": 1, "passed": 2}
    assert [gate.attempt for gate in verdict.gates] == [2]


@pytest.mark.parametrize("result", ["failed", "denied", "interrupted", "partial"])
def test_the_result_is_that_of_the_last_session(tmp_path: Path, result: events.RunResult) -> None:
    """Each session has an end of its own; a run is what its last session made of it, and unfinished without its end."""
    first = [started(), begun("build"), ended("build")]
    if result == "partial":
        story = [*first, finished("partial", not_satisfied=["approve", "publish"])]
    else:
        story = [*first, ended("approve", Outcome.BLOCKED), ended("publish", Outcome.BLOCKED), finished(result)]
    again = [BUILD_CARRIED, *passed_run()[5:]]

    assert _verdict(tmp_path, story).exit_code == 4
    assert _verdict(tmp_path, [*story, resumed()]).exit_code == 3
    assert _verdict(tmp_path, [*story, resumed(), *again[:-1]]).word == "bounded"
    assert _verdict(tmp_path, [*story, resumed(), *again]).exit_code == 0
    blocked = [ended(step, Outcome.BLOCKED) for step in ("build", "approve", "publish")]
    assert _verdict(tmp_path, [*story, resumed(), *blocked, finished("interrupted")]).result == "interrupted"


@pytest.mark.parametrize(
    "session",
    {
        "the rest alone": PUBLISHED,
        "a gate that covers nothing": [BUILD_CARRIED, ended("approve", Outcome.CARRIED), *PUBLISHED],
        "an approval used a second time": [BUILD_CARRIED, ended("approve", Outcome.CARRIED), used(), *PUBLISHED],
        "an approval not used": [BUILD_CARRIED, *ASKED_AGAIN[:-1], *PUBLISHED],
        "carried twice": [BUILD_CARRIED, BUILD_CARRIED],
        "carried what failed": [ended("publish", Outcome.CARRIED)],
        "passed without a start": [ended("publish"), finished()],
        "carried out of turn": [ended("approve", Outcome.CARRIED)],
        "carried after its start": [begun("build", attempt=2), BUILD_CARRIED],
        "an attempt of before": [begun("build"), ended("build")],
        "an old approval in a new attempt": [BUILD_CARRIED, begun("approve", attempt=2), ended("approve", attempt=2)],
        "an old attempt's approval": [BUILD_CARRIED, begun("approve", attempt=2), ended("approve")],
        "decided without a question": [BUILD_CARRIED, begun("approve", attempt=2), decided(attempt=2)],
        "a second start": [BUILD_CARRIED, started()],
        "a passed end": [finished()],
    }.values(),
)  # fmt: skip
def test_a_resumed_run_earns_what_it_claims(tmp_path: Path, session: list[Event]) -> None:
    """Nothing is carried that was not satisfied, and what an earlier session was told lets nothing start again."""
    assert _verdict(tmp_path, [*_failed(), resumed(), *session]).kind == "inconsistent"


def test_an_approval_that_was_not_used_may_be_used_by_a_later_session(tmp_path: Path) -> None:
    """A process that died between a decision and the step behind it leaves a decision that can be used once."""
    died = passed_run()[:9]
    carried = [BUILD_CARRIED, ended("approve", Outcome.CARRIED)]
    publish = [begun("publish"), ended("publish"), finished()]

    assert _verdict(tmp_path, [*died, resumed(), *carried, used(), *publish]).exit_code == 0
    assert _verdict(tmp_path, [*died, resumed(), *carried, used(), used(), *publish]).kind == "inconsistent"
    assert _verdict(tmp_path, [*died, resumed(), *carried, *publish]).kind == "inconsistent"


def test_what_was_started_again_and_failed_is_carried_no_more(tmp_path: Path) -> None:
    """A step that ran again counts as it ended then, over any number of sessions."""
    second = [begun("build", attempt=2), ended("build", Outcome.FAILED, attempt=2), finished("failed")]

    assert _verdict(tmp_path, [*_failed(), resumed(), *second, resumed(session=3), *ALL_AGAIN]).kind == "inconsistent"
    third = [begun("build", attempt=3), ended("build", attempt=3), *ALL_AGAIN[1:]]
    assert _verdict(tmp_path, [*_failed(), resumed(), *second, resumed(session=3), *third]).exit_code == 0


def test_what_is_carried_stays_carried_over_sessions(tmp_path: Path) -> None:
    """A step that a session carried, or never came to, may be carried by the next one."""
    never = [finished("interrupted")]
    carried = [BUILD_CARRIED, finished("interrupted")]

    verdict = _verdict(
        tmp_path, [*_failed(), resumed(), *never, resumed(session=3), *carried, resumed(session=4), *ALL_AGAIN]
    )

    assert (verdict.exit_code, verdict.sessions) == (0, 4)


@pytest.mark.parametrize(("key", "value"), [("digest", "e" * 64), ("kind", "call")])
def test_only_the_same_step_is_carried(tmp_path: Path, key: str, value: str) -> None:
    """A step whose definition changed between two sessions can't be carried; one that moved can."""
    plan = started().data["plan"]
    assert isinstance(plan, dict)
    changed: Json = {**plan, "steps": [{**plan["steps"][0], key: value}, *plan["steps"][1:]]}
    added: Json = {**plan, "steps": [{"id": "first", "kind": "step", "digest": "d" * 64}, *plan["steps"]]}

    verdict = _verdict(tmp_path, [*_struck(), resumed(plan=changed), BUILD_CARRIED])
    moved = _verdict(
        tmp_path, [*_struck(), resumed(plan=added), begun("first"), ended("first"), *ALL_AGAIN]
    )  # fmt: skip

    assert verdict.kind == "inconsistent"
    assert "no earlier end of it satisfies" in verdict.message
    assert (moved.exit_code, moved.plan_digest) == (0, digest_of(added))


@pytest.mark.parametrize(
    ("says", "reason"),
    [
        ({"workflow": "other"}, "as one of another workflow"),
        ({"session": 3}, "it does not say that it is session 2"),
        ({"session": None}, "it does not say that it is session 2"),
        ({"carried": None}, "and what it carries"),
        ({"carried": []}, "its session says that it is not"),
        ({"policy": {}}, "no text 'digest'"),
    ],
)
def test_a_session_says_what_it_is(tmp_path: Path, says: dict[str, Json], reason: str) -> None:
    """A session is of the same workflow, has the next number and carries what it said that it would."""
    verdict = _verdict(tmp_path, [*_struck(), resumed(**says), *ALL_AGAIN])

    assert verdict.kind == "inconsistent"
    assert reason in verdict.message
    assert _verdict(tmp_path, [*_struck(), resumed(carried=["build"]), *ALL_AGAIN]).exit_code == 0


@pytest.mark.parametrize("outcome", [Outcome.CARRIED, Outcome.BLOCKED, Outcome.NOT_APPLICABLE])
def test_an_end_without_a_start_is_of_the_last_attempt(tmp_path: Path, outcome: Outcome) -> None:
    """A step that does not run in a session ends under the number that it had before."""
    second = [begun("build", attempt=2), ended("build", attempt=2), finished("interrupted")]
    story = [*_failed(), resumed(), *second, resumed(session=3)]

    assert _verdict(tmp_path, [*story, ended("build", outcome, attempt=2)]).kind is None
    assert _verdict(tmp_path, [*story, ended("build", outcome, attempt=1)]).kind == "inconsistent"
    assert _verdict(tmp_path, [*story, ended("build", outcome, attempt=3)]).kind == "inconsistent"


def test_a_passed_run_does_not_go_on(tmp_path: Path) -> None:
    """Behind a passed end, no session may follow."""
    assert _verdict(tmp_path, [*passed_run(), resumed()]).kind == "inconsistent"


def test_an_invalidated_step_is_not_carried(tmp_path: Path) -> None:
    """A step that a session found to count no more has to run again, also in a later session."""
    again = events.step_invalidated("build", reasons=["its definition or source changed"])
    run = [begun("build", attempt=2), ended("build", attempt=2), *ALL_AGAIN[1:]]

    assert _verdict(tmp_path, [*_failed(), resumed(), again, *run]).exit_code == 0
    assert _verdict(tmp_path, [*_failed(), resumed(), again, *ALL_AGAIN]).kind == "inconsistent"
    later = [*_failed(), resumed(), again, finished("interrupted"), resumed(session=3)]
    assert _verdict(tmp_path, [*later, *run]).exit_code == 0
    assert _verdict(tmp_path, [*later, *ALL_AGAIN]).kind == "inconsistent"


def test_consent_to_run_steps_again_is_asked_given_and_used_before_any_step(tmp_path: Path) -> None:
    """The engine's own question stands at a session's start; without an approval that was used, no step starts."""
    digest = digest_of({})
    ask = events.gate_requested(None, attempt=2, request={}, digest=digest)
    use = events.gate_used(None, attempt=2, digest=digest, used_by=None)

    def decide(decision: events.Decided, of: str = digest) -> Event:
        return events.gate_decided(
            None,
            attempt=2,
            decision=decision,
            reason="",
            approver=events.ENGINE,
            channel="terminal",
            terminal="",
            assurance=1,
            digest=of,
        )

    before = [*_struck(), resumed()]
    stop = [ended("publish", Outcome.BLOCKED), finished("denied")]

    assert _verdict(tmp_path, [*before, ask, decide("approved"), use, *ALL_AGAIN]).exit_code == 0
    assert _verdict(tmp_path, [*before, ask, decide("rejected"), *stop[:-1]]).kind is None
    for asking in (
        [ask],
        [ask, decide("approved")],
        [ask, decide("rejected"), use],
        [ask, decide("approved", "e" * 64), use],
        [decide("approved"), use],
        [ask, decide("approved"), use, use],
        [ask, ask],
    ):
        assert _verdict(tmp_path, [*before, *asking, *ALL_AGAIN]).kind == "inconsistent"
    assert _verdict(tmp_path, [*before, *ALL_AGAIN[:-1], ask]).kind == "inconsistent"
    assert _verdict(tmp_path, [passed_run()[0], ask]).kind == "inconsistent"


def test_every_policy_of_a_run_is_told(tmp_path: Path) -> None:
    """Sessions may run under other policies: the verdict names each of them once."""
    verdict = _verdict(tmp_path, [*_struck(), resumed(policy={"digest": "1" * 64}), *ALL_AGAIN])

    assert verdict.policies == ("e" * 64, "1" * 64)


@pytest.mark.parametrize("weak", ["used in the first session", "of a gate that passed", "consent"])
def test_the_weakest_decision_that_counted_is_told(tmp_path: Path, weak: str) -> None:
    """Whatever let anything go on counts, also in an earlier session; what let nothing go on does not."""

    def worth(event: Event, assurance: int) -> Event:
        return dataclasses.replace(event, data={**event.data, "assurance": assurance})

    ask = events.gate_requested(None, attempt=2, request={}, digest=digest_of({}))
    yes = dataclasses.replace(decided(), step=None, attempt=2, data={**decided().data, "digest": digest_of({})})
    use = events.gate_used(None, attempt=2, digest=digest_of({}), used_by=None)
    first = [worth(event, 1 if weak.startswith("used") else 3) if event.type == "gate.decided" else event
             for event in _failed()]  # fmt: skip
    consent = [ask, worth(yes, 1 if weak == "consent" else 3), use]
    second = [worth(event, 1 if weak.startswith("of a gate") else 3) if event.type == "gate.decided" else event
              for event in ALL_AGAIN]  # fmt: skip

    assert _verdict(tmp_path, [*first, resumed(), *consent, *second]).assurance == 1
    assert _verdict(tmp_path, [started(), begun("build"), ended("build"), finished("partial")]).assurance is None
    rejected = [*passed_run()[:7], decided("rejected"), ended("approve", Outcome.DENIED), finished("denied")]
    assert _verdict(tmp_path, rejected).assurance is None
