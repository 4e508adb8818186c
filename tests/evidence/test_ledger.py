"""The ledger of runs and its second copy: what was there can't silently be gone."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import (
    Head,
    KnownRun,
    LedgerEvent,
    ledger_copy_path,
    ledger_copy_problem,
    list_runs,
    new_run_id,
    note_in_ledgers,
    read_ledgers,
)

from ._logs import finished, new_log, started

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of its own for each test."""
    state = tmp_path / "state"
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    return state


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project."""
    root = tmp_path / "project"
    root.mkdir()
    return root


def _own(root: Path) -> Path:
    return root / ".workflow-exec" / "ledger.jsonl"


def _copy(root: Path) -> Path:
    path = ledger_copy_path(root)
    assert path is not None
    return path


def _noted(root: Path, event: LedgerEvent = "started", run: str | None = None, head: Head | None = None) -> str:
    run = run or new_run_id()
    head = head or Head(seq=0, hash="a" * 64)
    assert note_in_ledgers(root, event, run=run, workflow="release", head=head) is None
    return run


def _run(root: Path, *, end: bool = True) -> Path:
    """Make a run with its log and both entries, and return the log's path."""
    log = new_log(root)
    log.append(started())
    _noted(root, "started", log.path.parent.name, log.head)
    if end:
        log.append(finished())
        _noted(root, "finished", log.path.parent.name, log.head)
    log.close()
    return log.path


def _only(root: Path) -> KnownRun:
    [known] = list_runs(root)
    return known


def test_both_copies_hold_the_same_chained_lines(project: Path) -> None:
    """Each line carries the hash of its own bytes and of the line before it; both copies are private and alike."""
    run = _noted(project)
    _noted(project, "finished", run, Head(seq=7, hash="b" * 64))

    lines = _own(project).read_bytes().splitlines(keepends=True)
    assert _copy(project).read_bytes() == b"".join(lines)
    prev = "0" * 64
    for line in lines:
        body, _, seal = line.rpartition(b',"hash":"')
        assert json.loads(line)["prev"] == prev
        prev = hashlib.sha256(b"workflow-exec-ledger/1\n" + body).hexdigest()
        assert seal == prev.encode() + b'"}\n'
    assert [(entry.run, entry.event, entry.head.seq) for entry in read_ledgers(project).user.entries] == [
        (run, "started", 0),
        (run, "finished", 7),
    ]
    assert read_ledgers(project).problems == ()
    for path in (_own(project), _copy(project)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_no_two_projects_share_a_copy(project: Path, tmp_path: Path) -> None:
    """A copy belongs to one real path; a link to the project leads to the same one."""
    other = tmp_path / "other"
    other.mkdir()
    (tmp_path / "link").symlink_to(project)
    _noted(project)

    assert not read_ledgers(other).user.found
    assert _copy(tmp_path / "link") == _copy(project) != _copy(other)


@pytest.mark.parametrize("copy", [_own, _copy])
def test_a_torn_line_is_ended_and_the_chain_goes_on(project: Path, copy: Callable[[Path], Path]) -> None:
    """A writer that was killed leaves a part of a line: the next one goes on behind it, and nothing is lost or wrong."""
    runs = [_noted(project), _noted(project), _noted(project)]
    path = copy(project)
    whole = path.read_bytes()
    for cut in (1, 2, 100, 300):
        path.write_bytes(whole[:-cut])
        runs.append(_noted(project))

        ledger = read_ledgers(project).user if copy is _copy else read_ledgers(project).project
        assert ledger.problems == ()
        assert [entry.run for entry in ledger.entries] == [*runs[: 3 if cut == 1 else 2], runs[-1]]


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda lines: [lines[0], lines[1].replace(b"release", b"rebease"), *lines[2:]], "line 2 is no entry"),
        (lambda lines: [lines[0], *lines[2:]], "line 2 does not follow"),
        (lambda lines: [lines[0], b"\n", *lines[1:]], "line 2 is no entry"),
        (lambda lines: [lines[1], lines[0], lines[2]], "line 1 does not follow"),
        (lambda lines: [b"\xff\xfe\n", *lines], "line 1 is no entry"),
    ],
)
def test_a_damaged_ledger_is_reported_and_still_read_and_written(
    project: Path, damage: Callable[[list[bytes]], list[bytes]], problem: str
) -> None:
    """Damage is named with its line; the entries that are whole are given, the runs are listed, and new ones noted."""
    logs = [_run(project, end=False) for _ in range(3)]
    _own(project).write_bytes(b"".join(damage(_own(project).read_bytes().splitlines(keepends=True))))

    _noted(project)

    ledgers = read_ledgers(project)
    assert any(problem in each for each in ledgers.problems), ledgers.problems
    assert len(ledgers.project.entries) >= 3
    assert {log.parent.name for log in logs} <= {known.run for known in list_runs(project)}


