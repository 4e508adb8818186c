"""`workflow-exec verify`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from pytest_workflow_exec.digests import digest_of
from pytest_workflow_exec.model import Outcome
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
    requested,
    started,
    written,
)

from ._tool import workflow_exec


def test_a_verified_run_is_exit_0_in_a_few_lines(tmp_path: Path) -> None:
    """The verdict names run, plan, records, head, steps and decisions."""
    path = written(tmp_path, passed_run())
    head = records_in(path)[-1]["hash"]

    done = workflow_exec("verify", path, "--expect-head", head, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [
        f"run       {path.parent.name}",
        f"workflow  release, plan {digest_of(started().data['plan'])[:12]}",
        f"log       {path}",
        "records   13 (seq 0-12), chain OK",
        f"head      12 {head}, anchored",
        "steps     3 passed",
        "gate      approve: approved by alice (terminal, assurance 1)",
        "VERDICT verified: intact, complete, passed, and anchored by your head",
    ]


def test_a_head_is_taken_in_any_case(tmp_path: Path) -> None:
    """Capital letters in a typed head change nothing."""
    path = written(tmp_path, passed_run())

    head = records_in(path)[-1]["hash"].upper()

    assert workflow_exec("verify", path, "--expect-head", head, cwd=tmp_path).returncode == 0


def test_a_bounded_run_is_exit_3_and_says_what_to_do(tmp_path: Path) -> None:
    """A run that only its own log confirms is told how to be confirmed from outside."""
    path = written(tmp_path, [*passed_run()[:4], note(text="x" * 9_000), *passed_run()[4:]])

    done = workflow_exec("verify", path, cwd=tmp_path)

    assert done.returncode == 3
    assert "not anchored" in done.stdout
    assert "14 (seq 0-13), 1 stored texts, chain OK" in done.stdout
    assert "VERDICT bounded: " in done.stdout.splitlines()[-1]
    assert "--expect-head" in done.stdout.splitlines()[-1]
    assert workflow_exec("verify", path, "--chain-only", cwd=tmp_path).returncode == 3


def test_a_failed_run_is_exit_4_with_its_steps(tmp_path: Path) -> None:
    """The steps are counted by outcome, also those that never ended."""
    happened = [
        started(),
        *[begun("build"), ended("build")],
        *[begun("approve"), requested(), decided("rejected"), ended("approve", Outcome.DENIED)],
        finished("denied"),
    ]

    done = workflow_exec("verify", written(tmp_path, happened), cwd=tmp_path)

    assert done.returncode == 4
    assert "steps     1 passed, 1 denied, 1 unfinished" in done.stdout
    assert "gate      approve: rejected by alice" in done.stdout
    assert "VERDICT not passed: the log is intact, and the run finished as denied" in done.stdout


def test_a_broken_log_is_exit_1_with_kind_and_place(tmp_path: Path) -> None:
    """The last line says what kind of damage there is, and where."""
    path = written(tmp_path, passed_run())
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"exit":0', b'"exit":1'))
    offset = content.rfind(b"\n", 0, content.find(b'"exit":0')) + 1

    done = workflow_exec("verify", path, cwd=tmp_path)

    assert done.returncode == 1
    assert "records   3 (seq 0-2), chain broken after them" in done.stdout
    last = done.stdout.splitlines()[-1]
    assert last == f"VERDICT broken: edited: line 4 (byte {offset}, seq 3): its hash does not fit its bytes"


def test_a_torn_tail_is_exit_5(tmp_path: Path) -> None:
    """Half a record at the end is called so, with its size."""
    path = written(tmp_path, [started(), begun("build")])
    path.write_bytes(path.read_bytes() + b'{"v":1')

    done = workflow_exec("verify", path, cwd=tmp_path)

    assert done.returncode == 5
    assert "then 6 bytes of a torn record" in done.stdout
    assert "VERDICT torn tail: " in done.stdout


def test_another_file_is_exit_2(tmp_path: Path) -> None:
    """A file that is no evidence is unreadable, not broken."""
    (tmp_path / "x.jsonl").write_text("hello\n")

    done = workflow_exec("verify", "x.jsonl", cwd=tmp_path)

    assert done.returncode == 2
    assert "VERDICT unreadable: x.jsonl is no evidence" in done.stdout


def test_the_verdict_is_there_for_machines(tmp_path: Path) -> None:
    """--json prints one object with everything that was found, for every verdict."""
    path = written(tmp_path, passed_run())
    head = records_in(path)[-1]["hash"]

    done = workflow_exec("verify", path, "--json", "--expect-head", head, cwd=tmp_path)
    facts = json.loads(done.stdout)

    gate = {"step": "approve", "attempt": 1, "decision": "approved", "approver": "alice", "channel": "terminal"}
    assert facts == {
        "exit_code": 0,
        "word": "verified",
        "message": "intact, complete, passed, and anchored by your head",
        "kind": None,
        "line": None,
        "byte": None,
        "seq": None,
        "records": 13,
        "head": {"seq": 12, "hash": head},
        "run": path.parent.name,
        "workflow": "release",
        "plan_digest": digest_of(started().data["plan"]),
        "policies": ["e" * 64],
        "recoveries": 0,
        "sessions": 1,
        "result": "passed",
        "steps": {"passed": 3},
        "gates": [{**gate, "assurance": 1}],
        "warnings": [],
        "blobs": 0,
        "torn_bytes": 0,
        "anchored": True,
        "chain_only": False,
        "log": str(path),
    }
    path.write_bytes(b"hello\n")
    done = workflow_exec("verify", path, "--json", cwd=tmp_path)
    assert (done.returncode, json.loads(done.stdout)["word"]) == (2, "unreadable")


def test_a_log_can_not_write_on_the_screen(tmp_path: Path) -> None:
    """What stands in a log is shown escaped: it moves no cursor and makes no second verdict."""
    evil = "x\x1b[2J\r\nVERDICT verified: \u202egreen"
    start = started()
    path = written(tmp_path, [type(start)(type="run.started", data={**start.data, "workflow": evil})])

    commands: list[list[str | Path]] = [
        ["verify", path],
        ["verify", path, "--json"],
        ["show", path],
        ["show", path, "--json"],
    ]
    for arguments in commands:
        done = workflow_exec(*arguments, cwd=tmp_path)
        assert not any(line.startswith("VERDICT verified") for line in done.stdout.splitlines())
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
        assert r"\u202egreen" in done.stdout


@pytest.mark.parametrize("head", ["", " ", "0" * 63, "0" * 65, "g" * 64, "0" * 63 + "\n", "\u0660" * 64])
@pytest.mark.parametrize("form", ["--expect-head {}", "--expect-head={}"])
def test_what_is_no_head_is_a_usage_error(tmp_path: Path, head: str, form: str) -> None:
    """An empty head, as a script with an unset variable gives it, is refused: it must not look like no head."""
    path = written(tmp_path, passed_run())

    done = workflow_exec("verify", path, *[part.format(head) for part in form.split(" ")], cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "a head is the whole hash: 64 hexadecimal digits" in done.stderr


def test_a_huge_blob_is_broken_and_not_a_traceback(tmp_path: Path) -> None:
    """`verify` and `show` name a stored text that grew beyond all memory."""
    path = written(tmp_path, [*passed_run()[:2], note(text="x" * 9_000), *passed_run()[2:]])
    blob = records_in(path)[2]["data"]["text"]["blob"]
    os.truncate(path.parent / "blobs" / blob[:2] / blob, 50 << 30)

    verified, shown = workflow_exec("verify", path, cwd=tmp_path), workflow_exec("show", path, cwd=tmp_path)

    assert (verified.returncode, shown.returncode) == (1, 1)
    assert (
        f"VERDICT broken: blob: line 3 (byte {len(b''.join(lines_in(path)[:2]))}, seq 2): blob {blob} was changed"
        in (verified.stdout)
    )
    assert shown.stdout.startswith("BROKEN blob: line 3 ")
    assert (verified.stderr, shown.stderr) == ("", "")


def test_a_clock_that_went_back_is_a_warning(tmp_path: Path) -> None:
    """What is odd about a log is said, and changes neither verdict nor exit code."""
    path = written(tmp_path, passed_run())
    records = records_in(path)
    records[3]["ts"] = "2001-01-01T00:00:00.000000Z"
    path.write_bytes(rechained(records))

    done = workflow_exec("verify", path, cwd=tmp_path)

    assert done.returncode == 3
    assert "warning   the clock went back once, before seq 3\n" in done.stdout


def test_a_log_that_contradicts_itself_is_exit_1(tmp_path: Path) -> None:
    """Right hashes and a right head do not make an approved gate of one that nobody was asked at."""
    path = written(tmp_path, passed_run())
    records = [record for record in records_in(path) if record["type"] != "gate.used"]
    path.write_bytes(rechained(records))

    done = workflow_exec("verify", path, "--expect-head", records_in(path)[-1]["hash"], cwd=tmp_path)

    assert done.returncode == 1
    assert "VERDICT broken: inconsistent: line 10 " in done.stdout
    assert "no record says that the approval of gate 'approve' was used" in done.stdout
