"""The tree of `workflow-exec show`: workflow, blocks, rounds, steps, attempts."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any

import pexpect
import pyte
import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.cli._tree import Row, rows_of
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import read_log
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.report import RunStory
from tests.evidence._logs import begun, ended, finished, replanned, resumed, started, written

from ._tool import ROOT, workflow_exec

NESTED = [
    "prepare",
    "all/eu[a]/drain",
    "all/eu[a]/deploy",
    "all/eu[b]/drain",
    "check[1-x/y.z]",
    "check[2]",
    "TestSite.up",
]


def _again(step: str, attempt: int) -> list[Event]:
    return [
        begun(step, attempt=attempt),
        ended(step, Outcome.FAILED, attempt=attempt, message="gone", error_class="transient"),
        events.retry_waiting(step, attempt=attempt, error_class="transient", wait_s=1.0, of=99, why="retry"),
    ]


def _planned(names: list[str]) -> Event:
    start = started(names)
    data: Any = dict(start.data)
    retry = {"attempts": 99, "for": ["transient"]}
    steps = [{**step, "retry": retry} for step in data["plan"]["steps"]]
    return replanned(dataclasses.replace(start, data={**data, "plan": {**data["plan"], "steps": steps}}))


def _nested_run() -> list[Event]:
    return [
        _planned(NESTED),
        begun("prepare"),
        ended("prepare"),
        begun("all/eu[a]/drain"),
        ended("all/eu[a]/drain"),
        *_again("all/eu[a]/deploy", 1),
        begun("all/eu[a]/deploy", attempt=2),
        ended("all/eu[a]/deploy", attempt=2),
        begun("all/eu[b]/drain"),
        ended("all/eu[b]/drain", Outcome.FAILED, message="no", error_class="business"),
        *(ended(name, Outcome.BLOCKED, waits_for="all/eu[b]/drain", duration_s=0.0) for name in NESTED[4:]),
        finished("failed", not_satisfied=NESTED[3:]),
    ]  # fmt: skip


def _tree(path: Path) -> list[Row]:
    story = RunStory()
    story.take(read_log(path))
    return list(rows_of(story, list(story.steps.values())))


def test_steps_stand_below_blocks_and_rounds(tmp_path: Path) -> None:
    """Each level is one of its own, with how it stands, and what it took in all."""
    rows = _tree(written(tmp_path, _nested_run()))

    assert [(len(row.open), row.label, row.number, row.words, row.attempts) for row in rows] == [
        (0, "release", None, "failed", None),
        (1, "prepare", 1, "passed", 1),
        (1, "all", None, "failed", None),
        (2, "eu", None, "failed", None),
        (3, "eu[a]", None, "passed", None),
        (4, "drain", 2, "passed", 1),
        (4, "deploy", 3, "passed", 2),
        (5, "attempt 1", None, "failed (transient)", None),
        (5, "attempt 2", None, "passed", None),
        (3, "eu[b]", None, "failed", None),
        (4, "drain", 4, "failed (business)", 1),
        (1, "check", None, "blocked", None),
        (2, "check[1-x/y.z]", 5, "blocked, waits for all/eu[b]/drain", None),
        (2, "check[2]", 6, "blocked, waits for all/eu[b]/drain", None),
        (1, "TestSite", None, "blocked", None),
        (2, "up", 7, "blocked, waits for all/eu[b]/drain", None),
    ]
    assert [row.duration_s for row in rows[:6]] == [1.25, 0.25, 1.0, 1.0, 0.75, 0.25]
    assert (rows[11].duration_s, rows[11].started) == (None, None)


def test_what_has_not_been_reached_is_said(tmp_path: Path) -> None:
    """A branch of which nothing began has not started; one that is half done has not finished; a running one is that."""
    half = _tree(written(tmp_path, _nested_run()[:5]))
    running = _tree(written(tmp_path, _nested_run()[:4]))

    assert [(row.label, row.words) for row in half if row.number is None] == [
        ("release", "not finished"), ("all", "not finished"), ("eu", "not finished"), ("eu[a]", "not finished"),
        ("eu[b]", "not started"), ("check", "not started"), ("TestSite", "not started"),
    ]  # fmt: skip
    assert running[2].words == "started, no end: effect unknown"


def test_steps_that_alternate_keep_their_order(tmp_path: Path) -> None:
    """What stands in the plan in turns is not sorted: the tree has the plan's order."""
    names = ["a/x", "b/x", "a/y"]

    rows = _tree(written(tmp_path, [started(names)]))

    assert [(len(row.open), row.label) for row in rows[1:]] == [
        (1, "a"),
        (2, "x"),
        (1, "b"),
        (2, "x"),
        (1, "a"),
        (2, "y"),
    ]


