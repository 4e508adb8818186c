"""The writer of a log."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest

from pytest_workflow_exec.errors import EvidenceError, ValueRefusedError
from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, Head, create_run_directory, new_run_id, read_log, segments_of
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.settings import Durability

from ._logs import new_log, note, records_in

ROOT = Path(__file__).parents[2]


def _writer(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "tests.evidence._writer", *arguments]


def test_the_head_is_the_last_record(tmp_path: Path) -> None:
    """The head moves with every record, from the zeros of an empty log on."""
    log = new_log(tmp_path)
    assert log.head == Head(seq=-1, hash="0" * 64)

    records = [log.append(note()), log.append(note())]

    assert [record.seq for record in records] == [0, 1]
    assert records[1].prev == records[0].hash
    assert log.head == records[1].head


def test_a_record_is_in_the_file_when_append_returns(tmp_path: Path) -> None:
    """Nothing is held back in memory: another reader sees a record as soon as it was appended."""
    log = new_log(tmp_path)

    for count in range(1, 4):
        log.append(note())
        assert len(records_in(log.path)) == count


@pytest.mark.parametrize("kind", ["file", "link", "dangling link", "pipe"])
def test_a_log_is_never_made_over_or_through_something_else(tmp_path: Path, kind: str) -> None:
    """Whatever already has the log's name is refused, and neither it nor what it points to changes."""
    run = new_run_id()
    directory = create_run_directory(tmp_path, run)
    path, target = directory / "evidence.jsonl", tmp_path / "target"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "file":
        path.write_text("mine")
    else:
        path.symlink_to(target)
    if kind == "link":
        target.write_text("mine")
    before = path.lstat()

    with pytest.raises(EvidenceError, match=r"evidence\.jsonl can't be created"):
        EvidenceLog.create(directory, run, redactor=Redactor({}))

    assert path.lstat().st_ino == before.st_ino
    assert path.lstat().st_size == before.st_size
    assert target.exists() == (kind == "link")


def test_a_run_directory_that_is_a_link_holds_no_log(tmp_path: Path) -> None:
    """A log is not made through a link to another folder."""
    run = new_run_id()
    directory = create_run_directory(tmp_path, run)
    (tmp_path / "link").symlink_to(directory)

    with pytest.raises(EvidenceError, match="symbolic link"):
        EvidenceLog.create(tmp_path / "link", run, redactor=Redactor({}))

    assert not (directory / "evidence.jsonl").exists()


@pytest.mark.parametrize("kind", ["", "Run.Started", 'x","y', "run started", "run."])
def test_a_type_that_could_be_taken_for_something_else_is_refused(tmp_path: Path, kind: str) -> None:
    """A type is lower case words joined by dots; nothing else is written."""
    log = new_log(tmp_path)

    with pytest.raises(ValueRefusedError, match="type can't be recorded"):
        log.append(Event(type=kind, data={}))

    assert log.path.read_bytes() == b""


def test_a_step_longer_than_a_line_is_refused(tmp_path: Path) -> None:
    """What can't be moved to a blob must fit in the line."""
    log = new_log(tmp_path)

    with pytest.raises(ValueRefusedError, match="longer than 65536 bytes"):
        log.append(Event(type="note", step="s" * 70_000, data={}))

    assert log.path.read_bytes() == b""
    assert log.append(note()).seq == 0


def _replace(path: Path) -> None:
    shutil.copy(path, path.with_suffix(".copy"))
    path.with_suffix(".copy").rename(path)


def _link_to_copy(path: Path) -> None:
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


def _write_elsewhere(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"forged\n")


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (Path.unlink, "deleted or moved away"),
        (lambda path: path.rename(path.with_suffix(".moved")), "deleted or moved away"),
        (lambda path: path.parent.rename(path.parent.with_suffix(".moved")), "deleted or moved away"),
        (_replace, "replaced by another file"),
        (_link_to_copy, "replaced by another file"),
        (lambda path: os.link(path, path.with_suffix(".second")), "has a second name"),
        (_write_elsewhere, "written by somebody else"),
        (lambda path: os.truncate(path, 10), "was cut"),
    ],
)
def test_a_barrier_notices_what_was_done_to_the_file(
    tmp_path: Path, attack: Callable[[Path], object], reason: str
) -> None:
    """A log that was deleted, replaced, linked, cut or written to is over: the barrier says what, nothing follows."""
    log = new_log(tmp_path)
    log.append(note())
    log.barrier()
    attack(log.path)

    with pytest.raises(EvidenceError, match=reason):
        log.barrier()

    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for action in (lambda: log.append(note()), log.barrier):
        with pytest.raises(EvidenceError, match="takes no more records"):
            action()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


