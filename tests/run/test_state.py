"""The order rule, without pytest: what may start, and what is true after something ended."""

from __future__ import annotations

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.errors import StepOrderError
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.run import Plan, RunState, admit, apply, fold, settle

STEPS = ("plan", "build", "deploy")
UNSATISFYING = [outcome for outcome in Outcome if not outcome.satisfies]
SATISFYING = [outcome for outcome in Outcome if outcome.satisfies]


def fresh() -> RunState:
    """Return the state of a run that has not begun."""
    return RunState(plan=Plan(STEPS))


def test_first_step_may_start() -> None:
    """A run begins with its first step."""
    admit(fresh(), "plan")


def test_step_waits_for_every_earlier_step() -> None:
    """A step may not start while any earlier step has not run, even one that it does not name."""
    state = settle(fresh(), "plan", Outcome.PASSED)

    with pytest.raises(StepOrderError) as caught:
        admit(state, "deploy")

    assert caught.value.waiting_for == "build"
    assert caught.value.because == "has not run"


@pytest.mark.parametrize("outcome", UNSATISFYING)
def test_unsatisfying_outcome_stops_every_later_step(outcome: Outcome) -> None:
    """After an outcome that does not satisfy, no later step may start, and each says which step it waits for."""
    state = settle(fresh(), "plan", outcome)

    for step in ("build", "deploy"):
        with pytest.raises(StepOrderError) as caught:
            admit(state, step)
        assert (caught.value.waiting_for, caught.value.because) == ("plan", outcome.words)


@pytest.mark.parametrize("outcome", SATISFYING)
def test_satisfying_outcome_lets_the_next_step_start(outcome: Outcome) -> None:
    """Passed, carried, not applicable and waived satisfy the next step, and nothing else does."""
    admit(settle(fresh(), "plan", outcome), "build")


def test_blocked_steps_name_the_first_cause() -> None:
    """A step behind blocked steps waits for the one that failed, not for the last that was blocked."""
    state = settle(settle(fresh(), "plan", Outcome.FAILED), "build", Outcome.BLOCKED)

    with pytest.raises(StepOrderError) as caught:
        admit(state, "deploy")

    assert caught.value.waiting_for == "plan"


def test_step_never_ends_twice() -> None:
    """An end is final: nothing turns a failed step into a passed one."""
    state = settle(fresh(), "plan", Outcome.FAILED)

    with pytest.raises(StepOrderError):
        settle(state, "plan", Outcome.PASSED)
    with pytest.raises(StepOrderError):
        admit(state, "plan")


def test_step_does_not_start_beside_a_running_one() -> None:
    """Only one step of a run is under way at a time."""
    state = apply(fresh(), events.step_started("plan", attempt=1, kind="run", digest="0" * 64))

    with pytest.raises(StepOrderError) as caught:
        admit(state, "build")

    assert caught.value.because == "still running"


def test_step_outside_the_plan_is_refused() -> None:
    """A step that the plan does not know neither starts nor ends."""
    with pytest.raises(StepOrderError):
        admit(fresh(), "other")
    with pytest.raises(StepOrderError):
        settle(fresh(), "other", Outcome.PASSED)


def test_step_that_ended_out_of_turn_stops_only_later_ones() -> None:
    """A step that was blocked before its turn leaves the earlier ones their turn, and the run incomplete."""
    state = settle(fresh(), "build", Outcome.BLOCKED)

    admit(state, "plan")
    state = settle(state, "plan", Outcome.PASSED)

    with pytest.raises(StepOrderError) as caught:
        admit(state, "deploy")
    assert caught.value.waiting_for == "build"
    assert state.pending == ("deploy",)
    assert not state.complete


def test_run_is_complete_only_when_every_step_is_satisfied() -> None:
    """A run with one step missing is as incomplete as one that never began."""
    state = fresh()
    for step in STEPS:
        assert not state.complete
        state = settle(state, step, Outcome.PASSED)

    assert state.complete
    assert state.counts == {Outcome.PASSED: 3}


