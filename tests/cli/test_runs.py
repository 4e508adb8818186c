"""`workflow-exec runs`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from pytest_workflow_exec.cli import main
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import Head, ledger_copy_path, note_in_ledgers
from tests.evidence._logs import begun, finished, passed_run, records_in, started, written


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project, and the working directory in it."""
    (tmp_path / "workflow-exec.toml").touch()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ran(root: Path, happened: list[Event]) -> Path:
    """Return the log of a run that both ledgers know."""
    path = written(root, happened)
    last = records_in(path)[-1]
    head = Head(seq=last["seq"], hash=last["hash"])
    note_in_ledgers(root, "started", run=path.parent.name, workflow="release", head=head)
    note_in_ledgers(root, "finished", run=path.parent.name, workflow="release", head=head)
    return path


def test_every_run_is_listed_newest_first(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line a run: its id, workflow, start and result; for machines the same as JSON."""
    first, second = ran(project, passed_run()), ran(project, [started(), begun("build")])

    assert main(["runs"]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["run", second.parent.name, first.parent.name]
    stamp = records_in(first)[0]["ts"][:19].replace("T", " ")
    assert lines[2] == f"{first.parent.name}  release   {stamp} UTC  passed"
    assert lines[1].endswith(" UTC  not finished")
    assert main(["runs", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(run["run"], run["workflow"], run["result"], run["directory"]) for run in told["runs"]] == [
        (second.parent.name, "release", None, str(second.parent)),
        (first.parent.name, "release", "passed", str(first.parent)),
    ]
    assert told["problems"] == []


def test_what_is_missing_is_named_and_exit_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run whose folder is gone, a log that was cut and a run that no ledger knows are told below their lines."""
    gone, cut, unknown = ran(project, passed_run()), ran(project, passed_run()), written(project, passed_run())
    shutil.rmtree(gone.parent)
    cut.write_bytes(b"".join(cut.read_bytes().splitlines(keepends=True)[:-1]))

    assert main(["runs"]) == 1

    lines = capsys.readouterr().out.splitlines()
    below = {line.split()[0]: lines[number + 1] for number, line in enumerate(lines) if line[:2] != "  "}
    assert below[gone.parent.name].startswith("  problem: its folder is gone")
    assert below[cut.parent.name].startswith("  problem: its log does not hold record 12")
    assert below[unknown.parent.name] == "  problem: no ledger knows it"
    assert main(["runs", "--json"]) == 1


def test_a_missing_ledger_is_named(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The user's copy that is gone is told at the end."""
    ran(project, passed_run())
    copy = ledger_copy_path(project)
    assert copy is not None
    copy.unlink()

    assert main(["runs"]) == 1
    assert capsys.readouterr().out.splitlines()[-1].startswith(f"problem: the ledger {copy} is missing")


def test_a_project_without_runs_and_no_project(
    project: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No run is no problem; no project is exit 2."""
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == "there are no runs\n"
    (project / "workflow-exec.toml").unlink()

    assert main(["runs"]) == 2
    assert "there is no project here" in capsys.readouterr().err


def test_a_ledger_can_not_write_on_the_screen(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Names in logs and ledgers are shown escaped."""
    start = started()
    ran(project, [Event(type="run.started", data={**start.data, "workflow": "x\x1b[2J\nrun"}), finished("failed")])

    main(["runs"])

    assert "x\\x1b[2J\\nrun" in capsys.readouterr().out