def test_many_processes_never_fork_a_ledger(project: Path) -> None:
    """Entries of processes that write at the same time follow each other in both copies."""
    script = (
        "import sys; from pathlib import Path; from pytest_workflow_exec.evidence import *\n"
        "for _ in range(25):\n"
        "    note_in_ledgers(Path(sys.argv[1]), 'started', run=new_run_id(), workflow='w', head=Head(seq=0, hash='a'*64))"
    )
    writers = [subprocess.Popen([sys.executable, "-c", script, str(project)], cwd=ROOT) for _ in range(4)]
    assert [writer.wait() for writer in writers] == [0] * 4

    ledgers = read_ledgers(project)
    assert ledgers.problems == ()
    assert len(ledgers.project.entries) == len(ledgers.user.entries) == 100


def _unusable(state: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if kind == "file":
        state.write_text("mine")
    elif kind == "linked folder":
        state.mkdir()
        (state / "workflow-exec").symlink_to(state.parent)
    elif kind == "no home":
        monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
        monkeypatch.setenv("HOME", "not/absolute")
    else:
        monkeypatch.setenv("XDG_STATE_HOME", "/proc/nothing/here")


@pytest.mark.parametrize("kind", ["file", "linked folder", "no home", "no file system"])
def test_a_copy_that_can_not_be_kept_is_said_and_stops_nothing(
    project: Path, home: Path, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reason is given before the run and after each entry; the project's own ledger is complete."""
    _unusable(home, kind, monkeypatch)

    problem = ledger_copy_problem(project)
    said = note_in_ledgers(project, "started", run=new_run_id(), workflow="w", head=Head(seq=0, hash="a" * 64))

    assert problem
    assert said == problem
    assert len(read_ledgers(project).project.entries) == 1
    assert sorted(entry.name for entry in project.parent.iterdir() if entry.name != "state") == ["project"]


@pytest.mark.parametrize("kind", ["link", "pipe", "second name"])
def test_the_projects_ledger_is_only_its_own_file(project: Path, kind: str) -> None:
    """A link, a pipe or a file with a second name is not written to: the run can't begin."""
    _noted(project)
    path, elsewhere = _own(project), project / "elsewhere"
    if kind == "second name":
        os.link(path, elsewhere)
    else:
        path.rename(elsewhere)
        path.symlink_to(elsewhere) if kind == "link" else os.mkfifo(path)
    before = elsewhere.read_bytes()

    with pytest.raises(EvidenceError, match=r"ledger\.jsonl"):
        note_in_ledgers(project, "started", run=new_run_id(), workflow="w", head=Head(seq=0, hash="a" * 64))

    assert elsewhere.read_bytes() == before


def test_a_run_that_is_as_noted_has_no_problems(project: Path) -> None:
    """Runs are listed newest first, with what their logs say; an unfinished one has no end."""
    first, second = _run(project), _run(project, end=False)

    newest, oldest = list_runs(project)

    assert (newest.run, newest.directory, newest.ended, newest.result) == (
        second.parent.name,
        second.parent,
        None,
        None,
    )
    assert (oldest.run, oldest.workflow, oldest.result) == (first.parent.name, "release", "passed")
    assert oldest.started is not None
    assert oldest.ended is not None
    assert oldest.started <= oldest.ended
    assert newest.problems == oldest.problems == ()


def test_a_deleted_run_is_shown(project: Path) -> None:
    """A run whose folder is gone is listed, with its times from the ledger; one that was pruned is no problem."""
    path = _run(project)
    shutil.rmtree(path.parent)

    known = _only(project)
    assert (known.run, known.workflow, known.directory) == (path.parent.name, "release", None)
    assert known.started
    assert known.ended
    assert known.problems == ("its folder is gone: it was deleted or moved away",)

    _noted(project, "pruned", path.parent.name)
    assert (_only(project).result, _only(project).problems) == ("pruned", ())


def test_a_deleted_project_folder_is_shown_by_the_users_copy(project: Path) -> None:
    """When everything of ours in the project is gone, the user's copy still names each run."""
    path = _run(project)
    shutil.rmtree(project / ".workflow-exec")

    assert _only(project).run == path.parent.name
    assert "its folder is gone" in _only(project).problems[0]
    assert any("is missing, although" in problem for problem in read_ledgers(project).problems)


@pytest.mark.parametrize("copy", [_own, _copy])
def test_what_one_copy_lacks_is_named(project: Path, copy: Callable[[Path], Path]) -> None:
    """A run that was taken out of one copy, with its chain mended, is known from the other."""
    _noted(project)
    lines_before = copy(project).read_bytes()
    path = _run(project)
    copy(project).write_bytes(lines_before)

    known = next(each for each in list_runs(project) if each.run == path.parent.name)

    whose = "project" if copy is _own else "user"
    assert known.problems == (f"the {whose}'s ledger does not know it",)


def test_a_run_that_no_ledger_knows_is_named(project: Path) -> None:
    """A folder that was put there is no known run."""
    new_log(project).close()

    assert _only(project).problems == ("no ledger knows it",)


@pytest.mark.parametrize("kept", [0, 1])
def test_a_log_that_was_cut_or_rewritten_disagrees_with_the_ledger(project: Path, kept: int) -> None:
    """The head that was noted at the run's end has to be in its log."""
    path = _run(project)
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:kept]))

    assert "does not hold record 1 as a ledger noted it" in _only(project).problems[-1]
    assert _only(project).ended is None


