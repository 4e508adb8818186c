"""`workflow-exec export`."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.cli import main
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.model import Outcome
from tests.evidence._logs import begun, ended, finished, passed_run, records_in, resumed, started, written

FORMATS = ("in-toto", "junit", "otel-json", "csv")
FILE = {"wheel": {"path": "dist/a.whl", "sha256": "a" * 64, "size_bytes": 3}}


def _mixed_run() -> list[Event]:
    """Return a run with every kind of end, one with what an attacker would print."""
    steps = ["build", "left", "bad", "late"]
    return [
        started(steps),
        begun("build"),
        events.command_started("build", attempt=1, facts={"argv": ["make", "all"]}),
        events.command_finished("build", attempt=1, facts={"argv": ["make", "all"], "exit": 0}),
        ended("build", files=FILE),
        ended("left", Outcome.NOT_APPLICABLE),
        begun("bad"),
        ended("bad", Outcome.FAILED, message="=cmd|' /C calc'!A0\n\x1b[2J\0 <&> \ud7ff é"),
        ended("late", Outcome.BLOCKED, waits_for="bad", message="waits for bad (failed)"),
        finished("failed"),
    ]


def _exported(path: Path, form: str, folder: Path) -> str:
    target = folder / f"exported.{form}"
    target.unlink(missing_ok=True)
    assert main(["export", str(path), "--format", form, "-o", str(target)]) == 0
    return target.read_text(encoding="utf-8")


@pytest.mark.parametrize("form", FORMATS)
def test_the_same_log_gives_the_same_bytes(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes], form: str
) -> None:
    """Twice, to a file or to standard output, from another folder: byte for byte the same."""
    path = written(tmp_path, _mixed_run())
    copy = tmp_path / "elsewhere" / "evidence.jsonl"
    copy.parent.mkdir()
    copy.write_bytes(path.read_bytes())
    first = _exported(path, form, tmp_path).encode()

    assert _exported(copy, form, tmp_path).encode() == first
    assert main(["export", str(path), "--format", form]) == 0
    assert capfdbinary.readouterr().out == first


def test_junit_tells_what_pytest_tells(tmp_path: Path) -> None:
    """Satisfied steps pass, failed ones are failures, blocked ones errors; nothing is skipped, and XML stays XML."""
    suites = ET.fromstring(_exported(written(tmp_path, _mixed_run()), "junit", tmp_path))  # noqa: S314  # our own

    [suite] = suites
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "errors", "skipped")} == {
        "name": "release", "tests": "4", "failures": "1", "errors": "1", "skipped": "0",
    }  # fmt: skip
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    assert [child.tag for child in cases["build"]] == ["properties"]
    assert [child.tag for child in cases["left"]] == ["properties"]
    failure, error = cases["bad"].find("failure"), cases["late"].find("error")
    assert failure is not None
    assert failure.text == "=cmd|' /C calc'!A0\n\\x1b[2J\\x00 <&> \ud7ff é"
    assert error is not None
    assert (error.get("type"), error.get("message")) == ("blocked", "waits for bad (failed)")
    values = {each.get("name"): each.get("value") for each in suite.findall("properties/property")}
    assert values["workflow_exec.result"] == "failed"
    outcome = cases["left"].find("properties/property[@name='workflow_exec.outcome']")
    assert outcome is not None
    assert outcome.get("value") == "not applicable"


def test_csv_has_a_row_for_each_step_and_no_formula(tmp_path: Path) -> None:
    """A spreadsheet is given texts, also where a command printed what it would compute."""
    rows = list(csv.DictReader(_exported(written(tmp_path, _mixed_run()), "csv", tmp_path).splitlines(keepends=True)))
    gates = list(csv.DictReader(_exported(written(tmp_path, passed_run()), "csv", tmp_path).splitlines(keepends=True)))

    assert [(row["step"], row["outcome"]) for row in rows] == [
        ("build", "passed"), ("left", "not applicable"), ("bad", "failed"), ("late", "blocked"),
    ]  # fmt: skip
    assert rows[2]["message"].startswith("'=cmd|")
    assert (gates[1]["decision"], gates[1]["approver"], gates[1]["assurance"]) == ("approved", "alice", "1")


def test_a_trace_has_a_span_for_run_steps_and_commands(tmp_path: Path) -> None:
    """Spans hang together, have ids of their own that only run and head decide, and end no earlier than they start."""
    path = written(tmp_path, _mixed_run())
    trace = json.loads(_exported(path, "otel-json", tmp_path))

    [scope] = trace["resourceSpans"][0]["scopeSpans"]
    run, build, bad, command = scope["spans"]
    assert [span["name"] for span in scope["spans"]] == ["RUN release", "build", "bad", "make"]
    assert {span["traceId"] for span in scope["spans"]} == {run["traceId"]}
    assert len({span["spanId"] for span in scope["spans"]}) == 4
    assert (len(run["traceId"]), len(run["spanId"]), run["parentSpanId"], run["kind"]) == (32, 16, "", 2)
    assert [build["parentSpanId"], bad["parentSpanId"], command["parentSpanId"]] == [
        run["spanId"], run["spanId"], build["spanId"],
    ]  # fmt: skip
    assert all(0 < int(span["startTimeUnixNano"]) <= int(span["endTimeUnixNano"]) for span in scope["spans"])
    assert [span["status"]["code"] for span in scope["spans"]] == [2, 1, 2, 1]
    attributes = {each["key"]: each["value"]["stringValue"] for each in run["attributes"]}
    assert attributes["cicd.pipeline.result"] == "failure"
    assert attributes["cicd.pipeline.run.id"] == path.parent.name


def test_statements_name_each_other(tmp_path: Path) -> None:
    """A link for each step that ran, on its files or on the log; the last statement misses none that is left out."""
    path = written(tmp_path, _mixed_run())
    *links, run = _exported(path, "in-toto", tmp_path).splitlines()

    told = [json.loads(line) for line in links]
    head = {"name": f"urn:uuid:{path.parent.name}", "digest": {"workflowExecHead": records_in(path)[-1]["hash"]}}
    assert [(link["predicateType"], link["predicate"]["name"]) for link in told] == [
        ("https://in-toto.io/attestation/link/v0.3", "build"),
        ("https://in-toto.io/attestation/link/v0.3", "bad"),
    ]
    assert told[0]["subject"] == [{"name": "dist/a.whl", "digest": {"sha256": "a" * 64}}]
    assert told[0]["predicate"]["command"] == ["make", "all"]
    assert told[1]["subject"] == [head]
    whole = json.loads(run)
    assert whole["subject"] == [head]
    assert whole["predicate"]["statements"] == [{"sha256": hashlib.sha256(line.encode()).hexdigest()} for line in links]
    assert whole["predicate"]["result"] == "failed"
    assert [step["outcome"] for step in whole["predicate"]["steps"]] == [
        "passed",
        "not applicable",
        "failed",
        "blocked",
    ]


@pytest.mark.parametrize("form", FORMATS)
def test_a_run_that_is_under_way_or_went_on_can_be_written(tmp_path: Path, form: str) -> None:
    """A step without an end, and steps that another session ran, are told as what they are."""
    carried = [resumed(), ended("build", Outcome.CARRIED), begun("approve")]
    text = _exported(written(tmp_path, [*passed_run()[:5], *carried]), form, tmp_path)

    assert "carried" in text
    assert "effect unknown" in text or form in ("otel-json", "in-toto")
    assert _exported(written(tmp_path, [started()]), form, tmp_path) != ""


@pytest.mark.parametrize("form", FORMATS)
def test_nothing_is_made_of_a_log_that_can_not_be_believed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    """A broken, empty or foreign log gives no output; a file that is there is not replaced."""
    path, target = written(tmp_path, passed_run()), tmp_path / "out"
    content = path.read_bytes()

    for damaged in (content.replace(b'"exit":0', b'"exit":1'), b"", b"hello\n"):
        path.write_bytes(damaged)
        assert main(["export", str(path), "--format", form, "-o", str(target)]) == 2
        assert not target.exists()
    path.write_bytes(content)
    target.write_text("kept")
    assert main(["export", str(path), "--format", form, "-o", str(target)]) == 2
    assert target.read_text() == "kept"
    assert "can't be written: File exists" in capsys.readouterr().err


def test_a_format_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    """No format is the default, and only those that there are can be had."""
    assert main(["export", "latest"]) == 2
    assert main(["export", "latest", "--format", "pdf"]) == 2
    assert "invalid choice: 'pdf'" in capsys.readouterr().err
    assert dataclasses.is_dataclass(Event)
