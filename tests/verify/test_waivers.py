"""A step is waived only if its failure was asked about, accepted, and that was used: nothing else makes it count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.digests import digest_of
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.verify import verify_log
from tests.evidence._logs import rechained, records_in
from tests.run.conftest import CONFIGURATION, Project

FLOW = """
steps:
  - {id: tests, run: [touch, made], waive: Go on all the same?}
  - {id: last, run: [touch, last]}
"""
Records = list[dict[str, Any]]
Change = Callable[[Records], object]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """The records of a run whose first step was waived, as the engine itself wrote them."""
    root = tmp_path_factory.mktemp("project")
    (root / "workflow-exec.toml").write_text(CONFIGURATION)
    project = Project(root)
    run = project.open(FLOW)
    tests = run.workflow.step("tests")
    run.start(tests)
    assert run.waive(tests, failure="two builders are red") == "alice"
    run.finish("tests", Outcome.WAIVED, message="waived by alice: two builders are red")
    project.perform(run, "last")
    run.close(interrupted=False)
    return records_in(run.log_path)


def at(records: Records, kind: str) -> int:
    """Return where the first record of that type stands that is about the step."""
    return next(place for place, record in enumerate(records) if (record["type"], record["step"]) == (kind, "tests"))


def without(kind: str) -> Change:
    """Drop a record."""
    return lambda records: records.pop(at(records, kind))


def doubled(kind: str) -> Change:
    """Write a record a second time, right behind itself."""
    return lambda records: records.insert(at(records, kind), dict(records[at(records, kind)]))


def saying(kind: str, **data: object) -> Change:
    """Change what a record's data says."""

    def change(records: Records) -> None:
        place = at(records, kind)
        records[place] = {**records[place], "data": {**records[place]["data"], **data}}

    return change


def unplanned(records: Records) -> None:
    """Let the plan say nothing of a waiver."""
    plan = {**records[0]["data"]["plan"]}
    plan["steps"] = [{key: value for key, value in step.items() if key != "waive"} for step in plan["steps"]]
    records[0] = {**records[0], "data": {**records[0]["data"], "plan": plan, "plan_digest": digest_of(plan)}}
    asking(records, plan_digest=digest_of(plan))


def asking_nothing(records: Records) -> None:
    """Let the question be about no failure."""
    asking(records, failure="")


def asking(records: Records, **facts: object) -> None:
    """Change what was asked, wherever its digest stands."""
    place = at(records, "gate.requested")
    request = {**records[place]["data"]["request"], **facts}
    digest = digest_of(request)
    for number, record in enumerate(records):
        if record["type"].startswith("gate."):
            more = {"request": request} if number == place else {}
            records[number] = {**record, "data": {**record["data"], **more, "digest": digest}}


def every(*changes: Change) -> Change:
    """Make several changes."""
    return lambda records: [change(records) for change in changes]


def used_late(records: Records) -> None:
    """Use the approval behind the step's end."""
    record = records.pop(at(records, "gate.used"))
    records.insert(at(records, "step.finished") + 1, record)


UNTRUE: dict[str, tuple[Change, str]] = {
    "never asked": (
        every(without("gate.used"), without("gate.decided"), without("gate.requested")),
        "no record says that a person accepted its failure",
    ),
    "not decided": (every(without("gate.used"), without("gate.decided")), "no record says that a person accepted"),
    "not used": (without("gate.used"), "no record says that a person accepted its failure"),
    "rejected": (saying("gate.decided", decision="rejected"), "but no record says that it was"),
    "rejected and not used": (
        every(saying("gate.decided", decision="rejected"), without("gate.used")),
        "no record says that a person accepted its failure",
    ),
    "decided without a question": (without("gate.requested"), "no record says that just this was asked"),
    "decided about something else": (saying("gate.decided", digest="0" * 64), "that just this was asked"),
    "something else used": (saying("gate.used", digest="0" * 64), "but no record says that it was"),
    "used by another step": (saying("gate.used", used_by="last"), "but no record says that it was"),
    "used twice": (doubled("gate.used"), "but no record says that it was"),
    "asked twice": (doubled("gate.requested"), "it is asked twice"),
    "decided twice": (doubled("gate.decided"), "that just this was asked"),
    "used behind its end": (used_late, "no record says that a person accepted its failure"),
    "about no failure": (asking_nothing, "asks about no failure of it"),
    "passed though it was asked": (
        saying("step.finished", outcome="passed"),
        "passed, but it was asked whether its failure is accepted",
    ),
    "not in the plan": (unplanned, "which is no gate"),
}


def test_waived_run_verifies_and_says_so(honest: Records, tmp_path: Path) -> None:
    """The log of the engine is believed: the step counts, is named as waived, and the decision is listed."""
    path = tmp_path / "evidence.jsonl"
    path.write_bytes(rechained(honest))

    verdict = verify_log(path, expect_head=records_in(path)[-1]["hash"])

    assert verdict.word == "verified", verdict.message
    assert verdict.steps == {"waived": 1, "passed": 1}
    assert verdict.waived == ("tests",)
    assert verdict.assurance == 1
    assert [(gate.step, gate.decision) for gate in verdict.gates] == [("tests", "approved")]


@pytest.mark.parametrize(("change", "why"), UNTRUE.values(), ids=UNTRUE)
def test_waiver_that_can_not_be_true_is_broken(honest: Records, tmp_path: Path, change: Change, why: str) -> None:
    """Every hash fits and the head is known; only what the records say together gives it away."""
    records = list(honest)
    change(records)
    path = tmp_path / "evidence.jsonl"
    path.write_bytes(rechained(records))

    verdict = verify_log(path, expect_head=records_in(path)[-1]["hash"])

    assert verdict.word == "broken"
    assert why in verdict.message