def test_fold_of_events_is_the_state() -> None:
    """The events of a log say all that there is to know about a run."""
    log = [
        events.run_started({}),
        events.step_started("plan", attempt=1, kind="run", digest="0" * 64),
        events.step_finished("plan", attempt=1, outcome=Outcome.PASSED, duration_s=0.1, outputs={}, files={}),
        events.step_started("build", attempt=1, kind="run", digest="0" * 64),
    ]

    state = fold(Plan(STEPS), log)

    assert (state.reached, state.running, state.complete) == (1, "build", False)


def test_fold_refuses_a_log_that_contradicts_the_plan() -> None:
    """A log in which a step starts before its turn is no history of this plan."""
    log = [events.step_started("build", attempt=1, kind="run", digest="0" * 64)]

    with pytest.raises(StepOrderError):
        fold(Plan(STEPS), log)


def test_plan_has_each_step_once() -> None:
    """Identity is the id: a plan with one id twice is none."""
    with pytest.raises(ValueError, match="twice"):
        Plan(("plan", "plan"))


IN_BLOCKS = ("before", "b[x]/one", "b[x]/fin", "b[y]/one", "b[y]/fin", "tidy")
CLEANS = {"b[x]/fin": "b[x]", "b[y]/fin": "b[y]"}


def in_blocks() -> RunState:
    """Return the state of a run that has not begun, of a workflow with a block of two cases."""
    return RunState(plan=Plan(IN_BLOCKS, always=frozenset({*CLEANS, "tidy"}), cleans=CLEANS))


_RESUMED = events.run_resumed({}, session=2, carried=(), again={}, unknown=(), probe=(), redo=None)


def _end(step: str, outcome: Outcome) -> events.Event:
    return events.step_finished(step, attempt=1, outcome=outcome, duration_s=0, outputs={}, files={})


def _ended(state: RunState, *ends: tuple[str, Outcome]) -> RunState:
    for step, outcome in ends:
        if outcome is not Outcome.BLOCKED:
            state = apply(state, events.step_started(step, attempt=1, kind="run", digest="d"))
        state = apply(state, _end(step, outcome))
    return state


def test_block_that_began_is_cleaned_up_after_a_failure() -> None:
    """The `finally` of a case starts once all its steps have ended; that of a case which never began does not."""
    state = _ended(in_blocks(), ("before", Outcome.PASSED), ("b[x]/one", Outcome.FAILED))

    admit(state, "b[x]/fin")
    state = _ended(state, ("b[x]/fin", Outcome.PASSED), ("b[y]/one", Outcome.BLOCKED))
    with pytest.raises(StepOrderError) as caught:
        admit(state, "b[y]/fin")

    assert (caught.value.waiting_for, caught.value.because) == ("b[x]/one", "failed")
    assert not state.complete
    admit(_ended(state, ("b[y]/fin", Outcome.BLOCKED)), "tidy")


def test_block_is_not_cleaned_up_while_a_step_of_it_is_open() -> None:
    """What cleans up waits for all steps of its case to end, and for a gate that suspended the run."""
    state = _ended(in_blocks(), ("before", Outcome.PASSED))

    with pytest.raises(StepOrderError):
        admit(state, "b[x]/fin")
    with pytest.raises(StepOrderError):
        admit(_ended(state, ("b[x]/one", Outcome.SUSPENDED)), "b[x]/fin")


def test_block_that_began_in_an_earlier_session_is_cleaned_up() -> None:
    """A case that began before the run went on is cleaned up even if something before it fails now."""
    state = _ended(in_blocks(), ("before", Outcome.PASSED), ("b[x]/one", Outcome.FAILED))
    state = apply(state, _RESUMED)

    state = _ended(state, ("before", Outcome.FAILED), ("b[x]/one", Outcome.BLOCKED))

    admit(state, "b[x]/fin")


def test_what_cleans_up_is_a_step_like_any_other_where_nothing_began() -> None:
    """A case of which no step applied satisfies, and so may what cleans up after it."""
    state = _ended(in_blocks(), ("before", Outcome.PASSED))
    state = apply(state, _end("b[x]/one", Outcome.NOT_APPLICABLE))

    admit(state, "b[x]/fin")
