"""From a log to a verdict."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.counted import counted
from pytest_workflow_exec.digests import digest_of
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import Head, new_run_id, read_log
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.verify import GateFacts, verify_log
from tests.evidence._logs import (
    begun,
    decided,
    ended,
    finished,
    lines_in,
    note,
    passed_run,
    rechained,
    records_in,
    started,
    written,
)

ROOT = Path(__file__).parents[2]


def _head(path: Path, number: int = -1) -> str:
    return str(records_in(path)[number]["hash"])


def test_an_anchored_passed_run_is_verified(tmp_path: Path) -> None:
    """Intact, complete, passed, and ending in the head that was kept elsewhere: exit 0, with all that was found."""
    path = written(tmp_path, passed_run())

    verdict = verify_log(path, expect_head=_head(path))

    assert (verdict.exit_code, verdict.word, verdict.kind, verdict.anchored) == (0, "verified", None, True)
    assert (verdict.records, verdict.head) == (13, Head(seq=12, hash=_head(path)))
    assert (verdict.run, verdict.workflow, verdict.plan_digest) == (
        path.parent.name,
        "release",
        digest_of(started().data["plan"]),
    )
    assert (verdict.result, dict(verdict.steps)) == ("passed", {"passed": 3})
    assert verdict.gates == (
        GateFacts(
            step="approve", attempt=1, decision="approved", approver="alice", channel="terminal", assurance=1
        ),
    )  # fmt: skip


def test_a_run_that_only_its_own_log_confirms_is_bounded(tmp_path: Path) -> None:
    """Without a head from outside a passed run is never exit 0, and the verdict says what to give."""
    verdict = verify_log(written(tmp_path, passed_run()))

    assert (verdict.exit_code, verdict.word, verdict.anchored) == (3, "bounded", False)
    assert "--expect-head" in verdict.message


@pytest.mark.parametrize("kind", ["run.sealed", "note", "verification", "redaction"])
def test_remarks_may_follow_the_expected_head(tmp_path: Path, kind: str) -> None:
    """Seals, notes, verifications and redactions behind the end leave an anchored run verified."""
    path = written(tmp_path, [*passed_run(), Event(type=kind, data={})])

    assert verify_log(path, expect_head=_head(path, 12)).exit_code == 0


@pytest.mark.parametrize("anchor", range(12))
def test_records_behind_the_expected_head_are_bounded(tmp_path: Path, anchor: int) -> None:
    """A head from the middle of a run covers nothing behind it: exit 3."""
    path = written(tmp_path, passed_run())

    verdict = verify_log(path, expect_head=_head(path, anchor))

    assert (verdict.exit_code, verdict.word) == (3, "bounded")
    assert f"{counted(12 - anchor, 'record')} after the expected head" in verdict.message


@pytest.mark.parametrize("head", ["0" * 64, "f" * 64])
def test_a_head_that_the_log_does_not_hold_is_broken(tmp_path: Path, head: str) -> None:
    """An intact log without the expected head is another log or a cut one, whatever it says of itself."""
    for happened in (passed_run(), [started(), finished("failed")], [started()]):
        verdict = verify_log(written(tmp_path, happened), expect_head=head)

        assert (verdict.exit_code, verdict.kind) == (1, "replaced or cut")


@pytest.mark.parametrize("head", ["", "abc", "F" * 64, "0" * 63, "0" * 65, "0" * 63 + "\n"])
def test_half_a_head_is_no_head(tmp_path: Path, head: str) -> None:
    """Only a whole hash anchors."""
    with pytest.raises(ValueError, match="64"):
        verify_log(written(tmp_path, passed_run()), expect_head=head)


@pytest.mark.parametrize("result", ["failed", "denied", "interrupted"])
def test_a_run_that_did_not_pass_is_exit_4(tmp_path: Path, result: Any) -> None:
    """An intact log of a run that ended otherwise says so, anchored or not, torn or not."""
    path = written(tmp_path, [started(), begun("build"), ended("build", Outcome.FAILED), finished(result)])
    head = _head(path)

    assert verify_log(path).exit_code == 4
    assert verify_log(path, expect_head=head).exit_code == 4
    path.write_bytes(path.read_bytes() + b'{"v":1')
    verdict = verify_log(path)
    assert (verdict.exit_code, verdict.word, verdict.result) == (4, "not passed", result)


def test_a_run_without_an_end_is_bounded_even_when_anchored(tmp_path: Path) -> None:
    """A run that is still under way, or was killed, is never verified."""
    path = written(tmp_path, passed_run()[:-1])

    verdict = verify_log(path, expect_head=_head(path))

    assert (verdict.exit_code, verdict.anchored, verdict.result) == (3, True, None)
    assert "has not finished" in verdict.message


def test_steps_without_an_end_are_counted(tmp_path: Path) -> None:
    """The verdict says how many planned steps have no end."""
    verdict = verify_log(written(tmp_path, [started(), begun("build"), ended("build"), begun("approve")]))

    assert dict(verdict.steps) == {"passed": 1, "unfinished": 2}


def test_a_torn_tail_behind_an_anchored_end_is_still_torn(tmp_path: Path) -> None:
    """A passed and anchored run with half a record behind it is exit 5."""
    path = written(tmp_path, passed_run())
    head = _head(path)
    path.write_bytes(path.read_bytes() + b'{"v":1,"se')

    assert verify_log(path, expect_head=head).exit_code == 5


def _without(happened: list[Event], kind: str, step: str | None = None) -> list[Event]:
    return [event for event in happened if (event.type, event.step) != (kind, step)]


@pytest.mark.parametrize(
    ("happened", "reason"),
    [
        (_without(passed_run(), "run.started"), "begins with run.started"),
        ([passed_run()[0], *passed_run()], "no other record is one"),
        ([*passed_run(), begun("build")], "after the end"),
        ([*passed_run(), finished()], "after the end"),
        ([*passed_run(), Event(type="run.resumed", data={})], "after the end"),
        (_without(passed_run(), "step.finished", "publish"), "step 'publish' is still under way"),
        ([*passed_run()[:-2], ended("publish", Outcome.BLOCKED), finished()], "step 'publish' is blocked"),
        ([*passed_run()[:-2], ended("publish", Outcome.FAILED), finished()], "step 'publish' is failed"),
        ([*passed_run()[:-1], ended("build", Outcome.INTERRUPTED), finished()], "step 'build' ends a second time"),
        (_without(passed_run(), "gate.decided", "approve"), "no record says that it was approved"),
        ([*passed_run()[:7], decided("rejected"), *passed_run()[8:]], "no record says that it was approved"),
        ([*passed_run()[:7], decided("denied"), *passed_run()[8:]], "no record says that it was approved"),
        ([*passed_run()[:7], decided("expired"), *passed_run()[8:]], "no record says that it was approved"),
        ([*passed_run()[:8], decided("rejected"), *passed_run()[8:]], "decided again after it was approved"),
        ([*passed_run()[:7], decided(attempt=2), *passed_run()[8:]], "of attempt 2, which is not under way"),
        ([*passed_run()[:7], ended("approve"), decided(), *passed_run()[9:]], "no record says that it was approved"),
        ([started(), ended("approve"), finished("failed")], "no record says that it was approved"),
        ([started(), ended("other")], "'other', which is not in the plan"),
        ([started([]), finished()], "its plan has no steps"),
        ([started(["build", "build"])], "an id of its own"),
        ([started(["build"]), Event(type="step.finished", step="build", data={"outcome": "skipped"})], "no outcome"),
        ([started(["build"]), Event(type="step.finished", step="build", data={})], "no text 'outcome'"),
        ([started(["build"]), Event(type="run.finished", data={"result": True})], "no text 'result'"),
        ([Event(type="run.started", data={})], "no text 'workflow'"),
    ],
)
def test_a_story_that_contradicts_itself_is_broken(tmp_path: Path, happened: list[Event], reason: str) -> None:
    """A chain may be intact and its records still impossible together; then no anchor makes it good."""
    path = written(tmp_path, happened)

    verdict = verify_log(path, expect_head=_head(path))

    assert (verdict.exit_code, verdict.word, verdict.kind) == (1, "broken", "inconsistent")
    assert reason in verdict.message
    assert verdict.line is not None
    assert verdict.seq == verdict.line - 1


def test_a_step_that_does_not_apply_counts_as_passed(tmp_path: Path) -> None:
    """Steps that do not apply satisfy a passed run as those that passed do."""
    path = written(tmp_path, [*passed_run()[:-3], ended("publish", Outcome.NOT_APPLICABLE), finished()])

    assert verify_log(path, expect_head=_head(path)).exit_code == 0


def test_a_record_of_another_run_in_the_chain_is_inconsistent(tmp_path: Path) -> None:
    """A record that was moved here from another run is not this run's, even with every hash made to fit."""
    path = written(tmp_path, passed_run())
    records = records_in(path)
    records[4]["run"] = new_run_id()
    path.write_bytes(rechained(records))

    for chain_only in (False, True):
        verdict = verify_log(path, chain_only=chain_only)
        assert (verdict.exit_code, verdict.kind, verdict.line) == (1, "inconsistent", 5)


