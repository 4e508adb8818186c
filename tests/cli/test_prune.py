"""`workflow-exec prune`."""

from __future__ import annotations

import io
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pexpect
import pytest

from pytest_workflow_exec.cli import main
from pytest_workflow_exec.cli._prune import removable
from pytest_workflow_exec.evidence import KnownRun, list_runs, note_in_ledgers, read_ledgers
from tests.evidence._logs import begun, new_log, passed_run, started

from ._tool import ROOT
from .test_runs import project, ran

__all__ = ["project"]

NOW = datetime(2026, 11, 24, tzinfo=timezone.utc)


@pytest.fixture
def no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Standard input that is no terminal, however the tests themselves were started."""
    monkeypatch.setattr(sys, "stdin", io.StringIO())


def known(number: int, **more: object) -> KnownRun:
    """Return a run that ended 100 days before now, less one for each number."""
    ended = (NOW - timedelta(days=100 - number)).isoformat().replace("+00:00", "Z")
    facts = {
        "workflow": "release",
        "started": ended,
        "ended": ended,
        "result": "passed",
        "directory": Path("x"),
        **more,
    }
    return KnownRun(run=f"run-{number}", **facts)  # type: ignore[arg-type]  # as named


def test_only_what_nothing_speaks_for_may_go() -> None:
    """Runs that are unfinished, unreadable, doubted, too new, gone or the newest of their workflow stay."""
    runs = [
        known(90),
        known(60),
        known(40),
        known(30, result=None, ended=None),
        known(20, problems=("its log does not hold record 3",)),
        known(15, directory=None),
        known(12, ended="yesterday"),
        known(11, workflow=None),
        known(10, workflow="other"),
        known(5, result="failed"),
        known(4, workflow="other"),
        known(3),
    ]

    gone = removable(runs, before=NOW - timedelta(days=50))

    assert [run.run for run in gone] == ["run-3", "run-4", "run-5", "run-40"]
    assert [run.run for run in removable(runs, before=NOW)][-1] == "run-60"
    assert removable(runs, before=NOW - timedelta(days=101)) == []


def test_old_runs_are_removed_and_stay_in_the_ledgers(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What goes is listed first; the ledgers name it as pruned, and the newest and unfinished runs are as they were."""
    old, older = ran(project, passed_run()), ran(project, passed_run())
    killed, newest = ran(project, [started(), begun("build")]), ran(project, passed_run())
    kept = {path: path.read_bytes() for path in (killed, newest)}
    entries = len(read_ledgers(project).project.entries)

    assert main(["prune", "--older-than", "0", "--yes"]) == 0

    said = capsys.readouterr().out.splitlines()
    assert said[0] == "2 runs will be removed, with all logs, stored texts and outputs:"
    assert [line.split()[0] for line in said[1:3]] == [old.parent.name, older.parent.name]
    assert said[-1] == "removed 2 runs; the ledgers still name them"
    assert not old.parent.exists()
    assert {path: path.read_bytes() for path in kept} == kept
    assert [path.name for path in sorted(old.parents[1].iterdir())] == sorted([killed.parent.name, newest.parent.name])
    for ledger in (read_ledgers(project).project, read_ledgers(project).user):
        assert [entry.event for entry in ledger.entries[entries:]] == ["pruned", "pruned"]
    assert [run.result for run in list_runs(project)] == ["passed", None, "pruned", "pruned"]
    assert main(["runs"]) == 0


@pytest.mark.parametrize(
    "case",
    [
        ("", ["--yes"], 2, "Give --older-than DAYS, or set retention in"),
        ("", ["--older-than", "-1", "--yes"], 2, "it must be a number of days"),
        ("", ["--older-than", "1", "--yes"], 0, "nothing to remove"),
        ("retention = '30d'\n", ["--older-than", "0", "--yes"], 0, "nothing to remove"),
        ("retention = '30d'\n", ["--yes"], 0, "nothing to remove"),
        ("retention = '36h'\n", ["--older-than", "1", "--yes"], 0, "ended 1.5 days ago or more"),
        ("retention = '0d'\n", ["--yes"], 2, "retention must be a duration"),
        ("retention_days = 30\n", ["--yes"], 2, "did you mean 'retention'?"),
        ("", ["--older-than", "0"], 2, "nobody can be asked here. Add --yes"),
        ("", ["--older-than", "0", "--dry-run"], 0, "1 run will be removed"),
    ],
)
@pytest.mark.usefixtures("no_terminal")
def test_nothing_goes_that_was_not_asked_for(
    project: Path, capsys: pytest.CaptureFixture[str], case: tuple[str, list[str], int, str]
) -> None:
    """Without an age, within the retention or without a yes, every run and the ledgers stay as they are."""
    settings, arguments, code, said = case
    ran(project, passed_run())
    ran(project, passed_run())
    (project / "workflow-exec.toml").write_text(settings)
    before = {path: path.read_bytes() for path in project.rglob("*.jsonl")}

    assert main(["prune", *arguments]) == code

    told = capsys.readouterr()
    assert said in told.out + told.err
    assert {path: path.read_bytes() for path in project.rglob("*.jsonl")} == before


@pytest.mark.parametrize(("answer", "left"), [("yes", 1), ("no", 2), ("", 2), ("y", 2)])
def test_a_person_says_yes(project: Path, answer: str, left: int) -> None:
    """At a terminal the word yes removes what is listed; anything else removes nothing."""
    paths = [ran(project, passed_run()) for _ in range(2)]
    command = ["-m", "pytest_workflow_exec.cli", "prune", "--older-than", "0"]
    child = pexpect.spawn(
        sys.executable, command, cwd=str(project), env={"PYTHONPATH": str(ROOT), "PATH": "/bin"}, timeout=30
    )

    child.expect_exact("Type yes to remove 1 run: ")
    child.sendline(answer)
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == (0 if left == 1 else 2)
    assert sum(path.exists() for path in paths) == left


def test_a_run_that_is_being_written_is_not_removed(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run whose log another process holds stays, whatever was listed before."""
    log = new_log(project)
    for event in passed_run():
        log.append(event)
    note_in_ledgers(project, "finished", run=log.path.parent.name, workflow="release", head=log.head)
    ran(project, passed_run())

    assert main(["prune", "--older-than", "0", "--yes"]) == 2

    assert "is being written by another process" in capsys.readouterr().err
    assert log.path.exists()
    log.close()


def test_a_removal_that_was_broken_off_is_finished(project: Path, tmp_path: Path) -> None:
    """What is left of a run that was being removed goes with the next call; a link in its place is not followed."""
    ran(project, passed_run())
    runs = project / ".workflow-exec" / "runs"
    (runs / ".pruned-1" / "deep").mkdir(parents=True)
    (runs / ".pruned-1" / "deep" / "file").touch()
    (runs / ".pruned-1" / "deep").chmod(0o000)

    assert main(["prune", "--older-than", "0", "--yes"]) == 0
    assert not (runs / ".pruned-1").exists()

    (tmp_path / "elsewhere").mkdir()
    (runs / ".pruned-2").symlink_to(tmp_path / "elsewhere")
    assert main(["prune", "--older-than", "0", "--yes"]) == 2
    assert (tmp_path / "elsewhere").is_dir()
