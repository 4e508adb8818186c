"""Stories that can't be true, told by logs whose every hash fits and whose head is known."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import digest_of
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import (
    begun,
    decided,
    ended,
    finished,
    passed_run,
    rechained,
    records_in,
    replanned,
    requested,
    started,
    used,
    written,
)
from tests.run.conftest import CONFIGURATION, Project

Records = list[dict[str, Any]]
Change = Callable[[Records], object]

FLOW = """
workflow: flow
inputs: {kind: {type: string, default: minor}}
steps:
  - {id: make, run: [touch, made]}
  - {id: extra, when: "inputs.kind == 'major'", run: [touch, extra]}
  - {id: approve, gate: Go on?}
  - {id: first, run: [touch, first]}
  - {id: second, run: [touch, second]}
finally:
  - {id: tidy, run: [touch, tidied]}
  - {id: close, run: [touch, closed]}
"""


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Records:
    """The records of a run that passed, as the engine itself wrote them."""
    return records_in(_run(tmp_path_factory.mktemp("project")))


def _run(root: Path) -> Path:
    (root / "workflow-exec.toml").write_text(CONFIGURATION)
    project = Project(root)
    run = project.open(FLOW)
    for step in run.workflow.steps:
        if run.applies(step):
            project.perform(run, step.id)
        else:
            run.leave_out(step)
    run.close(interrupted=False)
    return run.log_path


def _told(folder: Path, records: Records) -> Verdict:
    """Return the verdict on a log of those records, given the head that it ends in."""
    path = folder / "evidence.jsonl"
    path.write_bytes(rechained(records))
    return verify_log(path, expect_head=records_in(path)[-1]["hash"])


def _verdict(folder: Path, happened: list[Event]) -> Verdict:
    path = written(folder, happened)
    return verify_log(path, expect_head=records_in(path)[-1]["hash"])


def at(records: Records, kind: str, step: str | None = None) -> int:
    """Return where the first record of that type, about that step, stands."""
    return next(place for place, record in enumerate(records) if (record["type"], record["step"]) == (kind, step))


def without(kind: str, step: str) -> Change:
    """Drop a record."""
    return lambda records: records.pop(at(records, kind, step))


def doubled(kind: str, step: str) -> Change:
    """Write a record a second time, right behind itself."""
    return lambda records: records.insert(at(records, kind, step), records[at(records, kind, step)])


def moved(kind: str, step: str, *, behind: tuple[str, str | None]) -> Change:
    """Put a record behind another one."""

    def move(records: Records) -> None:
        record = records.pop(at(records, kind, step))
        records.insert(at(records, *behind) + 1, record)

    return move


def saying(kind: str, step: str | None, /, **data: object) -> Change:
    """Change what a record's data says."""
    return lambda records: records[at(records, kind, step)]["data"].update(data)


def asking(**facts: object) -> Change:
    """Change what was asked at the gate, wherever its digest stands."""

    def change(records: Records) -> None:
        request = records[at(records, "gate.requested", "approve")]["data"]["request"]
        request.update(facts)
        for record in records:
            if record["type"].startswith("gate."):
                record["data"]["digest"] = digest_of(request)

    return change


def being(kind: str, step: str | None, /, **fields: object) -> Change:
    """Change a record beside its data."""
    return lambda records: records[at(records, kind, step)].update(fields)


def gone(step: str) -> Change:
    """Drop all records about a step but its end."""

    def drop(records: Records) -> None:
        records[:] = [each for each in records if each["step"] != step or each["type"] == "step.finished"]

    return drop


def refusing_late(records: Records) -> None:
    """Say of a command that it was refused, behind the end of its step."""
    refused = {**records[at(records, "command.started", "first")], "type": "command.refused"}
    records.insert(at(records, "step.finished", "first") + 1, refused)


def each(*changes: Change) -> Change:
    """Make several changes."""
    return lambda records: [change(records) for change in changes]


def ending(step: str, outcome: str) -> Change:
    """Give a step another end."""
    return saying("step.finished", step, outcome=outcome)


