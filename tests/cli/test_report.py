"""`workflow-exec report`: which file it writes, over what, and with which verdict; pages themselves: tests/report."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.model import Outcome
from tests.evidence._logs import begun, ended, finished, passed_run, records_in, started, written

from ._tool import workflow_exec


def _project(path: Path) -> Path:
    (path / ".git").mkdir()
    return path


def _text(page: Path) -> str:
    return re.sub(r"<[^>]*>", " ", page.read_text(encoding="utf-8"))


def test_page_lies_beside_the_runs_unless_it_is_told(tmp_path: Path) -> None:
    """The page of a project's run goes into .workflow-exec/reports, which git ignores; the run's folder stays as it is."""
    log = written(_project(tmp_path), passed_run())
    before = sorted(log.parent.iterdir())

    done = workflow_exec("report", "latest", cwd=tmp_path)

    page = tmp_path / ".workflow-exec" / "reports" / f"{log.parent.name}.html"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"report    {page}\nevidence  bounded: ")
    assert page.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(log.parent.iterdir()) == before


def test_same_log_gives_the_same_page(tmp_path: Path) -> None:
    """A page holds no time of its own: made again, also over itself, it is the same."""
    log = written(_project(tmp_path), passed_run())
    page = tmp_path / "page.html"

    pages = [(workflow_exec("report", log, "--html", page, cwd=tmp_path), page.read_bytes()) for _ in range(2)]

    assert [done.returncode for done, _ in pages] == [0, 0]
    assert pages[0][1] == pages[1][1]
    assert [path.name for path in tmp_path.iterdir() if path.name.endswith(".html")] == ["page.html"]


@pytest.mark.parametrize("what", ["file", "folder", "link"])
def test_nothing_else_is_written_over(tmp_path: Path, what: str) -> None:
    """What is no page of ours is left as it is, with exit 2."""
    log = written(_project(tmp_path), passed_run())
    other, page = tmp_path / "other.html", tmp_path / "page.html"
    other.write_text("<html>mine</html>")
    if what == "file":
        page.write_text("<html>mine</html>")
    elif what == "folder":
        page.mkdir()
    else:
        page.symlink_to(other)
    kept = page.readlink() if what == "link" else what == "folder" or page.read_text()

    done = workflow_exec("report", log, "--html", page, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "page.html is there and is no page of this tool" in done.stderr
    assert kept == (page.readlink() if what == "link" else what == "folder" or page.read_text())
    assert other.read_text() == "<html>mine</html>"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        ([], "give one RUN, or --all"),
        (["latest", "--all"], "give one RUN, or --all"),
        (["--all", "--expect-head", "0" * 64], "are for the page of one run"),
        (["latest", "--html", "missing/page.html"], "can't be written: No such file or directory"),
        (["missing", "--html", "page.html"], "missing"),
    ],
)
def test_what_does_not_go_is_refused_in_words(tmp_path: Path, arguments: list[str], reason: str) -> None:
    """Exit 2, the reason, and no page anywhere."""
    written(_project(tmp_path), passed_run())

    done = workflow_exec("report", *arguments, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.rglob("*.html"))


def test_a_log_elsewhere_needs_a_place_for_its_page(tmp_path: Path) -> None:
    """A log that lies in no project is not a place to write beside."""
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(written(_project(tmp_path), passed_run()).read_bytes())

    done = workflow_exec("report", copy, cwd=tmp_path)

    assert (done.returncode, done.stdout) == (2, "")
    assert "say where the page goes, with --html FILE" in done.stderr
    assert not list(tmp_path.rglob("*.html"))


def test_verdict_is_that_of_verify(tmp_path: Path) -> None:
    """With the head that pytest printed the page says verified; a failed run is never shown as if it had passed."""
    log = written(_project(tmp_path), passed_run())
    failed = written(tmp_path, [started(["build"]), begun("build"), ended("build", Outcome.FAILED), finished("failed")])
    page, head = tmp_path / "page.html", records_in(log)[-1]["hash"]

    assert workflow_exec("report", log, "--html", page, "--expect-head", head, cwd=tmp_path).returncode == 0
    assert "Evidence: verified" in _text(page)
    assert workflow_exec("report", log, "--html", page, "--expect-head", "0" * 64, cwd=tmp_path).returncode == 1
    assert "Evidence: broken" in _text(page)
    assert workflow_exec("report", failed, "--html", page, cwd=tmp_path).returncode == 0
    assert "Evidence: not passed" in _text(page)


def test_a_broken_log_is_shown_with_its_verdict_and_what_can_be_read(tmp_path: Path) -> None:
    """Exit 1; what stands before the damage is there, what follows it is no step's story."""
    log = written(_project(tmp_path), passed_run())
    log.write_bytes(log.read_bytes().replace(b'"decision":"approved"', b'"decision":"rejected"'))

    done = workflow_exec("report", "latest", cwd=tmp_path)

    text = _text(tmp_path / ".workflow-exec" / "reports" / f"{log.parent.name}.html")
    assert done.returncode == 1
    assert "evidence  broken: edited: line 8" in done.stdout
    assert "Evidence: broken" in text
    assert "What follows is what could be read" in text
    assert "make" in text
    assert "no decision" in text
    assert "13 of 13 lines" in text


