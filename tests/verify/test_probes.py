"""Steps that passed by their check, and steps that another one reverted: only as the records before allow it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import begun, ended, finished, records_in, replanned, resumed, started, written

CHECK: dict[str, Json] = {"kind": "run", "argv": ["test", "${inputs.x}"], "exits": [0]}


def _planned(event: Event, **more: Json) -> Event:
    """Return the start of a session whose first step has more in its plan."""
    plan: Any = event.data["plan"]
    [first, *rest] = plan["steps"]
    return replanned(
        dataclasses.replace(event, data={**event.data, "plan": {**plan, "steps": [{**first, **more}, *rest]}})
    )


FIRST = _planned(started(["build", "publish"]), check=CHECK)
AGAIN = _planned(
    dataclasses.replace(resumed(carried=[]), data={**resumed(carried=[]).data, "plan": FIRST.data["plan"]}), check=CHECK
)
PROBE = events.step_started("build", attempt=2, kind="step", digest="d" * 64, probe=True)
ASKED = events.command_started("build", attempt=2, facts={"argv": ["test", "1"], "check": True})
THERE: Mapping[str, Any] = {"argv": ["test", "1"], "check": True, "exit": 0, "timed_out": False}
ANSWERED = events.command_finished("build", attempt=2, facts=THERE)
CHECKED = ended("build", attempt=2, checked="there")
REST = [begun("publish"), ended("publish"), finished()]
STORY = [FIRST, begun("build"), AGAIN, PROBE, ASKED, ANSWERED, CHECKED, *REST]


def _verdict(folder: Path, happened: list[Event]) -> Verdict:
    path = written(folder, happened)
    return verify_log(path, expect_head=records_in(path)[-1]["hash"])


def test_step_that_passed_by_its_check(tmp_path: Path) -> None:
    """After a session that was killed in the step, its check's own records are enough for its end."""
    assert _verdict(tmp_path, STORY).exit_code == 0


def _other(index: int, **facts: Any) -> list[Event]:
    event = STORY[index]
    return [*STORY[:index], dataclasses.replace(event, data={**event.data, **facts}), *STORY[index + 1 :]]


BODY = events.command_started("build", attempt=2, facts={"argv": ["make"]})
BODY_ENDED = events.command_finished("build", attempt=2, facts={"argv": ["make"], "exit": 0})
PLAIN = started(["build", "publish"])


@pytest.mark.parametrize(
    "story",
    {
        "no command": [*STORY[:4], *STORY[6:]],
        "no end of the command": [*STORY[:5], *STORY[6:]],
        "another exit": _other(5, exit=1),
        "no exit": _other(5, exit=None),
        "timed out": _other(5, timed_out=True),
        "another command": [
            *STORY[:4],
            events.command_started("build", attempt=2, facts={"argv": ["true", "1"], "check": True}),
            events.command_finished("build", attempt=2, facts={**THERE, "argv": ["true", "1"]}),
            *STORY[6:],
        ],
        "no mark of the command": [*STORY[:4], BODY, BODY_ENDED, *STORY[6:]],
        "body ran, too": [*STORY[:6], BODY, BODY_ENDED, *STORY[6:]],
        "check after the body": [*STORY[:4], BODY, BODY_ENDED, *STORY[4:]],
        "not started as a probe": [*STORY[:3], begun("build", attempt=2), *STORY[4:]],
        "failed by a check that passed": _other(6, outcome="failed"),
        "nothing unknown": [FIRST, begun("build"), ended("build", Outcome.FAILED), finished("failed"), *STORY[2:]],
        "never started before": [FIRST, AGAIN, *STORY[3:]],
        "first session": [FIRST, dataclasses.replace(PROBE, attempt=1)],
        "no check in the plan": [PLAIN, begun("build"), dataclasses.replace(AGAIN, data={**AGAIN.data, "plan":
            PLAIN.data["plan"], "plan_digest": PLAIN.data["plan_digest"]}), *STORY[3:]],
        "checked without a word of it": [FIRST, begun("build"), ended("build", checked="there")],
    }.values(),
)  # fmt: skip
def test_forged_checks(tmp_path: Path, story: list[Event]) -> None:
    """A step passes by its check only after an unknown effect, and only if the check alone ran and ended so."""
    assert _verdict(tmp_path, story).kind == "inconsistent"


def _called(story: list[Event]) -> list[Event]:
    """Return a story whose check is a function."""
    check: dict[str, Json] = {"kind": "call", "function": "wf/looks.py:is_there"}
    return [_planned(event, check=check) if "plan" in event.data else event for event in story]


def test_function_that_checks(tmp_path: Path) -> None:
    """What it ran is marked, whatever that was; only the end of the step says what it found, and only if it was asked."""
    other = [dataclasses.replace(each, data={**each.data, "argv": ["curl", "x"]}) for each in (ASKED, ANSWERED)]

    assert _verdict(tmp_path, _called(STORY)).exit_code == 0
    assert _verdict(tmp_path, _called([*STORY[:4], *other, *STORY[6:]])).exit_code == 0
    assert _verdict(tmp_path, _called([*STORY[:4], *STORY[6:]])).exit_code == 0
    assert _verdict(tmp_path, _called(_other(6, outcome="failed"))).kind == "inconsistent"
    assert _verdict(tmp_path, _called([*STORY[:6], BODY, BODY_ENDED, *STORY[6:]])).kind == "inconsistent"
    assert _verdict(tmp_path, _called([FIRST, begun("build"), ended("build", checked="there")])).kind == "inconsistent"


def test_doubt_is_no_end_that_satisfies(tmp_path: Path) -> None:
    """A check in doubt leaves the effect unknown, and a later session may ask it, or a person, again."""
    doubt = ended("build", Outcome.INTERRUPTED, attempt=2, checked="in doubt")
    end = [doubt, ended("publish", Outcome.BLOCKED), finished("failed")]

    assert _verdict(tmp_path, [*STORY[:4], *end]).exit_code == 4
    assert _verdict(tmp_path, [*STORY[:4], dataclasses.replace(doubt, data={**doubt.data, "outcome": "passed"})]).kind


def _undoing(change: Callable[[list[Event]], list[Event]]) -> list[Event]:
    start = started(["build", "publish"])
    plan: Any = start.data["plan"]
    steps = [plan["steps"][0], {**plan["steps"][1], "undoes": ["build"]}]
    start = replanned(dataclasses.replace(start, data={**start.data, "plan": {**plan, "steps": steps}}))
    undone = events.step_undone("build", by="publish", outcome=Outcome.PASSED)
    end = finished("failed", counts={"passed": 1}, not_satisfied=["build"])
    return change([start, begun("build"), ended("build"), begun("publish"), undone, ended("publish"), end])


def test_what_was_undone_is_not_satisfied(tmp_path: Path) -> None:
    """A step that another one reverted counts no more, and a run without it has not passed."""
    assert _verdict(tmp_path, _undoing(lambda story: story)).exit_code == 4
    assert _verdict(tmp_path, _undoing(lambda story: [*story[:-1], finished()])).kind == "inconsistent"
    assert _verdict(tmp_path, _undoing(lambda story: [*story[:3], *story[4:]])).kind == "inconsistent"
    assert _verdict(tmp_path, _undoing(lambda story: [*story[:5], story[4], *story[5:]])).kind == "inconsistent"
    assert _verdict(tmp_path, _undoing(lambda story: [PLAIN, *story[1:]])).kind == "inconsistent"
