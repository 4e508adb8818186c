"""Where runs live."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import EvidenceError, LogUnreadableError
from pytest_workflow_exec.evidence import (
    STATE_DIRECTORY,
    create_run_directory,
    find_run,
    new_run_id,
    runs_directory,
    state_directory,
)

from ._logs import new_log


@pytest.fixture(params=[0o000, 0o022, 0o277])
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A project under a umask that would open, or lock, what is made in it."""
    before = os.umask(request.param)
    yield tmp_path
    os.umask(before)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_every_new_folder_and_file_is_private_whatever_the_umask(project: Path) -> None:
    """Folders have mode 0700 and files 0600 under any umask."""
    log = new_log(project)

    run = log.path.parent
    state = project / STATE_DIRECTORY
    folders = [state, state / "runs", run, run / "outputs", run / "work"]
    assert [_mode(folder) for folder in folders] == [0o700] * 5
    assert [_mode(file) for file in (log.path, state / ".gitignore")] == [0o600] * 2


@pytest.mark.parametrize("umask", [0o000, 0o077, 0o277, 0o477, 0o700, 0o777])
def test_no_umask_locks_its_own_user_out(tmp_path: Path, umask: int) -> None:
    """A user without root's rights writes and reads a whole run, blobs too, under any umask, and over leftovers."""
    user = 65534 if os.geteuid() == 0 else os.geteuid()
    os.chown(tmp_path, user, -1)

    done = subprocess.run(
        [sys.executable, "-c", _WRITE_UNDER_UMASK, str(user), str(umask)],
        cwd=tmp_path,
        # Measuring coverage would write beside the data of another user.
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("COV")},
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
    made = list((tmp_path / STATE_DIRECTORY).rglob("*"))
    assert {_mode(path) for path in made if path.is_dir()} == {0o700}
    assert {_mode(path) for path in made if not path.is_dir()} == {0o600}
    assert len([path for path in made if path.parent.parent.name == "blobs"]) == 2


_WRITE_UNDER_UMASK = """
import encodings.ascii, os, sys
from pathlib import Path
from pytest_workflow_exec.evidence import EvidenceLog, create_run_directory, new_run_id, read_log
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.redaction import Redactor

user, root = int(sys.argv[1]), Path()
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(user)
    os.setuid(user)
os.umask(int(sys.argv[2]))
# What a process leaves that is killed right after it made the folder.
os.mkdir(".workflow-exec")
for _ in range(2):
    run = new_run_id()
    log = EvidenceLog.create(create_run_directory(root, run), run, redactor=Redactor({}))
    log.append(Event(type="note", data={"text": "x" * 10_000}))
    log.barrier()
    log.close()
    assert [record.data for record in read_log(log.path)] == [{"text": "x" * 10_000}]
"""


def test_a_run_directory_holds_outputs_and_work_and_nothing_else(tmp_path: Path) -> None:
    """A new run's folder has exactly the two folders that its commands use."""
    directory = create_run_directory(tmp_path, run := new_run_id())

    assert directory == runs_directory(tmp_path) / run
    assert sorted(entry.name for entry in directory.iterdir()) == ["outputs", "work"]


def test_git_ignores_the_state_directory(tmp_path: Path) -> None:
    """The state directory ignores itself, and a file that says otherwise is left as it is."""
    state = state_directory(tmp_path)
    assert (state / ".gitignore").read_bytes() == b"*\n"
    (state / ".gitignore").write_bytes(b"mine\n")

    create_run_directory(tmp_path, new_run_id())

    assert (state / ".gitignore").read_bytes() == b"mine\n"
    assert sorted(entry.name for entry in state.iterdir()) == [".gitignore", "runs"]


def test_an_open_state_directory_is_closed_to_others(tmp_path: Path) -> None:
    """A state directory that others could read or write becomes private before a run uses it."""
    (tmp_path / STATE_DIRECTORY).mkdir()
    (tmp_path / STATE_DIRECTORY).chmod(0o777)

    state_directory(tmp_path)

    assert _mode(tmp_path / STATE_DIRECTORY) == 0o700


