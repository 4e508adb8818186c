"""`workflow-exec show`."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import pexpect
import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.redaction import Redactor
from tests.evidence._logs import (
    begun,
    decided,
    ended,
    finished,
    lines_in,
    note,
    passed_run,
    records_in,
    resumed,
    started,
    written,
)

from ._tool import ROOT, workflow_exec


def _failed_run() -> list[Event]:
    return [
        started(),
        begun("build"),
        events.command_started("build", attempt=1, facts={"argv": ["make"]}),
        events.command_refused("build", attempt=1, argv=["rm", "-rf"], reason="no rule allows it"),
        ended("build", Outcome.FAILED, message="first line\n[bold]second[/bold] \x1b[31mline", duration_s=185.0),
        ended("approve", Outcome.BLOCKED, waits_for="build", message="waits for build (failed)"),
        finished("failed", not_satisfied=["build", "approve", "publish"]),
    ]


def _rows(output: str) -> list[list[str]]:
    lines = output.splitlines()
    first = next(number for number, line in enumerate(lines) if line.split()[:2] == ["#", "step"])
    # Steps have a number, what stands above them, and single attempts, have none.
    return [line.split() for line in lines[first + 1 :] if line.lstrip()[:1].isdigit()]


def test_a_passed_run_is_shown_as_a_tree(tmp_path: Path) -> None:
    """Header, one line per planned step below that of the workflow, decisions and commands: all that a person asks first."""
    path = written(tmp_path, passed_run())
    records = records_in(path)

    done = workflow_exec("show", path, cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:2] == [f"run       {path.parent.name}", "workflow  release"]
    assert lines[2].startswith(f"started   {records[0]['ts'][:10]} ")
    assert lines[2].endswith(" UTC by alice")
    assert lines[3].startswith("result    passed, finished ")
    assert lines[4] == f"evidence  {path}"
    assert lines[5] == f"head      12 {records[-1]['hash']}"
    assert _rows(done.stdout) == [
        ["1", "build", "step", "passed", "0.2s", "1", records[1]["ts"][11:19]],
        ["2", "approve", "gate", "passed", "0.2s", "1", records[5]["ts"][11:19]],
        ["3", "publish", "step", "passed", "0.2s", "1", records[10]["ts"][11:19]],
    ]
    assert "gate      approve: approved by alice (terminal, assurance 1), " in done.stdout
    assert "commands  1 run, 0 refused" in done.stdout


def test_what_went_wrong_is_shown_below_the_table(tmp_path: Path) -> None:
    """Failures keep their lines, refusals their command and reason; nothing in them is markup or a control code."""
    done = workflow_exec("show", written(tmp_path, _failed_run()), cwd=tmp_path)

    assert done.returncode == 0
    assert _rows(done.stdout)[0][3:5] == ["failed", "3m"]
    assert _rows(done.stdout)[1][3:7] == ["blocked,", "waits", "for", "build"]
    assert _rows(done.stdout)[2][3:] == ["not", "started"]
    assert "commands  1 run, 1 refused" in done.stdout
    assert "refused   build: [rm, -rf]: no rule allows it" in done.stdout
    below = "failed    build:\n          first line\n          [bold]second[/bold] \\x1b[31mline\n"
    assert below in done.stdout
    assert "blocked   approve:" not in done.stdout


def test_a_rejection_is_shown_with_its_reason(tmp_path: Path) -> None:
    """Who rejected a gate, and why, is there to read."""
    path = written(tmp_path, [started(), begun("approve"), decided("rejected", reason="not on a Friday")])

    done = workflow_exec("show", path, cwd=tmp_path)

    assert "approve: rejected by alice (terminal, assurance 1)" in done.stdout
    assert "reason: not on a Friday" in done.stdout


def test_a_started_step_without_an_end_is_an_unknown_effect(tmp_path: Path) -> None:
    """A run that was killed shows which step may have done something, and its torn end."""
    path = written(tmp_path, [started(), begun("build"), note()])
    path.write_bytes(path.read_bytes() + b'{"v":1')

    done = workflow_exec("show", path, cwd=tmp_path)

    assert done.returncode == 0
    assert "result    not finished: still running, or killed" in done.stdout
    assert "torn      the last record was not written whole (6 bytes)" in done.stdout
    assert "started, no end: effect unknown" in done.stdout


def test_a_broken_log_shows_what_can_be_read(tmp_path: Path) -> None:
    """The first line says that, how and where the log is broken; what follows the damage is not shown; exit 1."""
    path = written(tmp_path, passed_run())
    path.write_bytes(path.read_bytes().replace(b'"decision":"approved"', b'"decision":"rejected"'))

    done = workflow_exec("show", path, cwd=tmp_path)

    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith("BROKEN edited: line 8 ")
    assert [row[3] for row in _rows(done.stdout)] == ["passed", "started,", "not"]
    assert "gate      " not in done.stdout
    assert "result    not finished" in done.stdout


def test_an_impossible_story_is_shown_as_broken(tmp_path: Path) -> None:
    """Records that contradict each other are shown under a line that says so."""
    path = written(tmp_path, [started(), finished("passed")])

    done = workflow_exec("show", path, cwd=tmp_path)

    assert done.returncode == 1
    assert done.stdout.startswith("BROKEN inconsistent: line 2 ")
    assert "result    passed" in done.stdout


def test_what_is_no_evidence_is_not_shown(tmp_path: Path) -> None:
    """An unreadable file is exit 2, in words, with nothing on standard output."""
    (tmp_path / "x.jsonl").write_text("hello\n")

    done = workflow_exec("show", "x.jsonl", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "x.jsonl is no evidence" in done.stderr


def test_a_run_is_there_for_machines(tmp_path: Path) -> None:
    """--json gives the same facts as one object, untouched."""
    path = written(tmp_path, _failed_run())

    done = workflow_exec("show", path, "--json", cwd=tmp_path)
    facts = json.loads(done.stdout)

    assert done.returncode == 0
    assert (facts["run"], facts["workflow"], facts["result"], facts["broken"]) == (
        path.parent.name,
        "release",
        "failed",
        None,
    )
    assert [(step["id"], step["outcome"], step["waits_for"]) for step in facts["steps"]] == [
        ("build", "failed", None),
        ("approve", "blocked", "build"),
        ("publish", "not started", None),
    ]
    assert facts["steps"][0]["message"] == "first line\n[bold]second[/bold] \x1b[31mline"
    assert facts["commands"] == {
        "started": 1,
        "refused": [{"step": "build", "argv": ["rm", "-rf"], "reason": "no rule allows it"}],
    }
    assert facts["head"]["hash"] == records_in(path)[-1]["hash"]


@pytest.mark.parametrize(
    ("environment", "colored"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colors_are_for_terminals_that_want_them(tmp_path: Path, environment: dict[str, str], colored: bool) -> None:
    """A terminal gets colors and a table within its 80 columns; NO_COLOR, dumb terminals and pipes get plain text."""
    path = written(tmp_path, _failed_run())
    long = "a-step-with-a-name-that-is-longer-than-anyone-would-like-it-to-be-but-still-allowed"
    wide = written(tmp_path, [started([long]), begun(long)])

    for log in (path, wide):
        screen = str(
            pexpect.run(
                f"{sys.executable} -m pytest_workflow_exec.cli show {log.parent.name[:-2]}",
                cwd=str(_project(tmp_path)),
                env={
                    "PATH": "/usr/bin:/bin",
                    "PYTHONPATH": str(ROOT),
                    "TERM": "xterm",
                    "LC_ALL": "C.UTF-8",
                    **environment,
                },
                encoding="utf-8",
            )
        )
        table = screen[screen.index("#") : screen.index("commands")]
        assert ("\x1b[" in screen) == colored
        assert all(len(line) <= 80 for line in _without_colors(table).splitlines())
        assert "".join(_without_colors(table).split()).count("name") == (log == wide)


def test_a_screen_without_unicode_gets_everything(tmp_path: Path) -> None:
    """A character that standard output can't encode is spelled out, and nothing falls over."""
    path = written(tmp_path, [*_failed_run()[:4], ended("build", Outcome.FAILED, message="grün")])

    done = workflow_exec("show", path, cwd=tmp_path, LC_ALL="C", PYTHONIOENCODING="ascii", PYTHONUTF8="0")

    assert (done.returncode, done.stderr) == (0, "")
    assert r"gr\xfcn" in done.stdout