def test_a_file_that_is_no_evidence_gets_a_page_that_says_so(tmp_path: Path) -> None:
    """Its lines are there to look at, under the verdict; exit 1."""
    (tmp_path / "x.jsonl").write_bytes(b"hello\n\xff\n")

    done = workflow_exec("report", "x.jsonl", "--html", "page.html", cwd=tmp_path)

    text = _text(tmp_path / "page.html")
    assert done.returncode == 1
    assert "Evidence: unreadable" in text
    assert "2 of 2 lines" in text


def test_without_jinja_the_way_to_it_is_told(tmp_path: Path) -> None:
    """Exit 2 with what to install, and nothing written."""
    (tmp_path / "jinja2.py").write_text("raise ModuleNotFoundError('jinja2')\n")
    log = written(_project(tmp_path), passed_run())

    root = Path(__file__).parents[2]
    done = workflow_exec("report", log, cwd=tmp_path, PYTHONPATH=f"{tmp_path}{os.pathsep}{root}")

    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install 'pytest-workflow-exec[report]'" in done.stderr
    assert not (tmp_path / ".workflow-exec" / "reports").exists()


def test_open_starts_the_browser_with_the_page(tmp_path: Path) -> None:
    """--open gives the page's address to the browser."""
    browser = tmp_path / "browser"
    browser.write_text(f"#!/bin/sh\nprintf %s \"$1\" > '{tmp_path}/asked'\n")
    browser.chmod(0o755)
    log = written(_project(tmp_path), passed_run())

    done = workflow_exec("report", log, "--html", "page.html", "--open", cwd=tmp_path, BROWSER=f"{browser} %s")

    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "asked").read_text() == (tmp_path / "page.html").as_uri()


def test_all_runs_have_an_index(tmp_path: Path) -> None:
    """Each workflow with its runs, what their logs are worth, how often steps failed, and links to pages that exist."""
    first = written(_project(tmp_path), passed_run())
    failed = [
        started(),
        begun("build"),
        events.command_refused("build", attempt=1, argv=["rm"], reason="no rule"),
        ended("build", Outcome.FAILED),
        ended("approve", Outcome.BLOCKED, waits_for="build"),
        finished("failed"),
    ]
    written(tmp_path, failed)
    workflow_exec("report", first, cwd=tmp_path)

    done = workflow_exec("report", "--all", cwd=tmp_path)

    page = tmp_path / ".workflow-exec" / "reports" / "index.html"
    text = " ".join(_text(page).split())
    assert done.stdout == f"report    {page}\nruns      2\n"
    assert "2 runs of 1 workflow. " in text
    assert "1 of 2 passed" in text
    assert "build 1 2" in text
    assert re.findall('href="([^"]+)"', page.read_text(encoding="utf-8")) == [f"{first.parent.name}.html"]
    assert (text.count("bounded"), text.count("not passed")) == (1, 1)