OUT_OF_TURN = {
    "second before first": (each(gone("first"), without("step.finished", "first")), "'first' has no end"),
    "behind a failure": (ending("make", "failed"), "'make' is failed"),
    "behind a denial": (each(ending("approve", "denied"), without("gate.used", "approve")), "'approve' is denied"),
    "behind a blocked step": (each(gone("first"), ending("first", "blocked")), "'first' is blocked"),
    "behind an interruption": (ending("first", "interrupted"), "'first' is interrupted"),
    "two at once": (moved("step.finished", "first", behind=("step.started", "second")), "'first' is still under way"),
    "twice": (doubled("step.started", "make"), "'make' is still under way"),
    "again": (
        lambda records: records.insert(
            at(records, "step.finished", "make") + 1, records[at(records, "step.started", "make")]
        ),
        "'make': it has ended before",
    ),
    "left out before its turn": (
        moved("step.finished", "extra", behind=("run.started", None)),
        "turn of step 'extra': 'make' has no end",
    ),
    "finally before the rest": (
        each(gone("second"), without("step.finished", "second")),
        "turn of step 'tidy': 'second' has no end",
    ),
    "finally before its own": (
        each(gone("tidy"), without("step.finished", "tidy")),
        "turn of step 'close': 'tidy' has no end",
    ),
    "finally before anything began": (
        lambda records: [each(gone(step), ending(step, "blocked"))(records) for step in
                         ("make", "extra", "approve", "first", "second")],
        "no step of the workflow ever started",
    ),
}  # fmt: skip
ENDS = {
    "passed without a start": (gone("make"), "'make' passed, but no record says that it was started"),
    "last one passed without a start": (gone("close"), "'close' passed, but no record says that it was started"),
    "passed in another attempt": (
        being("step.finished", "make", attempt=2),
        "ends in attempt 2, which was not its last",
    ),
    "ended twice": (doubled("step.finished", "make"), "'make' ends a second time"),
    "carried from nowhere": (each(gone("make"), ending("make", "carried")), "its session says that it is not"),
    "left out though started": (ending("make", "not_applicable"), "is not applicable, but it was started"),
    "blocked though started": (ending("second", "blocked"), "is blocked, but it was started"),
    "another definition": (saying("step.started", "make", digest="0" * 64), "another digest than the plan says"),
    "started in attempt 0": (being("step.started", "make", attempt=0), "starts attempt 0, but there was attempt 0"),
    "started in no attempt": (being("step.started", "make", attempt=None), "starts attempt None"),
    "another kind": (saying("step.started", "make", kind="verify"), "another kind than the plan says"),
    "under way at the end": (without("step.finished", "close"), "'close' is still under way"),
}
COMMANDS = {
    "of a step that has ended": (
        moved("command.started", "make", behind=("step.finished", "extra")),
        "a command of step 'make' ends, but no record says that it was started",
    ),
    "before its step": (
        moved("command.started", "make", behind=("run.started", None)),
        "step 'make' starts a command, but it is not under way",
    ),
    "of another step": (
        being("command.started", "make", step="first"),
        "step 'first' starts a command, but it is not under way",
    ),
    "without a start": (without("command.started", "make"), "no record says that it was started"),
    "without an end": (without("command.finished", "make"), "no record says how its command ended"),
    "ended twice": (doubled("command.finished", "make"), "no record says that it was started"),
    "started twice": (doubled("command.started", "make"), "no record says how its command ended"),
    "another one ended": (saying("command.finished", "make", argv=["rm"]), "no record says that it was started"),
    "in another attempt": (being("command.started", "make", attempt=2), "it is not under way in that attempt"),
    "ended in another attempt": (being("command.finished", "make", attempt=2), "no record says that it was started"),
    "refused to a step that has ended": (refusing_late, "that attempt is not under way"),
    "none at all": (
        each(without("command.started", "first"), without("command.finished", "first")),
        "'first' passed, but no record says that its command ran",
    ),
    "of a check alone": (
        each(saying("command.started", "first", check=True), saying("command.finished", "first", check=True)),
        "which is not asked",
    ),
    "another exit status": (
        saying("command.finished", "first", exit=1),
        "left exit status 0, but its command ended with 1",
    ),
    "another exit status left": (
        lambda records: records[at(records, "step.finished", "first")]["data"]["outputs"].update(exit=7),
        "left exit status 7, but its command ended with 0",
    ),
    "of no step": (being("command.started", "make", step="other"), "which is not in the plan"),
}
GATES = {
    "not asked": (without("gate.requested", "approve"), "no record says that just this was asked"),
    "something else asked": (saying("gate.requested", "approve", digest="0" * 64), "has another digest than it says"),
    "another question": (saying("gate.requested", "approve", request={"step": "x"}), "has another digest than it says"),
    "no question": (saying("gate.requested", "approve", request=None), "it does not hold what was asked"),
    "asked in another run": (asking(run="x"), "what was asked is about another run"),
    "asked about another plan": (asking(plan_digest="x"), "what was asked is about another plan digest"),
    "asked under another policy": (asking(policy_digest="x"), "what was asked is about another policy digest"),
    "asked about another attempt": (asking(attempt=2), "what was asked is about another attempt"),
    "asked in another attempt": (
        each(being("gate.requested", "approve", attempt=2), asking(attempt=2)),
        "of attempt 2, which is not under way",
    ),
    "something else decided": (saying("gate.decided", "approve", digest="0" * 64), "that just this was asked"),
    "not decided": (without("gate.decided", "approve"), "no record says that it was approved"),
    "rejected": (saying("gate.decided", "approve", decision="rejected"), "no record says that it was approved"),
    "rejected, then approved": (
        lambda records: records.insert(
            at(records, "gate.decided", "approve"),
            _with(records[at(records, "gate.decided", "approve")], decision="rejected"),
        ),
        "is decided again after it was rejected",
    ),
    "decided after its end": (
        moved("gate.decided", "approve", behind=("step.finished", "approve")),
        "no record says that it was approved",
    ),
    "asked before its start": (
        moved("gate.requested", "approve", behind=("step.finished", "extra")),
        "which is not under way",
    ),
    "at a step that is none": (being("gate.requested", "approve", step="first"), "which is not under way"),
    "a step waived by nobody": (ending("first", "waived"), "no record says that a person accepted its failure"),
    "asked twice": (doubled("gate.requested", "approve"), "asks a second time in one attempt"),
    "decided twice": (doubled("gate.decided", "approve"), "is decided again after it was approved"),
    "waived": (ending("approve", "waived"), "no record says that a person accepted its failure"),
    "left out, and walked past": (
        each(without("gate.used", "approve"), gone("approve"), ending("approve", "not_applicable")),
        "no record says that the approval of gate 'approve' was used",
    ),
    "used without approval": (
        each(gone("approve"), ending("approve", "not_applicable"), lambda records: records.insert(
            at(records, "step.started", "first"), _used(records)
        )),
        "no record says that just this was approved",
    ),
    "not used": (without("gate.used", "approve"), "no record says that the approval of gate 'approve' was used"),
    "used too late": (
        moved("gate.used", "approve", behind=("step.started", "first")),
        "no record says that the approval of gate 'approve' was used",
    ),
    "used too early": (
        moved("gate.used", "approve", behind=("gate.decided", "approve")),
        "is used, but the gate has not passed",
    ),
    "something else used": (saying("gate.used", "approve", digest="0" * 64), "that just this was approved"),
    "used in another attempt": (being("gate.used", "approve", attempt=2), "that just this was approved"),
    "used twice": (doubled("gate.used", "approve"), "is used a second time"),
    "used by a step before it": (saying("gate.used", "approve", used_by="make"), "does not cover step 'make'"),
    "used by finally": (saying("gate.used", "approve", used_by="tidy"), "does not cover step 'tidy'"),
    "used by nobody": (saying("gate.used", "approve", used_by=None), "which is not in the plan"),
}  # fmt: skip
PLANS = {
    "another digest": (saying("run.started", None, plan_digest="0" * 64), "its plan has another digest than it says"),
    "a step renamed": (
        lambda records: records[0]["data"]["plan"]["steps"][0].update(name="x"),
        "its plan has another digest than it says",
    ),
    "of a step": (being("run.started", None, step="make"), "names a step or an attempt"),
    "of an attempt": (being("run.finished", None, attempt=1), "names a step or an attempt"),
    "no policy": (saying("run.started", None, policy=None), "it names no policy"),
    "no digest of the policy": (saying("run.started", None, policy={}), "no text 'digest'"),
}
THE_END = {
    "counts": (saying("run.finished", None, counts={"passed": 7}), "its counts are not what"),
    "no counts": (saying("run.finished", None, counts={}), "its counts are not what"),
    "satisfied": (saying("run.finished", None, not_satisfied=["first"]), "its not_satisfied are not what"),
    "partial with a failure": (
        each(ending("close", "failed"), saying("run.finished", None, result="partial")),
        "the run says that it stopped early, but step 'close' is failed",
    ),
    "passed with a failure": (ending("close", "failed"), "the run says that it passed, but step 'close' is failed"),
}
TIMES = {
    "no text of a time": (being("step.started", "make", ts="yesterday"), "'yesterday' is no time"),
    "no such month": (being("step.started", "make", ts="2026-13-01T00:00:00.000000Z"), "is no time"),
    "no such day": (being("step.started", "make", ts="2026-02-30T00:00:00.000000Z"), "is no time"),
    "no such hour": (being("step.started", "make", ts="2026-01-01T25:00:00.000000Z"), "is no time"),
    "another zone": (being("step.started", "make", ts="2026-01-01T00:00:00.000000+01:00"), "is no time"),
    "less exact": (being("step.started", "make", ts="2026-01-01T00:00:00Z"), "is no time"),
}


