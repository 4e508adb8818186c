"""`workflow-exec show --step`."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.model import Outcome
from tests.evidence._logs import (
    begun,
    decided,
    ended,
    finished,
    passed_run,
    replanned,
    requested,
    started,
    used,
    written,
)

from ._tool import workflow_exec


def _tried_twice() -> list[Event]:
    argv: dict[str, Json] = {"argv": ["make", "a b"]}
    start = started()
    data: Any = dict(start.data)
    [build, *others] = data["plan"]["steps"]
    planned = {**build, "retry": {"attempts": 2, "for": ["transient"]}}
    data["plan"] = {**data["plan"], "steps": [planned, *others]}
    return [
        replanned(dataclasses.replace(start, data=data)),
        begun("build"),
        events.command_started("build", attempt=1, facts={**argv, "program": "/usr/bin/make"}),
        events.command_finished("build", attempt=1, facts={**argv, "exit": 2, "stdout": "one\n\x1b[31mtwo\n"}),
        ended("build", Outcome.FAILED, message="it\nbroke", error_class="transient"),
        events.retry_waiting("build", attempt=1, error_class="transient", wait_s=1.5, of=2, why="retry"),
        begun("build", attempt=2),
        events.command_refused("build", attempt=2, argv=["rm"], reason="no rule allows it"),
        ended("build", attempt=2, outputs={"wheel": "a.whl"}),
        begun("approve"),
        requested(),
        decided(reason="fine"),
        ended("approve"),
        used(),
        finished("failed"),
    ]


def test_a_step_is_shown_with_all_that_happened(tmp_path: Path) -> None:
    """Attempts in their order, each with commands, output, refusals and values; nothing in them acts on the terminal."""
    done = workflow_exec("show", written(tmp_path, _tried_twice()), "--step", "build", cwd=tmp_path)

    assert (done.returncode, done.stderr) == (0, "")
    told = done.stdout.splitlines()
    assert told[:4] == ["step      build", "kind      step", "outcome   passed", f"digest    {'d' * 64}"]
    first, second = (next(n for n, line in enumerate(told) if line.startswith(f"attempt {k}: ")) for k in (1, 2))
    assert told[first].startswith("attempt 1: failed, started ")
    assert told[first].endswith(" UTC, took 0.2s")
    before = "\n".join(told[first:second])
    assert "class     transient\nwhy\n          it\n          broke\n" in before
    assert "command   make 'a b'\n          program: /usr/bin/make\n          exit: 2\n" in before
    assert "stdout\n          one\n          \\x1b[31mtwo\n" in before
    after = "\n".join(told[second:])
    assert "refused   " in after
    assert "reason: no rule allows it" in after
    assert "output    wheel = a.whl" in after


def test_a_gate_is_shown_with_question_answer_and_use(tmp_path: Path) -> None:
    """What was asked, who decided what and why, and which step it let start."""
    done = workflow_exec("show", written(tmp_path, _tried_twice()), "--step", "approve", cwd=tmp_path)

    assert 'request: {"step": "approve"}' in done.stdout
    assert " UTC by alice\n          decision: approved\n          reason: fine\n" in done.stdout
    assert "used by   publish" in done.stdout


def test_a_step_is_there_for_machines(tmp_path: Path) -> None:
    """--json gives the same as one object, untouched."""
    done = workflow_exec("show", written(tmp_path, _tried_twice()), "--step", "build", "--json", cwd=tmp_path)

    step = json.loads(done.stdout)["step"]
    assert [attempt["outcome"] for attempt in step["attempts"]] == ["failed", "passed"]
    assert step["attempts"][0]["happenings"][0]["ended"]["stdout"] == "one\n\x1b[31mtwo\n"


def test_a_step_that_is_not_there_is_refused_in_words(tmp_path: Path) -> None:
    """Exit 2 with the nearest name, and nothing on standard output."""
    done = workflow_exec("show", written(tmp_path, _tried_twice()), "--step", "biuld", cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "the run has no step 'biuld'; did you mean 'build'?" in done.stderr


def test_a_broken_log_shows_what_can_be_read_of_a_step(tmp_path: Path) -> None:
    """The first line says that it is broken; exit 1, and the decision behind the damage is not shown."""
    path = written(tmp_path, passed_run())
    path.write_bytes(path.read_bytes().replace(b'"decision":"approved"', b'"decision":"rejected"'))

    done = workflow_exec("show", path, "--step", "approve", cwd=tmp_path)

    assert "exit: 0\n" in workflow_exec("show", path, "--step", "build", cwd=tmp_path).stdout
    assert done.returncode == 1
    assert done.stdout.startswith("BROKEN edited: line 8 ")
    assert "decision" not in done.stdout


def test_what_a_command_printed_is_shown_once(tmp_path: Path) -> None:
    """What a command left by printing it stands where it printed it; what else a step left is named, of any length."""
    argv: dict[str, Json] = {"argv": ["make"]}
    printed: dict[str, Json] = {**argv, "exit": 0, "stdout": "one\ntwo\n", "stderr": "", "duration_s": 0.5}
    left: dict[str, Json] = {
        "stdout": "one\ntwo", "stderr": "", "exit": 0, "said": "two", "lines": "first\n\x1b[31msecond",
    }  # fmt: skip
    path = written(
        tmp_path,
        [
            started(["build"]),
            begun("build"),
            events.command_started("build", attempt=1, facts=argv),
            events.command_finished("build", attempt=1, facts=printed),
            ended("build", outputs=left),
            finished(),
        ],
    )

    told = workflow_exec("show", path, "--step", "build", cwd=tmp_path).stdout
    step = json.loads(workflow_exec("show", path, "--step", "build", "--json", cwd=tmp_path).stdout)["step"]

    assert told.endswith(
        "          exit: 0\n          duration: 0.500 s\nstdout\n          one\n          two\n"
        "output    said = two\noutput    lines\n          first\n          \\x1b[31msecond\n"
    )
    assert step["attempts"][0]["data"]["outputs"] == left
