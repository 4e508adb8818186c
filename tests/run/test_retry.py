"""Attempts at one step: what is tried again, how long the waits are, and what the log and the state say of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.errors import OutputError, PollFailedError, StepOrderError
from pytest_workflow_exec.model import Command, ErrorClass, Outcome, Retry
from pytest_workflow_exec.run import (
    NextAttempt,
    Run,
    next_attempt,
    perform_check,
    perform_command,
    wait_before,
    wait_for,
)
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import rechained, records_in

from .conftest import Project, history_in, no_call

FLOW = """
steps:
  - {id: one, run: [touch, one]}
  - {id: two, run: [touch, two], retry: {attempts: 3, for: [transient, permission]}}
  - {id: three, run: [touch, three]}
finally:
  - {id: tidy, run: [touch, tidy], retry: 2}
"""
Records = list[dict[str, Any]]
TRANSIENT = NextAttempt(error_class="transient", wait_s=1.5, number=2, of=3)


def _fail(run: Run, step: str, error_class: ErrorClass = "transient") -> NextAttempt | None:
    """Let an attempt at a step fail, and announce the next one if there is one."""
    tries = run.attempt_of(step)
    run.start(run.workflow.step(step))
    tries = run.attempt_of(step)
    run.finish(step, Outcome.FAILED, message="it failed", error_class=error_class)
    following = next_attempt(run.workflow.step(step), tries=tries, error_class=error_class)
    if following is not None:
        run.wait_again(run.workflow.step(step), following)
    return following


@pytest.fixture
def tried(project: Project) -> Run:
    """A run that passed, one step of it in its third attempt and one of `finally` in its second."""
    run = project.open(FLOW)
    project.perform(run, "one")
    _fail(run, "two")
    _fail(run, "two", "permission")
    project.perform(run, "two")
    project.perform(run, "three")
    _fail(run, "tidy")
    project.perform(run, "tidy")
    run.close(interrupted=False)
    return run


def _told(run: Run, records: Records) -> Verdict:
    path = run.log_path.with_name("told") / "evidence.jsonl"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(rechained(records))
    return verify_log(path, expect_head=records_in(path)[-1]["hash"])


def test_only_named_classes_are_tried_again_and_only_so_often() -> None:
    """A step is tried again after the classes that it names, until there were as many attempts as it says."""
    step = _step(Retry(attempts=3, classes=("transient",)))

    assert next_attempt(step, tries=1, error_class="transient") is not None
    assert next_attempt(step, tries=2, error_class="transient") is not None
    assert next_attempt(step, tries=3, error_class="transient") is None
    for other in ("permission", "business", "definition", "policy", "internal"):
        assert next_attempt(step, tries=1, error_class=other) is None
    assert next_attempt(_step(None), tries=1, error_class="transient") is None


def _step(retry: Retry | None) -> Any:
    class Step:
        """All that is asked of a step here."""

        poll = None

    step = Step()
    step.retry = retry  # type: ignore[attr-defined]  # it stands in for a step
    return step


def test_waits_grow_up_to_the_longest() -> None:
    """Each wait is twice the one before with some chance on top, and none is longer than the longest."""
    retry = Retry(attempts=9, wait_s=2.0, max_wait_s=20.0)

    waits = [[wait_before(retry, tries) for _ in range(50)] for tries in (1, 2, 3, 4, 8)]

    for found, (least, most) in zip(waits, ((2, 4), (4, 6), (8, 10), (16, 18), (20, 20)), strict=True):
        assert all(least <= wait <= most for wait in found)
    assert len(set(waits[0])) > 1


def test_an_interrupt_ends_a_wait() -> None:
    """Whatever is raised while it waits, as a signal does, ends the wait at once and nothing swallows it."""
    told: list[float] = []

    def interrupt(left_s: float) -> None:
        told.append(left_s)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        wait_for(3600, tell=interrupt)

    assert len(told) == 1


def test_attempts_are_all_in_the_log(tried: Run) -> None:
    """Each attempt has its start and end, between two of them is what was waited for, and the run passed."""
    about = [
        (record["type"], record["attempt"], record["data"].get("outcome"), record["data"].get("class"))
        for record in records_in(tried.log_path)
        if record["step"] == "two" and not record["type"].startswith("command")
    ]
    last = records_in(tried.log_path)[-1]["data"]

    assert about == [
        ("step.started", 1, None, None),
        ("step.finished", 1, "failed", "transient"),
        ("retry.waiting", 1, None, "transient"),
        ("step.started", 2, None, None),
        ("step.finished", 2, "failed", "permission"),
        ("retry.waiting", 2, None, "permission"),
        ("step.started", 3, None, None),
        ("step.finished", 3, "passed", None),
    ]
    assert (last["result"], last["counts"]) == ("passed", {"passed": 4})
    verdict = _told(tried, records_in(tried.log_path))
    assert (verdict.exit_code, dict(verdict.steps)) == (0, {"passed": 4})


def test_a_step_that_waits_is_failed_until_it_starts(project: Project) -> None:
    """Ended while it waits, the run has a failed step whose effect is known; a resumed one begins with new attempts."""
    run = project.open(FLOW)
    project.perform(run, "one")
    _fail(run, "two")
    with pytest.raises(StepOrderError, match="waits for two"):
        run.start(run.workflow.step("three"))
    run.close(interrupted=True)

    assert project.last_outcomes(run) == {"one": "passed", "two": "failed", "three": "blocked", "tidy": "blocked"}
    history = history_in(run.log_path)
    assert (history.unknown, history.attempts) == ({}, {"one": 1, "two": 1})
    resumed = project.open(FLOW, after=run)
    resumed.carry(resumed.workflow.step("one"))
    _fail(resumed, "two")
    project.perform(resumed, "two")
    for step in ("three", "tidy"):
        project.perform(resumed, step)
    resumed.close(interrupted=False)
    verdict = verify_log(resumed.log_path, expect_head=resumed.head.hash)
    assert (verdict.exit_code, verdict.message) == (0, "intact, complete, passed, and anchored by your head")
    assert [r["attempt"] for r in records_in(run.log_path) if (r["type"], r["step"]) == ("step.started", "two")] == [
        1, 2, 3,
    ]  # fmt: skip


def test_only_a_step_that_just_failed_is_announced_again(project: Project) -> None:
    """Another attempt at a step that passed, is under way, or behind which something began is refused unwritten."""
    run = project.open(FLOW)
    one, two = run.workflow.step("one"), run.workflow.step("two")
    run.start(one)
    with pytest.raises(StepOrderError, match="did not just fail"):
        run.wait_again(one, TRANSIENT)
    run.finish("one", Outcome.PASSED)
    with pytest.raises(StepOrderError, match="did not just fail"):
        run.wait_again(one, TRANSIENT)
    _fail(run, "two", "business")
    with pytest.raises(StepOrderError, match="did not just fail"):
        run.wait_again(one, TRANSIENT)
    with pytest.raises(StepOrderError, match="already ended"):
        run.start(two)

    assert "retry.waiting" not in project.types(run)


def _places(records: Records, kind: str, step: str = "two") -> list[int]:
    return [place for place, record in enumerate(records) if (record["type"], record["step"]) == (kind, step)]


def _say(kind: str, number: int, **data: object) -> Callable[[Records], object]:
    return lambda records: records[_places(records, kind)[number]]["data"].update(data)


def _drop(kind: str, number: int) -> Callable[[Records], object]:
    return lambda records: records.pop(_places(records, kind)[number])


def _as(kind: str, number: int, attempt: int) -> Callable[[Records], object]:
    return lambda records: records[_places(records, kind)[number]].update(attempt=attempt)


def _passed_before(records: Records) -> None:
    """With the records of the command that ran in the last attempt."""
    ran = [records[_places(records, kind)[0]] for kind in ("command.started", "command.finished")]
    place = _places(records, "step.finished")[0]
    records[place]["data"].update(outcome="passed")
    records[place:place] = [{**each, "attempt": 1} for each in ran]


def _double_wait(records: Records) -> None:
    place = _places(records, "retry.waiting")[0]
    records.insert(place, records[place])


def _wait_behind(records: Records) -> None:
    records.append(records.pop(_places(records, "retry.waiting")[0]))
    records[-2:] = records[:-3:-1]


def _once_more(records: Records) -> None:
    """A fourth attempt, where the plan has three."""
    place = _places(records, "step.started")[2]
    third = records[place - 2 : place]
    records[place + 3]["data"].update(outcome="failed", **{"class": third[1]["data"]["class"]})
    more = [{**records[place], "attempt": 4}, {**records[place + 3], "attempt": 4}]
    more[1]["data"] = {**more[1]["data"], "outcome": "passed"}
    wait = {**third[1], "attempt": 3, "data": {**third[1]["data"], "next": 4}}
    records[place + 4 : place + 4] = [wait, *more]


def _unplanned(records: Records) -> None:
    """Without `retry` in the plan, with its digest as it then is."""
    from pytest_workflow_exec.digests import digest_of

    plan = records[0]["data"]["plan"]
    for step in plan["steps"]:
        step.pop("retry", None)
        step.pop("poll", None)
    records[0]["data"]["plan_digest"] = digest_of(plan)


FORGED: dict[str, tuple[Callable[[Records], object], str]] = {
    "without its wait": (_drop("retry.waiting", 0), "it has ended before"),
    "without the failure": (_drop("step.finished", 0), "no attempt at it has just failed"),
    "passed before": (_passed_before, "no attempt at it has just failed"),
    "passed before, without its command": (
        _say("step.finished", 0, outcome="passed"),
        "no record says that its command ran",
    ),
    "interrupted before": (_say("step.finished", 0, outcome="interrupted"), "no attempt at it has just failed"),
    "denied before": (_say("step.finished", 0, outcome="denied"), "no attempt at it has just failed"),
    "another class": (_say("step.finished", 0, **{"class": "business"}), "after another failure than the one before"),
    "no class": (_say("retry.waiting", 0, **{"class": None}), "no text 'class'"),
    "class that the plan does not name": (
        lambda records: [
            _say(kind, 0, **{"class": "business"})(records) for kind in ("step.finished", "retry.waiting")
        ],
        "after a failure of class 'business'; its plan does so after transient, permission",
    ),
    "another number announced": (_say("retry.waiting", 0, next=3), "or in another attempt"),
    "a wait of another attempt": (_as("retry.waiting", 0, 2), "no attempt at it has just failed"),
    "an attempt left out": (_as("step.started", 1, 3), "but attempt 2 was announced"),
    "announced twice": (_double_wait, "no attempt at it has just failed"),
    "announced later": (_wait_behind, "it has ended before"),
    "for another reason": (_say("retry.waiting", 0, why="poll"), "its plan does not say so"),
    "once more than planned": (_once_more, "there were 3 attempts of 3 already"),
    "not planned": (_unplanned, "its plan does not say so"),
}


@pytest.mark.parametrize(("change", "reason"), FORGED.values(), ids=FORGED)
def test_forged_attempts_are_broken(tried: Run, change: Callable[[Records], object], reason: str) -> None:
    """Attempts that the plan does not allow, or that do not follow from the one before, contradict the log."""
    records = records_in(tried.log_path)

    change(records)
    verdict = _told(tried, records)

    assert (verdict.exit_code, verdict.kind) == (1, "inconsistent"), verdict
    assert reason in verdict.message


def test_an_announcement_alone_makes_nothing_green(tried: Run) -> None:
    """A run whose step was to be tried again and was not is no passed run, whatever its end says."""
    records = records_in(tried.log_path)
    start = _places(records, "step.started")[2]
    del records[start : start + 4]

    verdict = _told(tried, records)

    assert (verdict.exit_code, verdict.kind) == (1, "inconsistent")
    assert "it is not the turn of step 'three': 'two' is failed" in verdict.message


def test_the_event_says_how_long_and_why() -> None:
    """What is written of a wait: the class, how long, which attempt follows, of how many, and why."""
    event = events.retry_waiting("a", attempt=2, error_class="transient", wait_s=1.25, of=3, why="retry")

    assert dict(event.data) == {"class": "transient", "wait_s": 1.25, "next": 3, "of": 3, "why": "retry"}


CHECKED = """
steps:
  - {id: two, run: [touch, two], retry: 2, check: {run: [cp, nothing, there]}}