def test_records_of_unknown_types_are_never_verified(tmp_path: Path) -> None:
    """What this version can't judge may mean anything: an anchored log with such a record is bounded, and says why."""
    path = written(tmp_path, [*passed_run()[:-1], Event(type="step.revoked", step="build", data={}), finished()])

    verdict = verify_log(path, expect_head=_head(path))

    assert (verdict.exit_code, verdict.word) == (3, "bounded")
    assert "step.revoked" in verdict.message


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"inputs":{', b'"inputs":{"version":"0",'), (b'"uid":1000', b'"uid":NaN'), (b'"step":null', b'"step":0')],
)
def test_json_that_can_be_read_in_two_ways_is_edited(tmp_path: Path, old: bytes, new: bytes) -> None:
    """Doubled keys, NaN and wrong types are found behind a hash that fits; the chain alone can't show them."""
    import hashlib

    path = written(tmp_path, [started()])
    [line] = lines_in(path)
    body = line[: -len(b',"hash":"') - 64 - 3].replace(old, new, 1)
    digest = hashlib.sha256(b"workflow-exec-evidence/1\n" + body).hexdigest().encode()
    path.write_bytes(body + b',"hash":"' + digest + b'"}\n')

    verdict = verify_log(path)

    assert (verdict.exit_code, verdict.kind, verdict.line) == (1, "edited", 1)
    assert verify_log(path, chain_only=True).exit_code == 3


def _flip(blob: Path) -> None:
    content = bytearray(blob.read_bytes())
    content[20] ^= 1
    blob.write_bytes(content)


def _swap(blob: Path) -> None:
    other = next(path for path in blob.parents[1].rglob("*") if path.is_file() and path != blob)
    blob.write_bytes(other.read_bytes())


@pytest.mark.parametrize("damage", [_flip, Path.unlink, _swap, lambda blob: os.truncate(blob, 100)])
def test_a_stored_text_that_changed_breaks_its_record(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    """A blob that is gone, cut, changed or exchanged is named with its record; without blobs only the chain counts."""
    happened = passed_run()
    path = written(tmp_path, [*happened[:2], note(a="x" * 9_000, b="y" * 9_000), *happened[2:]])
    intact = verify_log(path, expect_head=_head(path))
    assert (intact.exit_code, intact.blobs) == (0, 2)
    blob = records_in(path)[2]["data"]["a"]["blob"]
    damage(path.parent / "blobs" / blob[:2] / blob)

    verdict = verify_log(path, expect_head=_head(path))

    assert (verdict.exit_code, verdict.kind, verdict.line, verdict.seq) == (1, "blob", 3, 2)
    assert blob in verdict.message
    assert verify_log(path, chain_only=True).exit_code == 3


def test_the_chain_alone_is_never_better_than_bounded(tmp_path: Path) -> None:
    """Without reading what the records say nobody can know that the run passed: exit 3, whatever anchors it."""
    path = written(tmp_path, passed_run())

    verdict = verify_log(path, expect_head=_head(path), chain_only=True)

    assert (verdict.exit_code, verdict.records, verdict.anchored, verdict.result) == (3, 13, True, None)
    assert "was not read" in verdict.message
    assert verdict.run == path.parent.name


@pytest.mark.parametrize("acknowledged", [1, 2, 3, 5, 8])
def test_a_killed_writer_leaves_what_it_acknowledged(tmp_path: Path, acknowledged: int) -> None:
    """After SIGKILL the log is bounded or torn, never broken, and holds every record that was said to be safe."""
    command = [sys.executable, "-m", "tests.evidence._writer", "endless", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        said = [writer.stdout.readline() for _ in range(acknowledged)]
        os.kill(writer.pid, signal.SIGKILL)
        said += writer.stdout.readlines()
    assert writer.returncode == -signal.SIGKILL
    safe = max(int(line) for line in said)

    [path] = tmp_path.rglob("evidence.jsonl")
    verdict = verify_log(path)
    assert verdict.exit_code in {3, 5}
    assert verdict.head is not None
    assert verdict.head.seq >= safe
    assert [record.seq for record in read_log(path)] == list(range(verdict.records))


def test_json_is_not_read_for_the_chain_alone(tmp_path: Path) -> None:
    """A line whose JSON nobody could read is still a link of the chain."""
    import hashlib

    path = written(tmp_path, [started()])
    record = json.loads(lines_in(path)[0])
    body = lines_in(path)[0][: -len(b',"hash":"') - 64 - 3].replace(b'"data":{', b'"data":{{{', 1)
    digest = hashlib.sha256(b"workflow-exec-evidence/1\n" + body).hexdigest().encode()
    path.write_bytes(body + b',"hash":"' + digest + b'"}\n')

    assert record["seq"] == 0
    assert verify_log(path).kind == "edited"
    assert verify_log(path, chain_only=True).records == 1


@pytest.mark.parametrize("size_bytes", [9_017, 50 << 30])
def test_a_blob_that_grew_is_broken_and_not_read(tmp_path: Path, size_bytes: int) -> None:
    """A stored text that is larger than memory breaks the log like any other change of it, and takes no memory."""
    happened = passed_run()
    path = written(tmp_path, [*happened[:2], note(a="x" * 9_000), *happened[2:]])
    blob = records_in(path)[2]["data"]["a"]["blob"]
    os.truncate(path.parent / "blobs" / blob[:2] / blob, size_bytes)

    verdict = verify_log(path, expect_head=_head(path))

    assert (verdict.exit_code, verdict.kind, verdict.line) == (1, "blob", 3)
    assert f"it has {size_bytes} bytes, not 9016" in verdict.message


def test_many_remarks_are_known_by_their_shape_and_a_review_is_read(tmp_path: Path) -> None:
    """A run with several notes is verified as ever, and a review of nothing among them is seen for what it is."""
    remarks = [note(text=f"remark {number}") for number in range(4)]
    path = written(tmp_path, [*passed_run(), *remarks])
    assert verify_log(path).word == "bounded"

    records = records_in(path)
    records[-1] = {**records[-1], "step": "build", "data": {"text": "x", "who": "yan", "review": {"digest": "0" * 64}}}
    path.write_bytes(rechained(records))

    assert verify_log(path).word == "broken"
