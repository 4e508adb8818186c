"""A question that is asked anew is believed only if it tells of the very approval and all that changed since."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.digests import digest_of
from pytest_workflow_exec.verify import verify_log
from tests.evidence._logs import rechained, records_in
from tests.run.conftest import CONFIGURATION, Project

FLOW = """
steps:
  - {id: before, run: [touch, before]}
  - {id: approve, gate: Go on?}
  - {id: first, run: [touch, first]}
  - {id: last, run: [touch, last]}
  - {id: other, gate: And now?}
  - {id: end, run: [touch, end]}
"""
Records = list[dict[str, Any]]
Change = Callable[[Records], object]


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """The records of a run whose gate was asked anew, as the engine itself wrote them."""
    root = tmp_path_factory.mktemp("project")
    (root / "workflow-exec.toml").write_text(CONFIGURATION)
    (root / ".gitignore").write_text("*\n!seed\n")
    (root / "seed").write_text("seed")
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org"]
    for arguments in (["init", "-q"], ["add", "-f", "seed"], ["commit", "-qm", "all"]):
        subprocess.run([*git, *arguments], cwd=root, check=True)
    project = Project(root)
    run = project.open(FLOW)
    project.perform(run, "before")
    project.perform(run, "approve")
    (root / "seed").write_text("another")
    for step in ("first", "last", "other", "end"):
        project.perform(run, step)
    run.close(interrupted=False)
    return records_in(run.log_path)


def nth(records: Records, kind: str, number: int) -> int:
    """Return where a record of that type about the gate stands."""
    places = [at for at, record in enumerate(records) if (record["type"], record["step"]) == (kind, "approve")]
    return places[number]


def without(kind: str, number: int) -> Change:
    """Drop a record."""
    return lambda records: records.pop(nth(records, kind, number))


def saying(kind: str, number: int, **data: object) -> Change:
    """Change what a record's data says."""

    def change(records: Records) -> None:
        place = nth(records, kind, number)
        records[place] = {**records[place], "data": {**records[place]["data"], **data}}

    return change


def asking(change: Callable[[dict[str, Any]], object]) -> Change:
    """Change the second question, wherever its digest stands."""

    def forge(records: Records) -> None:
        place = nth(records, "gate.requested", 1)
        old = records[place]["data"]["digest"]
        request = {**records[place]["data"]["request"]}
        request["again"] = {**request["again"]}
        change(request)
        digest = digest_of(request)
        for number, record in enumerate(records):
            if record["data"].get("digest") == old and record["type"].startswith("gate."):
                more = {"request": request} if number == place else {}
                records[number] = {**record, "data": {**record["data"], **more, "digest": digest}}

    return forge


def every(*changes: Change) -> Change:
    """Make several changes."""
    return lambda records: [change(records) for change in changes]


def moved(kind: str, number: int, behind: str, step: str) -> Change:
    """Move a record of the gate behind one of a step."""

    def change(records: Records) -> None:
        record = records.pop(nth(records, kind, number))
        place = next(at for at, each in enumerate(records) if (each["type"], each["step"]) == (behind, step))
        records.insert(place + 1, record)

    return change


def using_the_first(records: Records) -> None:
    """Use the approval that did not hold any more."""
    first = records[nth(records, "gate.decided", 0)]["data"]["digest"]
    saying("gate.used", 0, digest=first)(records)


def as_before(request: dict[str, Any]) -> None:
    """Let the new question be about what the first one was about."""
    for each in request["again"]["changes"]:
        request[each["fact"]] = each["before"]
    request["again"]["changes"] = []