"""


def test_a_check_is_asked_before_the_first_attempt_only(project: Project) -> None:
    """The check speaks of what a broken-off session did; behind a failed attempt of this one the body just runs again."""
    run = project.open(CHECKED)
    run.start(run.workflow.step("two"))
    run.close(interrupted=True)
    resumed = project.open(CHECKED, after=run)
    two = resumed.workflow.step("two")

    resumed.start(two)
    assert perform_check(resumed, two, call=no_call) is None
    resumed.finish("two", Outcome.FAILED, message="it failed", error_class="transient")
    following = next_attempt(two, tries=1, error_class="transient")
    assert following is not None
    resumed.wait_again(two, following)
    resumed.start(two)
    assert isinstance(two.body, Command)
    resumed.finish("two", Outcome.PASSED, outputs=perform_command(resumed, two, two.body))
    resumed.close(interrupted=False)

    starts = [each["data"].get("probe") for each in records_in(run.log_path) if each["type"] == "step.started"]
    assert starts == [None, True, None]
    verdict = verify_log(resumed.log_path, expect_head=resumed.head.hash)
    assert (verdict.exit_code, verdict.message) == (0, "intact, complete, passed, and anchored by your head")


POLLED = """
steps:
  - {id: two, run: [touch, two], poll: {every: 10s, timeout: 25s}}