def _with(record: dict[str, Any], **data: object) -> dict[str, Any]:
    return {**record, "data": {**record["data"], **data}}


def _used(records: Records) -> dict[str, Any]:
    start = records[at(records, "step.started", "first")]
    return {**start, "type": "gate.used", "step": "approve", "data": {"digest": "0" * 64, "used_by": "first"}}


def test_the_engines_own_story_is_verified(honest: Records, tmp_path: Path) -> None:
    """A run with a gate, a step that does not apply and `finally` is verified as the engine wrote it."""
    verdict = _told(tmp_path, honest)

    assert (verdict.exit_code, verdict.message) == (0, "intact, complete, passed, and anchored by your head")
    assert dict(verdict.steps) == {"passed": 6, "not_applicable": 1}
    assert verdict.warnings == ()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(*case, id=f"{group}: {name}")
        for group, cases in {
            "turn": OUT_OF_TURN, "end": ENDS, "command": COMMANDS, "gate": GATES, "plan": PLANS, "run": THE_END,
            "time": TIMES,
        }.items()
        for name, case in cases.items()
    ],
)  # fmt: skip
def test_a_story_that_can_not_be_true_is_broken(honest: Records, tmp_path: Path, change: Change, reason: str) -> None:
    """However well its hashes fit and whoever vouches for its head, a log that contradicts itself is broken."""
    records = copy.deepcopy(honest)

    change(records)
    verdict = _told(tmp_path, records)

    assert (verdict.exit_code, verdict.word, verdict.kind) == (1, "broken", "inconsistent"), verdict
    assert reason in verdict.message
    assert verdict.line is not None


