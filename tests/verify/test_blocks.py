"""What the verifier makes of blocks: whose turn it is, and which plans can't be true."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.verify._contradiction import ContradictionError
from pytest_workflow_exec.verify._plan import Plan, read_plan
from pytest_workflow_exec.verify._turns import Turns

IDS = ("before", "b[x]/one", "b[x]/two", "b[x]/fin", "b[y]/one", "b[y]/fin", "tidy")


def _entry(step: str, **more: Json) -> dict[str, Json]:
    always = step.endswith(("fin", "tidy"))
    block: dict[str, Json] = {"block": step.removesuffix("/fin")} if step.endswith("/fin") else {}
    return {"id": step, "kind": "run", "digest": "d", "always": always, **block, **more}


def _plan(*entries: Json) -> Plan:
    return read_plan({"plan": {"steps": list(entries)}})


def _turns(*ends: tuple[str, Outcome]) -> tuple[Plan, Turns]:
    plan = _plan(*map(_entry, IDS))
    turns = Turns(plan)
    for step, outcome in ends:
        if outcome is not Outcome.BLOCKED:
            turns.start(plan.by_id[step], 1)
        turns.end(plan.by_id[step], outcome, 1)
    return plan, turns


def test_block_that_began_is_cleaned_up_after_a_failure() -> None:
    """What cleans up may start once every step of its case has ended."""
    plan, turns = _turns(("before", Outcome.PASSED), ("b[x]/one", Outcome.FAILED), ("b[x]/two", Outcome.BLOCKED))

    turns.start(plan.by_id["b[x]/fin"], 1)


def test_nothing_is_cleaned_up_before_all_of_its_case_ended() -> None:
    """A log in which it starts earlier tells a story that can't be true."""
    plan, turns = _turns(("before", Outcome.PASSED), ("b[x]/one", Outcome.FAILED))

    with pytest.raises(ContradictionError, match="two"):
        turns.start(plan.by_id["b[x]/fin"], 1)


def test_case_that_never_began_is_not_cleaned_up() -> None:
    """After a failure elsewhere, nothing of another case may start, not even what cleans up."""
    plan, turns = _turns(
        ("before", Outcome.PASSED),
        ("b[x]/one", Outcome.FAILED),
        ("b[x]/two", Outcome.BLOCKED),
        ("b[x]/fin", Outcome.PASSED),
        ("b[y]/one", Outcome.BLOCKED),
    )

    with pytest.raises(ContradictionError, match="not the turn"):
        turns.start(plan.by_id["b[y]/fin"], 1)


def test_cleaning_up_lets_no_later_step_start() -> None:
    """After a failure that was cleaned up, the next case is still blocked."""
    plan, turns = _turns(
        ("before", Outcome.PASSED),
        ("b[x]/one", Outcome.FAILED),
        ("b[x]/two", Outcome.BLOCKED),
        ("b[x]/fin", Outcome.PASSED),
    )

    with pytest.raises(ContradictionError, match="'b\\[x\\]/one' is failed"):
        turns.start(plan.by_id["b[y]/one"], 1)


@pytest.mark.parametrize("block", ["b[y]", "", None, 3])
def test_plan_says_which_block_is_cleaned_up(block: Json) -> None:
    """What cleans up stands in the block that it cleans up after; any other plan is none."""
    with pytest.raises(ContradictionError):
        _plan(_entry("b[x]/one"), _entry("b[x]/fin", block=block))


def test_only_finally_cleans_up() -> None:
    """A step that runs in its turn only can't claim a block."""
    with pytest.raises(ContradictionError, match="cleans up"):
        _plan(_entry("b[x]/one", block="b[x]"))