"""


def test_a_poll_looks_again_as_long_as_its_time_lasts(project: Project) -> None:
    """It looks again after what says that it is too early, as often as its waits fit, and the log says no more."""
    run = project.open(POLLED)
    two = run.workflow.step("two")
    for tries in (1, 2):
        run.start(two)
        run.finish("two", Outcome.FAILED, message="not yet", error_class="business")
        following = next_attempt(two, tries=tries, error_class="business")
        assert following is not None
        assert (following.wait_s, following.why, following.of) == (10.0, "poll", 3)
        run.wait_again(two, following)
    project.perform(run, "two")
    run.close(interrupted=False)

    assert next_attempt(two, tries=3, error_class="business") is None
    assert next_attempt(two, tries=1, error_class="permission") is None
    for error in (OutputError("no version"), PollFailedError(argv=["x"], found="it ended with 3")):
        assert next_attempt(two, tries=1, error_class="business", error=error) is None
    records = records_in(run.log_path)
    assert _told(run, records).exit_code == 0
    _once_more(records)
    assert "there were 3 attempts of 3 already" in _told(run, records).message
    for change in (_say("retry.waiting", 0, why="retry"), _unplanned):
        records = records_in(run.log_path)
        change(records)
        assert "its plan does not say so" in _told(run, records).message
