"""`waive:`: which steps may have one, and what later ones may use of them."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from ._broken import Expected, step
from ._samples import places, problems_of, read

ASKS = "waive: Go on all the same?"

BROKEN_WAIVES: dict[str, tuple[str, list[Expected]]] = {
    "nothing asked": (step('run: [git]\nwaive: ""'), [("4:12", "asks nothing")]),
    "no value": (step("run: [git]\nwaive:"), [("4:11", "has no value")]),
    "a list": (step("run: [git]\nwaive: [a]"), [("4:12", "must be a mapping, not a list")]),
    "unknown key": (step("run: [git]\nwaive: {question: Go?, timeot: 5m}"), [("4:28", "did you mean 'timeout'?")]),
    "later key": (
        step("run: [git]\nwaive: {question: Go?, required: 2}"),
        [("4:28", "'required' can't be used yet")],
    ),
    "no assurance": (
        step("run: [git]\nwaive: {question: Go?, assurance: 4}"),
        [("4:28", "must be 1 (terminal), 2 (signature) or 3 (presence), not 4")],
    ),
    "approvers at a terminal": (
        step("run: [git]\nwaive: {question: Go?, approvers: [pmc]}"),
        [("4:28", "a code typed at a terminal proves nobody: approvers needs assurance: 2")],
    ),
    "unknown reference": (step("run: [git]\nwaive: Go on with ${inputs.x}?"), [("4:12", "unknown input 'x'")]),
    "its own values": (step("run: [git]\nwaive: Is ${steps.a.stdout} fine?"), [("4:12", "can't use its own values")]),
    "a gate": (
        step(f"gate: Go?\n{ASKS}"),
        [("4:5", "waive belongs to run, call and verify steps; this one is a gate step")],
    ),
    "work by hand": (
        step(f"manual: Do it\n{ASKS}"),
        [("4:5", "waive belongs to run, call and verify steps; this one is a manual step")],
    ),
    "a pause": (
        step(f"pause: 5m\n{ASKS}"),
        [("4:5", "waive belongs to run, call and verify steps; this one is a pause step")],
    ),
    "in finally": (
        step("run: [git]") + f"finally:\n  - id: b\n    run: [git]\n    {ASKS}\n",
        [("7:5", "a step of finally can't be waived")],
    ),
    "what undoes others": (
        f"steps:\n  - {{id: b, run: [git]}}\n  - id: a\n    run: [git]\n    undoes: [b]\n    {ASKS}\n",
        [("6:5", "a step that undoes others can't be waived")],
    ),
    "what has an effect": (
        step(f"run: [git]\ncheck: {{run: [git, log]}}\n{ASKS}"),
        [("5:5", "a step with a check has an effect, and can't be waived")],
    ),
    "a value of it": (
        step(f"run: [git]\n{ASKS}") + "  - {id: b, run: [echo, '${steps.a.stdout}']}\n",
        [("5:25", "step 'a' may be waived, and then has no value 'stdout'; only its outcome can be used")],
    ),
    "a value of one of its cases": (
        step(f"run: [git]\nforeach: {{h: [x]}}\n{ASKS}") + "  - {id: b, run: [echo, '${steps.a[x].exit}']}\n",
        [("6:25", "may be waived, and then has no value 'exit'")],
    ),
    "a value of it in a condition": (
        step(f"run: [git]\n{ASKS}") + "  - {id: b, when: steps.a.exit == 0, run: [echo]}\n",
        [("5:19", "may be waived, and then has no value 'exit'")],
    ),
    "a value of it at a gate": (
        step(f"run: [git]\n{ASKS}") + "  - {id: b, gate: {question: Go?, show: [a.stdout]}}\n",
        [("5:42", "may be waived, and then has no value 'stdout'")],
    ),
    "a block": (
        "steps:\n  - id: u\n    waive: Go?\n    steps: [{id: one, run: [x]}]\n",
        [("3:5", "'waive' can't be used yet")],
    ),
}


@pytest.mark.parametrize(("text", "expected"), BROKEN_WAIVES.values(), ids=BROKEN_WAIVES)
def test_broken_waive_is_refused(project: Path, text: str, expected: list[Expected]) -> None:
    """What can't be accepted, and what a waived step could not give, is said where it stands."""
    problems = problems_of(project, text)

    assert places(problems) == [place for place, _ in expected], "\n".join(map(str, problems))
    for problem, (_, fragment) in zip(problems, expected, strict=True):
        assert fragment in problem.message


def test_waive_is_part_of_the_plan_and_of_the_step_alone(project: Path) -> None:
    """Its question stands in the plan and changes the step's digest; a step without one is what it was."""
    plain = read(project, step("run: [git]") + "  - {id: b, gate: {question: Go?, show: [a]}}\n")
    asks = read(project, step(f"run: [git]\n{ASKS}") + "  - {id: b, gate: {question: Go?, show: [a]}}\n")
    other = read(project, step("run: [git]\nwaive: {question: Sure?, timeout: 5m}"))

    assert len({workflow.step("a").digest for workflow in (plain, asks, other)}) == 3
    assert plain.step("b").digest == asks.step("b").digest
    [planned, _], [without, _] = (cast("list[dict[str, str]]", each.plan["steps"]) for each in (asks, plain))
    assert planned["waive"] == "Go on all the same?"
    assert "waive" not in without
    waive = other.step("a").waive
    assert waive is not None
    assert waive.timeout_s == 300.0


def test_a_waiver_that_is_signed_says_so_in_the_plan(project: Path) -> None:
    """Who has to sign stands in the plan, and changes the step's digest."""
    typed = read(project, step("run: [git]\nwaive: {question: Sure?}"))
    signed = read(project, step("run: [git]\nwaive: {question: Sure?, assurance: 2, approvers: [pmc]}"))

    waive = signed.step("a").waive
    assert waive is not None
    assert waive.as_gate().signed is waive.signed is not None
    assert (waive.signed.assurance, waive.signed.approvers, waive.signed.required) == (2, ("pmc",), 1)
    [planned], [without] = (cast("list[dict[str, object]]", each.plan["steps"]) for each in (signed, typed))
    assert planned["signed"] == waive.signed.to_data()
    assert "signed" not in without
    assert typed.step("a").digest != signed.step("a").digest