@pytest.mark.parametrize("durability", ["power", "process"])
def test_only_against_power_cuts_anything_is_synced(
    tmp_path: Path, durability: Durability, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against a killed process a barrier syncs nothing, and neither does a long text; it still looks at the file."""
    run = new_run_id()
    log = EvidenceLog.create(create_run_directory(tmp_path, run), run, redactor=Redactor({}), durability=durability)
    synced: list[bool] = []

    def sync(file: int) -> None:
        synced.append(stat.S_ISREG(os.fstat(file).st_mode))

    monkeypatch.setattr("pytest_workflow_exec.evidence._log_file._sync", sync)
    monkeypatch.setattr("os.fsync", sync)

    log.append(note(text="t" * 10_000))
    log.barrier()
    assert synced.count(True) == (2 if durability == "power" else 0)

    log.path.unlink()
    with pytest.raises(EvidenceError, match="deleted or moved away"):
        log.barrier()


def test_the_first_failed_sync_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a failed sync the system may have dropped what it could not write: no second try can make up for it."""
    log = new_log(tmp_path)
    log.append(note())

    def failing(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("pytest_workflow_exec.evidence._log_file._sync", failing)
        with pytest.raises(EvidenceError, match="could not be made durable: Input/output error"):
            log.barrier()

    content = log.path.read_bytes()
    for action in (log.barrier, lambda: log.append(note())):
        with pytest.raises(EvidenceError, match="takes no more records"):
            action()
    assert log.path.read_bytes() == content


def test_a_short_write_ends_the_log(tmp_path: Path) -> None:
    """A record that the file took only in part is an error, and nothing is glued to it when there is room again."""
    done = subprocess.run(_writer("limited", str(tmp_path)), cwd=ROOT, capture_output=True, text=True, check=True)

    first, *later = done.stdout.splitlines()
    assert "bytes of a record; is the disk full?" in first
    assert len(later) == 2
    assert all("takes no more records" in line for line in later)
    [path] = tmp_path.rglob("evidence.jsonl")
    content = path.read_bytes()
    assert len(content) == 2_000
    assert b"more" not in content
    assert [record.seq for record in read_log(path)] == list(range(content.count(b"\n")))


_UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]
_MAY_MOUNT = (
    shutil.which("unshare") is not None
    and subprocess.run([*_UNSHARE, "mount", "-t", "tmpfs", "none", "/tmp"], capture_output=True).returncode == 0  # noqa: PLW1510, S108
)


@pytest.mark.skipif(not _MAY_MOUNT, reason="this system lets nobody mount a small file system")
def test_a_full_disk_ends_the_log(tmp_path: Path) -> None:
    """On a file system that is full the record that did not fit is refused, and every one after it."""
    script = 'mount -t tmpfs -o size=64k none "$0" && "$@" && cp "$0"/.workflow-exec/runs/*/evidence.jsonl "$0".copy'
    command = [*_UNSHARE, "sh", "-c", script, str(tmp_path), *_writer("fill", str(tmp_path))]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    first, *later = done.stdout.splitlines()
    assert "disk full" in first or "No space left" in first
    assert len(later) == 2
    assert all("takes no more records" in line for line in later)
    assert list(read_log(Path(f"{tmp_path}.copy")))


def test_a_closed_log_takes_nothing(tmp_path: Path) -> None:
    """After closing, twice or not, nothing is written any more."""
    log = new_log(tmp_path)
    log.append(note())
    content = log.path.read_bytes()
    log.close()
    log.close()

    for action in (lambda: log.append(note()), log.barrier):
        with pytest.raises(EvidenceError, match="it is closed"):
            action()

    assert log.path.read_bytes() == content


def test_a_forked_child_may_not_write(tmp_path: Path) -> None:
    """A child that inherited the log is refused, writes nothing, and the parent goes on."""
    log = new_log(tmp_path)
    log.append(note())

    child = os.fork()
    if child == 0:
        code = 1
        try:
            log.append(note())
        except EvidenceError as error:
            code = 42 if "forked child" in str(error) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 42
    log.append(note())
    log.barrier()
    assert [record.seq for record in read_log(log.path)] == [0, 1]


def test_threads_make_one_chain(tmp_path: Path) -> None:
    """Records of many threads follow each other without fork, gap or mixture."""
    log = new_log(tmp_path)

    def write(name: int) -> None:
        for count in range(100):
            log.append(note(thread=name, count=count))
            if count % 25 == 0:
                log.barrier()

    threads = [threading.Thread(target=write, args=(name,)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    log.barrier()
    records = list(read_log(log.path))
    assert len(records) == 800
    for name in range(8):
        assert [record.data["count"] for record in records if record.data["thread"] == name] == list(range(100))


@pytest.mark.parametrize("segment_bytes", ["67108864", "2048"], ids=["one file", "many files"])
def test_an_interruption_at_any_moment_leaves_one_chain(tmp_path: Path, segment_bytes: str) -> None:
    """Exceptions from a signal, wherever they strike, never make a record name a predecessor that isn't there."""
    # In a process of its own: a signal may strike anywhere, in the test runner's own bookkeeping, too.
    done = subprocess.run(
        [sys.executable, "-m", "tests.evidence._writer", "struck", str(tmp_path), segment_bytes],
        cwd=ROOT,
        # A signal may strike in the measuring of coverage as well, which is not what is tested.
        env={name: value for name, value in os.environ.items() if not name.startswith("COV")},
        capture_output=True,
        text=True,
        check=True,
    )
    returned = [int(line) for line in done.stdout.splitlines()]

    [path] = tmp_path.rglob("evidence.jsonl")
    records = [record.seq for record in read_log(path)]
    files = len(segments_of(path))
    assert files == 1 if segment_bytes == "67108864" else files > 10
    assert len(records) >= len(returned) > 0
    assert records == list(range(len(records)))
    assert set(returned) <= set(records)


def test_a_signal_handler_may_not_write_into_a_record(tmp_path: Path) -> None:
    """A handler that appends while a record is being written is refused, instead of waiting for itself or forking."""
    log = new_log(tmp_path)
    refused = []

    class Interrupting(dict[str, int]):
        def items(self) -> object:  # type: ignore[override]  # raises a signal in the middle of an append
            signal.raise_signal(signal.SIGUSR1)
            return super().items()

    def handle(_signal: int, _frame: FrameType | None) -> None:
        with pytest.raises(EvidenceError, match="a signal handler may not write"):
            log.append(note(by="handler"))
        refused.append(True)

    before = signal.signal(signal.SIGUSR1, handle)
    try:
        log.append(note(by=Interrupting(a=1)))
    finally:
        signal.signal(signal.SIGUSR1, before)

    assert refused == [True]
    assert [record.data for record in read_log(log.path)] == [{"by": {"a": 1}}]


@pytest.mark.parametrize(
    "environment", [{"LC_ALL": "C", "PYTHONUTF8": "0"}, {"PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "1"}]
)
def test_the_same_bytes_are_written_in_every_environment(tmp_path: Path, environment: dict[str, str]) -> None:
    """Locale, hash seed and optimisation change nothing but times and hashes."""
    script = (
        "import sys; from pathlib import Path; from tests.evidence._logs import new_log, note;"
        "new_log(Path(sys.argv[1])).append(note(text='gr\\u00fcn', keys={'b': 1, 'a': 2}))"
    )

    subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, env={**os.environ, **environment}, check=True
    )

    [path] = tmp_path.rglob("evidence.jsonl")
    assert '"data":{"text":"grün","keys":{"b":1,"a":2}},"prev"'.encode() in path.read_bytes()