def test_a_name_of_any_depth_is_shown(tmp_path: Path) -> None:
    """A log may say anything: what no workflow can be is shown, and nothing falls over."""
    names = ["a/" * 3000 + "b", "a/" * 3000 + "c", "/", "[", "a]/[b", ".", "", "x[", "x.y[z"]

    done = workflow_exec("show", written(tmp_path, [started(names)]), "--json", cwd=tmp_path)
    shown = workflow_exec("show", written(tmp_path, [started(names)]), cwd=tmp_path)

    assert (done.returncode, shown.returncode, shown.stderr) == (0, 0, "")
    assert [step["id"] for step in json.loads(done.stdout)["steps"]] == names
    assert len([line for line in shown.stdout.splitlines() if line.lstrip()[:1].isdigit()]) == len(names)


def test_of_many_attempts_the_last_ones_are_shown(tmp_path: Path) -> None:
    """A step that was looked at all day takes no more lines than are of use; JSON has all of them."""
    path = written(tmp_path, [_planned(["build"]), *(each for n in range(1, 41) for each in _again("build", n))])

    rows = _tree(path)
    [step] = json.loads(workflow_exec("show", path, "--json", cwd=tmp_path).stdout)["steps"]

    assert [row.label for row in rows[2:]] == ["30 earlier attempts", *(f"attempt {n}" for n in range(31, 41))]
    assert [attempt["number"] for attempt in step["attempts"]] == list(range(1, 41))
    assert step["attempts"][0]["error_class"] == "transient"


def test_attempts_of_other_sessions_are_called_so(tmp_path: Path) -> None:
    """A step that was tried in two sessions has both; its own line tells of the last one."""
    path = written(
        tmp_path,
        [
            started(["build"]),
            begun("build"),
            ended("build", Outcome.FAILED, duration_s=8.0),
            resumed(plan=started(["build"]).data["plan"], carried=[]),
            begun("build", attempt=2),
            ended("build", attempt=2, outputs={"wheel": "a.whl"}),
        ],
    )

    rows = _tree(path)
    [step] = json.loads(workflow_exec("show", path, "--json", cwd=tmp_path).stdout)["steps"]

    assert [(row.label, row.duration_s) for row in rows[1:]] == [
        ("build", 0.25), ("attempt 1, session 1", 8.0), ("attempt 2, session 2", 0.25),
    ]  # fmt: skip
    assert step["outputs"] == {"wheel": "a.whl"}
    assert [attempt["session"] for attempt in step["attempts"]] == [1, 2]


@pytest.mark.parametrize(
    ("variables", "guides"),
    [
        ({}, ("├─ prepare", "│  └─ eu", "└─ TestSite")),
        ({"PYTHONIOENCODING": "ascii"}, ("|- prepare", "|  `- eu", "`- TestSite")),
    ],
    ids=["unicode", "ascii"],
)
@pytest.mark.parametrize("columns", [45, 80, 120])
def test_a_terminal_shows_lines_between_the_steps(
    tmp_path: Path, variables: dict[str, str], guides: tuple[str, ...], columns: int
) -> None:
    """They are of what the terminal can show, and nothing is wider than it; NO_COLOR takes colors, not lines."""
    path = written(tmp_path, _nested_run())
    (tmp_path / ".git").mkdir()
    screen = pyte.Screen(columns, 80)

    raw = pexpect.run(
        f"{sys.executable} -m pytest_workflow_exec.cli show {path.parent.name}",
        cwd=str(tmp_path),
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "TERM": "xterm", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"} | variables,
        encoding="utf-8",
        dimensions=(80, columns),
    )  # fmt: skip
    pyte.Stream(screen).feed(str(raw))

    assert "\x1b[" not in raw
    assert columns < 80 or all(any(guide in line for line in screen.display) for guide in guides), screen.display
    table = str(raw)[str(raw).index("#") : str(raw).index("commands")]
    assert all(len(line) <= columns for line in table.splitlines())


def test_a_pipe_gets_indented_steps(tmp_path: Path) -> None:
    """Without a terminal, each level is two spaces, and no line ends in spaces."""
    done = workflow_exec("show", written(tmp_path, _nested_run()), cwd=tmp_path)

    lines = done.stdout.splitlines()
    assert re.search(r"(?m)^2 {10}drain +step +passed +0\.2s +1 ", done.stdout)
    assert all(line == line.rstrip() for line in lines)
    assert "├" not in done.stdout