UNTRUE: dict[str, tuple[Change, str]] = {
    "not decided": (without("gate.decided", 1), "no record says that just this was approved"),
    "rejected": (saying("gate.decided", 1, decision="rejected"), "no record says that just this was approved"),
    "rejected and not used": (
        every(saying("gate.decided", 1, decision="rejected"), without("gate.used", 0)),
        "no record says that the approval of gate 'approve' was used",
    ),
    "not used": (without("gate.used", 0), "no record says that the approval of gate 'approve' was used"),
    "the first one used": (using_the_first, "no record says that just this was approved"),
    "the first one used, the second one never answered": (
        every(using_the_first, without("gate.decided", 1)),
        "no record says that just this was approved",
    ),
    "decided twice": (
        lambda records: records.insert(nth(records, "gate.decided", 1), dict(records[nth(records, "gate.decided", 1)])),
        "which is not under way",
    ),
    "a difference hidden": (asking(lambda request: request["again"].update(changes=[])), "the earlier changes"),
    "one difference hidden": (
        asking(lambda request: request["again"].update(changes=request["again"]["changes"][1:])),
        "the earlier changes",
    ),
    "a difference made up": (
        asking(
            lambda request: request["again"].update(
                changes=[*request["again"]["changes"], {"fact": "commit", "before": "a", "after": "b"}]
            )
        ),
        "the earlier changes",
    ),
    "another old value": (
        asking(
            lambda request: request["again"].update(
                changes=[{**request["again"]["changes"][0], "before": "0" * 64}, *request["again"]["changes"][1:]]
            )
        ),
        "the earlier changes",
    ),
    "of another approval": (asking(lambda request: request["again"].update(of="0" * 64)), "the earlier of is not so"),
    "of somebody else's": (asking(lambda request: request["again"].update(approver="bob")), "the earlier approver"),
    "with answers": (asking(lambda request: request["again"].update(answers={"a": 1})), "the earlier answers"),
    "for no step": (asking(lambda request: request["again"].update(used_by="none")), "which is not in the plan"),
    "for a step behind another gate": (
        asking(lambda request: request["again"].update(used_by="end")),
        "does not cover step 'end'",
    ),
    "no word of it": (asking(lambda request: request.update(again="x")), "no word of that|is none"),
    "nothing of it": (asking(lambda request: request.pop("again")), "which is not under way"),
    "nothing changed": (asking(as_before), "nothing that was approved changed"),
    "without a first approval": (
        saying("gate.decided", 0, decision="rejected"),
        "no record says that it was approved",
    ),
    "of another attempt": (
        lambda records: records.__setitem__(
            nth(records, "gate.requested", 1), {**records[nth(records, "gate.requested", 1)], "attempt": 2}
        ),
        "another attempt",
    ),
    "in the middle of a step": (moved("gate.requested", 1, "step.started", "first"), "which is not under way"),
    "behind the use": (
        every(using_the_first, moved("gate.requested", 1, "gate.used", "approve"), without("gate.decided", 1)),
        "no record says that it was approved and not used",
    ),
}


def test_the_honest_story_verifies(honest: Records, tmp_path: Path) -> None:
    """The log of the engine is believed, and the last decision at the gate is the one that counts."""
    path = tmp_path / "evidence.jsonl"
    path.write_bytes(rechained(honest))

    verdict = verify_log(path, expect_head=records_in(path)[-1]["hash"])

    assert verdict.word == "verified", verdict.message
    assert [(gate.step, gate.decision) for gate in verdict.gates] == [("approve", "approved"), ("other", "approved")]
    assert sum(record["type"] == "gate.requested" for record in honest) == 3


@pytest.mark.parametrize(("change", "why"), UNTRUE.values(), ids=UNTRUE)
def test_a_story_that_can_not_be_true_is_broken(honest: Records, tmp_path: Path, change: Change, why: str) -> None:
    """Every hash fits and the head is known; only what the records say together gives it away."""
    records = list(honest)
    change(records)
    path = tmp_path / "evidence.jsonl"
    path.write_bytes(rechained(records))

    verdict = verify_log(path, expect_head=records_in(path)[-1]["hash"])

    assert verdict.word == "broken", verdict.message
    assert any(part in verdict.message for part in why.split("|")), verdict.message
