"""`workflow-exec watch`."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pexpect

from pytest_workflow_exec.evidence import EvidenceLog
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.redaction import Redactor
from tests.evidence._logs import begun, ended, finished, new_log, note, passed_run, resumed, started, written

from ._tool import ROOT, workflow_exec

_COMMAND = [sys.executable, "-m", "pytest_workflow_exec.cli", "watch"]
_ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8", "TERM": "xterm"}


def test_a_run_that_has_ended_is_told_once(tmp_path: Path) -> None:
    """Every step with its place and outcome, every decision; 0 for a passed run, 1 for one that is not, with why."""
    failed = [started(), begun("build"), ended("build", Outcome.FAILED, message="a\x1b[31m"), finished("failed")]

    done = workflow_exec("watch", written(tmp_path, passed_run()), cwd=tmp_path)
    red = workflow_exec("watch", written(tmp_path, failed), cwd=tmp_path)

    told = [line[len("11:33:35 ") :] for line in done.stdout.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert told[0].startswith("workflow release starts: 3 steps, run ")
    assert told[1:4] == ["[1/3] build starts", "[1/3] build PASSED 0.2s", "[2/3] approve starts"]
    assert told[4:6] == ["[2/3] approve waits for a decision", "[2/3] approve approved by alice"]
    assert told[-1] == "workflow release: passed"
    assert red.returncode == 1
    assert "[1/3] build FAILED 0.2s\n         a\\x1b[31m\n" in red.stdout


def test_a_step_is_told_in_one_line_and_its_name_as_it_is(tmp_path: Path) -> None:
    """A blocked step took no time and says what it waits for once; only the outcome's word is in capitals."""
    path = written(
        tmp_path,
        [
            started(),
            begun("build"),
            ended("build", Outcome.FAILED, message="gone", error_class="transient"),
            ended("approve", Outcome.BLOCKED, waits_for="build", message="waits for build (failed)"),
            finished("failed"),
        ],
    )

    told = [line[len("11:33:35 ") :] for line in workflow_exec("watch", path, cwd=tmp_path).stdout.splitlines()]

    assert told[2:-1] == ["[1/3] build FAILED (transient) 0.2s", "gone", "[2/3] approve BLOCKED, waits for build"]


def test_a_run_is_followed_through_files_and_sessions_to_its_end(tmp_path: Path) -> None:
    """What is written while it watches is told at once, also in a next file and by a writer that goes on after a kill."""
    log = new_log(tmp_path, segment_bytes=4096)
    log.append(started())
    with subprocess.Popen(
        [*_COMMAND, log.path], cwd=tmp_path, env=_ENVIRONMENT, stdout=subprocess.PIPE, text=True
    ) as watching:
        assert watching.stdout is not None
        assert "workflow release starts" in watching.stdout.readline()
        for _ in range(9):
            log.append(note(text="t" * 900))
        log.append(begun("build"))
        assert "[1/3] build starts" in watching.stdout.readline()
        log.close()
        assert len(list(log.path.parent.glob("evidence*.jsonl"))) > 1
        with contextlib.closing(
            EvidenceLog.reopen(log.path.parent, log.path.parent.name, redactor=Redactor({}))
        ) as again:
            again.append(resumed(carried=[]))
            assert "goes on, session 2: 3 steps" in watching.stdout.readline()
            again.append(finished("failed"))
        assert "workflow release: failed" in watching.stdout.readline()
        assert watching.wait() == 1


def test_an_interrupt_ends_it_and_nothing_else(tmp_path: Path) -> None:
    """On a terminal a line below says what goes on; Ctrl-C ends it without a traceback, and the log is as it was."""
    path = written(tmp_path, [started(), begun("build")])
    before = path.read_bytes()
    child = pexpect.spawn(
        _COMMAND[0], [*_COMMAND[1:], str(path)], cwd=str(tmp_path), env=_ENVIRONMENT, encoding="utf-8"
    )

    child.expect("build starts", timeout=60)
    child.expect(r"\[1/3\] build", timeout=60)
    child.sendintr()
    child.expect(pexpect.EOF, timeout=60)
    child.close()

    assert "Traceback" not in str(child.before)
    assert child.exitstatus == 130
    assert path.read_bytes() == before


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    """A device or a pipe never becomes a log: exit 2, in words, at once."""
    os.mkfifo(tmp_path / "pipe")

    for path in ("/dev/null", tmp_path / "pipe"):
        done = workflow_exec("watch", path, cwd=tmp_path)

        assert (done.returncode, done.stdout) == (2, "")
        assert f"{path} is no regular file" in done.stderr