def test_every_record_but_remarks_is_needed(honest: Records, tmp_path: Path) -> None:
    """No single record of a passed run can be left out: what is left contradicts itself, or is not finished."""
    for place in range(len(honest)):
        verdict = _told(tmp_path, honest[:place] + honest[place + 1 :])

        last = place == len(honest) - 1
        assert (verdict.exit_code, verdict.kind) == ((3, None) if last else (1, "inconsistent")), honest[place]


def test_a_clock_that_goes_back_is_only_a_warning(honest: Records, tmp_path: Path) -> None:
    """Clocks are set; a log may say so and is as good as before. After a restart, no clocks are compared."""
    back = copy.deepcopy(honest)
    for record in back[5:]:
        record["ts"] = "2001-01-01T00:00:00.000000Z"
    back[9]["mono_ns"] = back[11]["mono_ns"] = 0
    restarted = [
        {**record, "boot": "0000000a", "mono_ns": 0} if place > 5 else record for place, record in enumerate(honest)
    ]

    verdict, other = _told(tmp_path, back), _told(tmp_path, restarted)

    assert (verdict.exit_code, other.exit_code, other.warnings) == (0, 0, ())
    assert verdict.warnings == (
        "the clock went back once, before seq 5",
        "the monotonic clock went back 2 times, first before seq 9",
    )


def test_a_monotonic_time_is_a_whole_number(honest: Records, tmp_path: Path) -> None:
    """A fraction or a text is no record."""
    for wrong in (1.5, "1", None, -1):
        records = copy.deepcopy(honest)
        records[1]["mono_ns"] = wrong
        verdict = _told(tmp_path, records)
        assert (verdict.exit_code, verdict.kind, verdict.line) == (1, "edited", 2)


def test_commands_of_several_threads_may_interleave(tmp_path: Path) -> None:
    """The commands of one step may overlap in any way, the same one several times, if each of them ends."""
    starts = [events.command_started("build", attempt=1, facts={"argv": [name]}) for name in "aab"]
    ends = [events.command_finished("build", attempt=1, facts={"argv": [name]}) for name in "baa"]
    story = [started(["build"]), begun("build"), *starts, *ends, ended("build"), finished()]

    assert _verdict(tmp_path, story).exit_code == 0
    assert _verdict(tmp_path, [*story[:5], *story[6:]]).kind == "inconsistent"