def _project(path: Path) -> Path:
    (path / ".git").mkdir(exist_ok=True)
    return path


def _without_colors(screen: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;]*m", "", screen)


def test_a_run_that_went_on_is_shown_as_it_is_now(tmp_path: Path) -> None:
    """Sessions, recoveries, what runs again and why; a carried step keeps the time of the session that ran it."""
    path = written(
        tmp_path, [*passed_run()[:10], begun("publish"), ended("publish", Outcome.FAILED), note(text="t" * 99)]
    )
    os.truncate(path, path.stat().st_size - 20)
    redo = {"step": "approve", "reason": "another look", "who": "alice"}
    with contextlib.closing(EvidenceLog.reopen(path.parent, path.parent.name, redactor=Redactor({}))) as log:
        for event in (
            resumed(carried=["build"], redo=redo),
            events.step_invalidated("approve", reasons=["asked for: another look"]),
            ended("build", Outcome.CARRIED, duration_s=0.0),
            begun("approve", attempt=2),
        ):
            log.append(event)
    records = [json.loads(line) for line in lines_in(path) if line.endswith(b'"}\n')]

    done = workflow_exec("show", path, cwd=tmp_path)
    facts = json.loads(workflow_exec("show", path, "--json", cwd=tmp_path).stdout)

    assert done.returncode == 0
    assert f"resumed   {records[-4]['ts'][:19].replace('T', ' ')} UTC, session 2\n" in done.stdout
    assert "recovered 1 record that was not written whole" in done.stdout
    assert "redo      approve: another look\nagain     approve: asked for: another look\n" in done.stdout
    rows = _rows(done.stdout)
    assert rows[0] == ["1", "build", "step", "carried", "0.2s", "1", records[1]["ts"][11:19]]
    assert rows[1][3:6] == ["started,", "no", "end:"]
    assert rows[2][3:] == ["not", "started"]
    assert (len(facts["sessions"]), facts["recoveries"], facts["redo"], facts["result"]) == (2, 1, redo, None)
    assert facts["steps"][1]["reasons"] == ["asked for: another look"]