def test_records_after_the_noted_end_are_no_problem(project: Path) -> None:
    """Notes and seals follow a run's end."""
    path = _run(project)
    with path.open("ab") as file:
        file.write(_next_line(path))

    assert _only(project).problems == ()


def _next_line(path: Path) -> bytes:
    from ._logs import sealed_line

    last = json.loads(path.read_bytes().splitlines()[-1])
    return sealed_line({**last, "seq": last["seq"] + 1, "type": "note", "data": {}, "prev": last["hash"]})


def test_one_bad_log_hides_no_other_run(project: Path) -> None:
    """A log that is no file, or whose first record is damaged, is a problem of its own run."""
    good, bad, worse = _run(project), _run(project), _run(project)
    bad.unlink()
    bad.mkdir()
    lines = worse.read_bytes().splitlines(keepends=True)
    worse.write_bytes(b"\xff" * 100 + b"\n" + lines[1])

    known = {each.run: each for each in list_runs(project)}

    assert "can't be read" in known[bad.parent.name].problems[0]
    assert known[worse.parent.name].started is None
    assert "does not hold record 0" in known[worse.parent.name].problems[0]
    assert known[good.parent.name].problems == ()


def test_a_moved_project_does_not_accuse_its_new_copy(project: Path) -> None:
    """The user's copy goes by the path: after a move, it can't know the runs from before."""
    path = _run(project)
    moved = project.rename(project.with_name("moved"))
    _noted(moved)

    known = next(each for each in list_runs(moved) if each.run == path.parent.name)

    assert known.problems == ()


def test_a_resumed_run_is_unfinished_until_it_ends_again(project: Path) -> None:
    """The end that counts is the one after the last beginning."""
    log = new_log(project)
    for event in (started(), finished(result="failed"), Event(type="run.resumed", data={})):
        log.append(event)
    log.close()

    assert (_only(project).ended, _only(project).result) == (None, None)


def test_a_project_without_runs_has_none(project: Path) -> None:
    """Looking makes nothing."""
    assert list_runs(project) == ()
    assert read_ledgers(project).problems == ()
    assert list(project.iterdir()) == []