@pytest.mark.parametrize("link", [STATE_DIRECTORY, f"{STATE_DIRECTORY}/runs"])
def test_a_symbolic_link_on_the_way_is_refused(tmp_path: Path, link: str) -> None:
    """A run is not made through a link, and nothing appears where the link points."""
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (project / link).parent.mkdir(parents=True)
    (project / link).symlink_to(elsewhere)

    with pytest.raises(EvidenceError, match="is a symbolic link"):
        create_run_directory(project, new_run_id())

    assert list(elsewhere.iterdir()) == []


def test_a_file_in_the_way_is_refused(tmp_path: Path) -> None:
    """A file with the state directory's name is named in the refusal and stays as it is."""
    (tmp_path / STATE_DIRECTORY).write_text("mine")

    with pytest.raises(EvidenceError, match=r"\.workflow-exec can't be used for evidence: it is no directory"):
        create_run_directory(tmp_path, new_run_id())

    assert (tmp_path / STATE_DIRECTORY).read_text() == "mine"


def test_a_run_directory_is_made_only_once(tmp_path: Path) -> None:
    """The folder of a run must be new: a second one with its id is refused and the first is untouched."""
    directory = create_run_directory(tmp_path, run := new_run_id())
    (directory / "work" / "file").write_text("mine")

    with pytest.raises(EvidenceError, match="exists already"):
        create_run_directory(tmp_path, run)

    assert (directory / "work" / "file").read_text() == "mine"


@pytest.mark.parametrize("run", ["", "..", "../../escape", "latest", "0198" * 9])
def test_a_name_that_is_no_run_id_makes_no_directory(tmp_path: Path, run: str) -> None:
    """Only a run id names a run's folder."""
    with pytest.raises(EvidenceError, match="is no run id"):
        create_run_directory(tmp_path, run)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make a folder that belongs to somebody else")
def test_somebody_elses_state_directory_is_refused(tmp_path: Path) -> None:
    """Evidence is not written into a folder that another user owns and could replace."""
    (tmp_path / STATE_DIRECTORY).mkdir()
    os.chown(tmp_path / STATE_DIRECTORY, 12345, 12345)

    with pytest.raises(EvidenceError, match="belongs to uid 12345"):
        create_run_directory(tmp_path, new_run_id())

    assert list((tmp_path / STATE_DIRECTORY).iterdir()) == []


def test_a_run_is_found_by_id_prefix_latest_and_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An id, its unique beginning in any case, `latest`, and paths of folder and log all name the same log."""
    new_log(tmp_path)
    newest = new_log(tmp_path).path
    run = newest.parent.name
    monkeypatch.chdir(newest.parents[1])

    found = [
        find_run(reference, root=tmp_path)
        for reference in (run, run[:-1], run[:-1].upper(), "latest", str(newest), str(newest.parent))
    ]

    assert found == [newest] * 6
    assert find_run(f"./{run}", root=None).resolve() == newest
    assert find_run(f"{run}/evidence.jsonl", root=None).resolve() == newest


def test_an_ambiguous_run_lists_its_choices(tmp_path: Path) -> None:
    """A beginning that several runs share is refused with the runs it could mean, newest first."""
    runs = [new_log(tmp_path).path.parent.name for _ in range(2)]

    with pytest.raises(LogUnreadableError) as caught:
        find_run(runs[0][:4], root=tmp_path)

    assert str(caught.value) == f"2 runs begin with {runs[0][:4]!r}:\n  {runs[1]}\n  {runs[0]}"


@pytest.mark.parametrize("reference", ["", "ffff", "*", ".", "nothing/here", "missing.jsonl", "latest"])
def test_a_run_that_is_not_there_is_refused(tmp_path: Path, reference: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is found where nothing fits, and an empty reference fits nothing."""
    monkeypatch.chdir(tmp_path)
    if reference != "latest":
        create_run_directory(tmp_path, new_run_id())

    with pytest.raises(LogUnreadableError, match=r"there is no|no project"):
        find_run(reference, root=tmp_path)


def test_an_id_needs_a_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a project an id names nothing, and the refusal says what would."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(LogUnreadableError, match="Give the path of a run"):
        find_run("latest", root=None)
