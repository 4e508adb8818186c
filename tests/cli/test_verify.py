"""`workflow-exec verify`."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from pytest_workflow_exec.digests import Json, digest_of
from pytest_workflow_exec.evidence import EvidenceLog
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.redaction import Redactor
from tests.evidence._logs import (
    begun,
    decided,
    ended,
    finished,
    lines_in,
    new_log,
    note,
    passed_run,
    rechained,
    records_in,
    requested,
    resumed,
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
    """--json prints a SLSA verification summary about the log's bytes, with everything that was found under one key."""
    path = written(tmp_path, passed_run())
    head = records_in(path)[-1]["hash"]

    done = workflow_exec("verify", path, "--json", "--expect-head", head, "--min-assurance", "1", cwd=tmp_path)
    summary = json.loads(done.stdout)

    predicate = summary["predicate"]
    digest = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    run, gate = path.parent.name, {"step": "approve", "attempt": 1, "decision": "approved", "approver": "alice"}
    assert {key: summary[key] for key in ("_type", "predicateType", "subject")} == {
        "_type": "https://in-toto.io/Statement/v1",
        "predicateType": "https://slsa.dev/verification_summary/v1",
        "subject": [{"name": run, "digest": digest}],
    }
    assert predicate["inputAttestations"] == [{"uri": path.as_uri(), "digest": digest}]
    assert (predicate["verificationResult"], predicate["resourceUri"]) == ("PASSED", f"urn:uuid:{run}")
    assert predicate["verifiedLevels"] == ["WORKFLOW_EXEC_VERIFIED", "WORKFLOW_EXEC_ASSURANCE_1"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", predicate["timeVerified"])
    assert set(predicate["verifier"]) == {"id", "version"}
    assert len(predicate["policy"]["digest"]["sha256"]) == 64
    assert predicate["pytestWorkflowExec"] == {
        "exit_code": 0,
        "word": "verified",
        "message": "intact, complete, passed, and anchored by your head",
        "kind": None,
        "line": None,
        "byte": None,
        "seq": None,
        "file": None,
        "segments": 1,
        "records": 13,
        "head": {"seq": 12, "hash": head},
        "run": run,
        "workflow": "release",
        "plan_digest": digest_of(started().data["plan"]),
        "policies": ["e" * 64],
        "recoveries": 0,
        "sessions": 1,
        "result": "passed",
        "steps": {"passed": 3},
        "unknown_types": [],
        "gates": [{**gate, "channel": "terminal", "assurance": 1, "groups": {}, "proven": None, "reason": ""}],
        "broken_glass": [],
        "assurance": 1,
        "doubts": [],
        "waived": [],
        "asked_of": {},
        "warnings": [],
        "blobs": 0,
        "redacted": 0,
        "torn_bytes": 0,
        "anchored": True,
        "sealed_by": None,
        "anchored_through": 12,
        "unsigned_redaction": None,
        "chain_only": False,
        "log": str(path),
        "asked": {
            "expect_head": head,
            "plan": None,
            "policy": None,
            "approvers": None,
            "glass_granted": None,
            "min_assurance": 1,
        },
    }


@pytest.mark.parametrize(("content", "word"), [(b"hello\n", "unreadable"), (b"", "bounded"), (None, "bounded")])
def test_a_verdict_for_machines_that_is_not_verified_is_failed(
    tmp_path: Path, content: bytes | None, word: str
) -> None:
    """Whatever is not exit 0 is FAILED for machines, too."""
    path = written(tmp_path, passed_run())
    if content is not None:
        path.write_bytes(content)

    done = workflow_exec("verify", path, "--json", cwd=tmp_path)
    predicate = json.loads(done.stdout)["predicate"]

    assert (predicate["verificationResult"], predicate["verifiedLevels"]) == ("FAILED", ["FAILED"])
    assert (predicate["pytestWorkflowExec"]["word"], predicate["pytestWorkflowExec"]["exit_code"]) == (
        word,
        done.returncode,
    )


def _plans(*plans: Json) -> str:
    """Return what pytest prints with --workflow-plan-json, whatever else it says."""
    listed = [{**plan, "digest": digest_of(plan)} for plan in plans if isinstance(plan, dict)]
    return "==== test session starts ====\n" + json.dumps({"plans": listed}, indent=2) + "\n\n=== no tests ran ===\n"


def test_a_run_is_held_to_the_plan_that_is_wanted(tmp_path: Path) -> None:
    """A digest or pytest's own print of the plan: another plan, or another workflow's, is exit 4; no plan is exit 2."""
    path, plan = written(tmp_path, passed_run()), started().data["plan"]
    assert isinstance(plan, dict)
    other = {**plan, "steps": plan["steps"][1:]}
    head, file = records_in(path)[-1]["hash"], tmp_path / "plan.json"

    def verdict(*asked: str | Path) -> tuple[int, str]:
        done = workflow_exec("verify", path, "--expect-head", head, *asked, cwd=tmp_path)
        return done.returncode, (done.stdout + done.stderr).splitlines()[-1]

    assert verdict("--plan", digest_of(plan))[0] == 0
    assert verdict("--plan", digest_of(plan).upper())[0] == 0
    difference = f"its plan is {digest_of(plan)}, not {digest_of(other)}"
    assert verdict("--plan", digest_of(other)) == (
        4,
        f"VERDICT not as asked: the run is not what was asked for: {difference}",
    )
    for text, code in (
        (_plans(plan), 0),
        (_plans({"workflow": "a"}, plan), 0),
        (_plans(other), 4),
        (_plans({**plan, "workflow": "another"}), 4),
        (_plans(plan).replace("test session", "{ session"), 0),
        (_plans(plan).replace('"name": "build"', '"name": "other"'), 2),
        (_plans(), 2),
        ("", 2),
        ("{}", 2),
        ('{"plans": [1]}', 2),
        ("\0", 2),
    ):
        file.write_text(text)
        assert verdict("--plan", file)[0] == code, text
    assert verdict("--plan", "missing.json")[0] == 2
    file.write_bytes(b"\xff")
    assert verdict("--plan", file)[0] == 2


def test_a_run_is_held_to_the_policy_that_is_wanted(tmp_path: Path) -> None:
    """A digest or a configuration file: another policy in any session is exit 4, a file without one exit 2."""
    own, shared = tmp_path / "policy.toml", tmp_path / "pyproject.toml"
    own.write_text("[policy]\ncommands = ['git status']\n")
    shared.write_text("[tool.workflow-exec.policy]\ncommands = ['git status']\n")
    digest = digest_of({"commands": ["git status"]})
    start = started()
    begin = type(start)(type="run.started", data={**start.data, "policy": {"digest": digest}})
    path = written(tmp_path, [begin, *passed_run()[1:]])

    def verdict(policy: str | Path, log: Path = path) -> int:
        head = records_in(log)[-1]["hash"]
        return workflow_exec("verify", log, "--expect-head", head, "--policy", policy, cwd=tmp_path).returncode

    assert [verdict(policy) for policy in (digest, own, shared)] == [0, 0, 0]
    assert verdict("e" * 64) == 4
    own.write_text("[policy]\ncommands = ['git push']\n")
    assert verdict(own) == 4
    later = [resumed(), ended("build", Outcome.CARRIED), *passed_run()[5:]]
    assert verdict(shared, written(tmp_path, [begin, *passed_run()[1:5], *later])) == 4
    for text in ("[policy]\ncommand = 1\n", "broken = ["):
        own.write_text(text)
        assert verdict(own) == 2
    shared.write_text("[tool.other]\n")
    assert [verdict(policy) for policy in (shared, tmp_path / "missing.toml", tmp_path)] == [2, 2, 2]


def test_a_run_is_held_to_what_its_approvals_are_worth(tmp_path: Path) -> None:
    """Each approval that let anything go on must be worth what is wanted, in every session, and there must be one."""
    path = written(tmp_path, passed_run())
    without = written(tmp_path, [started(["build"]), begun("build"), ended("build"), finished()])

    def verdict(assurance: str, log: Path = path) -> subprocess.CompletedProcess[str]:
        head = records_in(log)[-1]["hash"]
        return workflow_exec("verify", log, "--expect-head", head, "--min-assurance", assurance, cwd=tmp_path)

    assert [verdict(assurance).returncode for assurance in "0123"] == [0, 0, 4, 4]
    assert "an approval in it is worth 1, not 2 or more" in verdict("2").stdout
    assert [verdict(assurance, without).returncode for assurance in "013"] == [0, 4, 4]
    assert "no approval let anything go on in it" in verdict("1", without).stdout


def test_what_is_asked_comes_behind_broken_and_before_torn(tmp_path: Path) -> None:
    """The first verdict that applies is given: unreadable, broken, not passed or not as asked, torn, bounded."""
    path = written(tmp_path, passed_run())
    content = path.read_bytes()

    def verdict(bytes_: bytes) -> int:
        path.write_bytes(bytes_)
        return workflow_exec("verify", path, "--plan", "0" * 64, cwd=tmp_path).returncode

    assert verdict(content) == 4
    assert verdict(content + b'{"v":1') == 4
    assert verdict(b"".join(content.splitlines(keepends=True)[:5])) == 4
    assert verdict(b"") == 4
    assert verdict(content.replace(b'"exit":0', b'"exit":1')) == 1
    assert verdict(b"hello\n") == 2


def test_a_verdict_can_be_recorded(tmp_path: Path) -> None:
    """--record appends the verdict, by whom, and the run stays what it was; a head of before still anchors it."""
    path = written(tmp_path, passed_run())
    head, before = records_in(path)[-1]["hash"], path.read_bytes()

    done = workflow_exec("verify", path, "--expect-head", head, "--record", cwd=tmp_path)

    record = records_in(path)[-1]
    assert (done.returncode, done.stderr) == (
        0,
        f"recorded: the head of the log is now {record['seq']} {record['hash']}\n",
    )
    assert path.read_bytes().startswith(before)
    assert (record["type"], record["actor"]["kind"], record["step"]) == ("verification", "human", None)
    assert record["data"]["word"] == "verified"
    assert record["data"]["head"] == {"seq": 12, "hash": head}
    assert record["data"]["asked"] == {"expect_head": head, "plan": None, "policy": None, "min_assurance": None}
    assert workflow_exec("verify", path, "--expect-head", head, cwd=tmp_path).returncode == 0
    assert workflow_exec("verify", path, "--expect-head", record["hash"], "--record", cwd=tmp_path).returncode == 0


def test_a_verdict_on_a_broken_log_is_not_recorded(tmp_path: Path) -> None:
    """Nothing is appended to what is broken or no evidence, or to a log that another process writes."""
    path = written(tmp_path, passed_run())
    content = path.read_bytes()

    for damaged in (content.replace(b'"exit":0', b'"exit":1'), b"hello\n", b""):
        path.write_bytes(damaged)
        done = workflow_exec("verify", path, "--record", cwd=tmp_path)
        assert done.returncode == 2
        assert "VERDICT" in done.stdout
        assert "not recorded" in done.stderr
        assert path.read_bytes() == damaged
    log = new_log(tmp_path)
    log.append(started())
    done = workflow_exec("verify", log.path, "--record", cwd=tmp_path)
    assert done.returncode == 2
    assert "is being written by another process" in done.stderr
    assert len(lines_in(log.path)) == 1


def test_a_log_that_went_on_says_so(tmp_path: Path) -> None:
    """Recoveries and sessions are told with the records."""
    path = written(tmp_path, [*passed_run()[:5], note(text="x" * 50)])
    os.truncate(path, path.stat().st_size - 20)
    with contextlib.closing(EvidenceLog.reopen(path.parent, path.parent.name, redactor=Redactor({}))) as log:
        for event in (resumed(), ended("build", Outcome.CARRIED), *passed_run()[5:]):
            log.append(event)

    done = workflow_exec("verify", path, cwd=tmp_path)

    assert "records   16 (seq 0-15), 1 recovered from, chain OK" in done.stdout
    assert "sessions  2" in done.stdout


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