def test_a_command_of_a_broken_off_step_may_end_late(tmp_path: Path) -> None:
    """What a step that failed or was interrupted left running ends when it ends, but once."""
    start = events.command_started("build", attempt=1, facts={"argv": ["a"]})
    end = events.command_finished("build", attempt=1, facts={"argv": ["a"]})
    for outcome in (Outcome.FAILED, Outcome.INTERRUPTED):
        broken_off = [started(["build"]), begun("build"), start, ended("build", outcome)]

        assert _verdict(tmp_path, [*broken_off, finished("failed")]).exit_code == 4
        assert _verdict(tmp_path, [*broken_off, end, finished("failed")]).exit_code == 4
        assert _verdict(tmp_path, [*broken_off, end, end, finished("failed")]).kind == "inconsistent"
        assert _verdict(tmp_path, [*broken_off, start, end, finished("failed")]).kind == "inconsistent"


def test_a_step_may_fail_or_be_blocked_without_a_start(tmp_path: Path) -> None:
    """A condition that can't be judged fails a step before it starts; what waits for it is blocked."""
    failed = [started(["a", "b"]), ended("a", Outcome.FAILED), ended("b", Outcome.BLOCKED)]

    verdict = _verdict(tmp_path, [*failed, finished("failed", counts={"failed": 1, "blocked": 1})])

    assert (verdict.exit_code, verdict.word) == (4, "not passed")


def test_a_blocked_end_may_come_out_of_turn(tmp_path: Path) -> None:
    """A step that did not run is no contradiction, even while another is under way."""
    story = [started(["a", "b"]), begun("a"), ended("b", Outcome.BLOCKED), ended("a"), finished("failed")]

    assert _verdict(tmp_path, story).exit_code == 4


def test_a_run_that_stopped_early_has_steps_without_end(tmp_path: Path) -> None:
    """A partial run is not passed, and what it did not reach is no contradiction."""
    partial = [started(["a", "b"]), begun("a"), ended("a"), finished("partial", not_satisfied=["b"])]

    assert _verdict(tmp_path, partial).exit_code == 4
    assert _verdict(tmp_path, [*partial[:-1], finished("partial", not_satisfied=[])]).kind == "inconsistent"


def test_an_invalidated_step_is_run_again(tmp_path: Path) -> None:
    """`step.invalidated` takes back an end, and for a gate what was decided there; later steps wait for a new one."""
    gate = Event(type="step.invalidated", step="approve", data={})
    again = [begun("approve", attempt=2), requested(attempt=2), decided(attempt=2), ended("approve", attempt=2)]
    before = [*passed_run()[:9], gate]
    publish = [begun("publish"), ended("publish"), finished()]

    assert _verdict(tmp_path, [*before, *again, used(attempt=2), *publish]).exit_code == 0
    without_question = [again[0], *again[2:], used(attempt=2)]
    for gap in ([], again, [*again[:2], again[3]], without_question, [begun("approve"), *again[1:], used(attempt=2)]):
        assert _verdict(tmp_path, [*before, *gap, *publish]).kind == "inconsistent"


def test_a_gate_covers_nothing_behind_the_next_one(tmp_path: Path) -> None:
    """A step needs the approval of the gate right before it, not of an earlier one."""
    story = passed_run()
    plan = story[0].data["plan"]
    assert isinstance(plan, dict)
    second = {"id": "again", "kind": "gate", "name": "again", "digest": "d" * 64}
    plan["steps"] = [*plan["steps"][:2], second, plan["steps"][2]]
    story[0] = replanned(story[0])
    begin = events.step_started("again", attempt=1, kind="gate", digest="d" * 64)

    for outcome in (Outcome.NOT_APPLICABLE, Outcome.DENIED):
        told = [*([begin] if outcome is Outcome.DENIED else []), ended("again", outcome)]
        assert _verdict(tmp_path, [*story[:9], *told, *story[9:]]).kind == "inconsistent"


def test_tests_that_passed_ran(tmp_path: Path) -> None:
    """A step of tests passes only behind the process that ran them; any exit status may be what it expects."""
    start = started(["build"])
    plan: Any = start.data["plan"]
    planned = {**plan, "steps": [{**plan["steps"][0], "kind": "verify"}]}
    start = replanned(dataclasses.replace(start, data={**start.data, "plan": planned}))
    begin = events.step_started("build", attempt=1, kind="verify", digest="d" * 64)
    ran = [
        events.command_started("build", attempt=1, facts={"argv": ["pytest"]}),
        events.command_finished("build", attempt=1, facts={"argv": ["pytest"], "exit": 5}),
    ]
    end = [ended("build", outputs={"passed": 3, "exit": 5}), finished()]

    assert _verdict(tmp_path, [start, begin, *ran, *end]).exit_code == 0
    verdict = _verdict(tmp_path, [start, begin, *end])
    assert (verdict.kind, "no record says that its command ran" in verdict.message) == ("inconsistent", True)
