"""A log in several files: each begins where the one before says so, and all of them are guarded."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import EvidenceError, LogUnreadableError, ValueRefusedError
from pytest_workflow_exec.evidence import (
    EvidenceLog,
    Head,
    create_run_directory,
    find_run,
    list_runs,
    new_run_id,
    read_log,
    segments_of,
)
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.settings import Durability

from ._logs import new_log, note, records_in, started

SMALL = 2_048


def small_log(root: Path, *, segment_bytes: int = SMALL, durability: Durability = "power") -> EvidenceLog:
    """Return the new log of a run whose files are short."""
    run = new_run_id()
    return EvidenceLog.create(
        create_run_directory(root, run),
        run,
        redactor=Redactor({}),
        durability=durability,
        segment_bytes=segment_bytes,
    )


def reopened(path: Path, last: Head | None = None) -> EvidenceLog:
    """Return the log whose first file that is, open again."""
    return EvidenceLog.reopen(path.parent, path.parent.name, redactor=Redactor({}), segment_bytes=SMALL, last=last)


def filled(root: Path, files: int = 3) -> EvidenceLog:
    """Return an open log of so many files, the last of which holds a record at least."""
    log = small_log(root)
    while len(segments_of(log.path)) < files:
        log.append(note(text="x" * 300))
    return log


def _kept(log: EvidenceLog) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in segments_of(log.path)}


def test_a_full_file_is_ended_and_the_chain_goes_on_in_the_next(tmp_path: Path) -> None:
    """No file is longer than it may be; its last record says how many it holds and where the log goes on."""
    log = filled(tmp_path, 4)
    log.barrier()

    paths = segments_of(log.path)
    assert [path.name for path in paths] == [
        "evidence.jsonl", "evidence.0001.jsonl", "evidence.0002.jsonl", "evidence.0003.jsonl",
    ]  # fmt: skip
    assert all(path.stat().st_size <= SMALL and path.stat().st_mode & 0o777 == 0o600 for path in paths)
    for number, path in enumerate(paths[:-1]):
        held = records_in(path)
        assert held[-1]["type"] == "segment.sealed"
        assert held[-1]["data"] == {"segment": number, "records": len(held), "next": paths[number + 1].name}
        assert records_in(paths[number + 1])[0]["prev"] == held[-1]["hash"]
    records = list(read_log(log.path))
    assert [record.seq for record in records] == list(range(len(records)))
    assert list(log.records()) == records
    assert log.head == records[-1].head


def test_a_log_within_its_size_stays_one_file(tmp_path: Path) -> None:
    """A file ends only when another record has to be written that does not fit."""
    log = small_log(tmp_path, segment_bytes=1 << 20)
    for count in range(100):
        log.append(note(count=count))

    assert segments_of(log.path) == (log.path,)
    assert log.events == 100


def test_a_record_longer_than_a_file_has_one_for_itself(tmp_path: Path) -> None:
    """A file is never ended empty: what is too long for any stands alone in its own."""
    log = small_log(tmp_path, segment_bytes=1_024)
    for _ in range(3):
        log.append(note(text="x" * 3_000))

    assert [len(records_in(path)) for path in segments_of(log.path)] == [2, 2, 1]


def test_a_refused_value_ends_no_file(tmp_path: Path) -> None:
    """What can't be recorded changes nothing, also where the file is full."""
    log = small_log(tmp_path)
    log.append(note(text="x" * 1_500))
    before = _kept(log)

    with pytest.raises(ValueRefusedError):
        log.append(note(number=float("nan")))

    assert _kept(log) == before
    assert log.append(note()).seq == 2


def test_the_head_that_a_record_may_name_is_the_record_right_before_it(tmp_path: Path) -> None:
    """Room is made before a head is named: no end of a file comes in between."""
    log = filled(tmp_path)

    for _ in range(20):
        head = log.make_room()
        record = log.append(note(text="x" * 700))
        assert (record.seq - 1, record.prev) == (head.seq, head.hash)


def test_no_secret_hides_where_a_log_goes_on(tmp_path: Path) -> None:
    """A secret may be a word of the log's own: it is masked in what others say, and the log stays whole."""
    log = new_log(tmp_path, secrets={"TOKEN": "evidence"}, segment_bytes=SMALL)

    for _ in range(9):
        log.append(note(text="my evidence " * 30))
    log.close()

    assert len(segments_of(log.path)) > 2
    assert "evidence" not in str([record.data for record in read_log(log.path) if record.type == "note"])


@pytest.mark.parametrize("known", [True, False])
def test_a_reopened_log_goes_on_in_its_last_file(tmp_path: Path, known: bool) -> None:
    """Nothing of the files before changes, whoever read the log before or not."""
    log = filled(tmp_path)
    log.close()
    before = _kept(log)

    with contextlib.closing(reopened(log.path, log.head if known else None)) as again:
        assert again.head == log.head
        while len(segments_of(log.path)) < 5:
            again.append(note(text="y" * 200))
        again.barrier()

    after = _kept(log)
    assert [after[path] for path in list(before)[:-1]] == [before[path] for path in list(before)[:-1]]
    assert all(content.startswith(before.get(path, b"")) for path, content in after.items())
    assert [record.seq for record in read_log(log.path)] == list(range(again.head.seq + 1))


@pytest.mark.parametrize("left", ["nothing", "empty", "torn"])
def test_a_writer_killed_between_two_files_is_gone_on_with(tmp_path: Path, left: str) -> None:
    """After the end of a file the next one may be missing, empty or torn: it is made, or used as it is."""
    log = filled(tmp_path, 2)
    log.close()
    last = segments_of(log.path)[-1]
    torn = last.read_bytes()[:40]
    last.unlink()
    if left != "nothing":
        last.write_bytes(torn if left == "torn" else b"")
        last.chmod(0o600)
    before = log.path.read_bytes()

    with contextlib.closing(reopened(log.path)) as again:
        assert again.head == list(read_log(log.path))[-1].head
        again.append(note(text="later"))
        again.barrier()

    assert log.path.read_bytes() == before
    assert last.read_bytes().startswith(torn if left == "torn" else b"")
    assert left == "torn" or [record["type"] for record in records_in(last)] == ["note"]
    # Whether the last record still fits behind a recovery, the length of the clock's figures decides.
    written = [record.type for record in read_log(log.path) if left != "torn" or record.type != "segment.sealed"]
    assert written[-2:] == ["recovery" if left == "torn" else "segment.sealed", "note"]


def test_an_end_without_its_newline_is_an_end(tmp_path: Path) -> None:
    """The end of a file that lacks only its newline is ended, and the log goes on in the next file."""
    log = filled(tmp_path, 2)
    log.close()
    segments_of(log.path)[-1].unlink()
    os.truncate(log.path, log.path.stat().st_size - 1)

    with contextlib.closing(reopened(log.path)) as again:
        again.append(note(text="later"))

    assert [record.type for record in read_log(log.path)][-2:] == ["segment.sealed", "note"]
    assert [record["type"] for record in records_in(segments_of(log.path)[1])] == ["note"]


def _drop_last_line(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-1]))


def _move_line(path: Path) -> None:
    following = segments_of(path)[1]
    lines = following.read_bytes().splitlines(keepends=True)
    path.write_bytes(path.read_bytes() + lines[0])
    following.write_bytes(b"".join(lines[1:]))


def _swap(path: Path) -> None:
    _, one, two = segments_of(path)
    one.rename(path.with_name("kept"))
    two.rename(one)
    path.with_name("kept").rename(two)


BROKEN: dict[str, tuple[Callable[[Path], object], str]] = {
    "end dropped": (_drop_last_line, "evidence.0001.jsonl is there, but no record leads to it"),
    "torn end": (lambda path: os.truncate(path, path.stat().st_size - 9), "evidence.0001.jsonl is there"),
    "end without newline": (lambda path: os.truncate(path, path.stat().st_size - 1), "evidence.0001.jsonl is there"),
    "emptied": (lambda path: os.truncate(segments_of(path)[1], 0), "evidence.0002.jsonl is there"),
    "dropped": (lambda path: segments_of(path)[1].unlink(), "evidence.0002.jsonl is there"),
    "swapped": (_swap, "does not follow the record before it"),
    "one too many": (lambda path: path.with_name("evidence.0007.jsonl").touch(), "evidence.0007.jsonl is there"),
    "spelled otherwise": (lambda path: path.with_name("evidence.1.jsonl").touch(), "evidence.1.jsonl is there"),
    "moved over the border": (_move_line, "behind the record that ends its file"),
    "bytes behind the end": (lambda path: path.write_bytes(path.read_bytes() + b"{"), "behind the record that ends"),
    "a line behind the end": (lambda path: path.write_bytes(path.read_bytes() + b"x\n"), "form of a record"),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_files_that_do_not_belong_together_are_no_log(tmp_path: Path, damage: str) -> None:
    """Neither the next writer nor a reader goes on with them; nothing is written, and the message names the file."""
    act, reason = BROKEN[damage]
    log = filled(tmp_path)
    log.close()
    act(log.path)
    before = {path: path.read_bytes() for path in log.path.parent.iterdir() if path.is_file()}

    with pytest.raises(EvidenceError, match=re.escape(reason)) as caught:
        reopened(log.path)
    with pytest.raises(LogUnreadableError, match=re.escape(reason)):
        list(read_log(log.path))

    assert "is broken (line" in str(caught.value)
    assert {path: path.read_bytes() for path in log.path.parent.iterdir() if path.is_file()} == before


def test_a_wrong_word_at_the_end_of_a_file_is_broken(tmp_path: Path) -> None:
    """What ends a file must say what is so, also if its hash was made to fit."""
    from ._logs import rechained

    log = filled(tmp_path, 2)
    log.close()
    first, second = segments_of(log.path)
    records = [*records_in(first), *records_in(second)]
    count = len(records_in(first))
    for data in ({"segment": 1}, {"records": 99}, {"next": "evidence.0002.jsonl"}, {"more": 1}):
        told = {**records[count - 1], "data": {**records[count - 1]["data"], **data}}
        lines = rechained([*records[: count - 1], told, *records[count:]]).splitlines(keepends=True)
        first.write_bytes(b"".join(lines[:count]))
        second.write_bytes(b"".join(lines[count:]))
        with pytest.raises(EvidenceError, match="it does not end this file"):
            reopened(first)


@pytest.mark.parametrize("number", [0, 1, 2])
@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (Path.unlink, "deleted or moved away"),
        (lambda path: path.rename(path.with_suffix(".moved")), "deleted or moved away"),
        (lambda path: shutil.copy(path, path.with_suffix(".c")) and path.with_suffix(".c").rename(path), "replaced by"),
        (lambda path: os.link(path, path.with_suffix(".second")), "has a second name"),
        (lambda path: path.write_bytes(path.read_bytes() + b"forged\n"), "written by somebody else"),
        (lambda path: os.truncate(path, 10), "was cut"),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_a_barrier_notices_what_was_done_to_any_file(
    tmp_path: Path, attack: Callable[[Path], object], reason: str, number: int, again: bool
) -> None:
    """Each file is guarded as the last one is, by the writer that made it and by one that goes on: nothing follows."""
    log = filled(tmp_path)
    if again:
        log.close()
        log = reopened(log.path)
    log.append(note())
    log.barrier()
    attack(segments_of(log.path)[number])
    path = log.path.with_name(["evidence.jsonl", "evidence.0001.jsonl", "evidence.0002.jsonl"][number])

    with pytest.raises(EvidenceError, match=rf"^{re.escape(str(path))} .*{reason}"):
        log.barrier()

    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    for action in (lambda: log.append(note()), log.barrier):
        with pytest.raises(EvidenceError, match="takes no more records"):
            action()
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files


def test_a_next_file_that_somebody_put_there_is_not_written_to(tmp_path: Path) -> None:
    """A barrier notices it, and a full file is not gone on with in it."""
    log = small_log(tmp_path)
    log.append(note(text="x" * 900))
    planted = log.path.with_name("evidence.0001.jsonl")
    planted.touch()

    with pytest.raises(EvidenceError, match=r"evidence\.0001\.jsonl can't be created: File exists"):
        log.append(note(text="x" * 900))
    other = small_log(tmp_path)
    other.append(note())
    other.path.with_name("evidence.0001.jsonl").symlink_to("/dev/null")
    with pytest.raises(EvidenceError, match="put there by somebody else"):
        other.barrier()

    assert planted.read_bytes() == b""


def test_two_writers_share_no_file(tmp_path: Path) -> None:
    """A second writer is refused by the first file's lock, and where that was replaced, by the next one's."""
    log = filled(tmp_path)
    with pytest.raises(EvidenceError, match="is being written by another process"):
        reopened(log.path)
    shutil.copy(log.path, log.path.with_suffix(".copy"))
    log.path.with_suffix(".copy").rename(log.path)

    with pytest.raises(EvidenceError, match=r"evidence\.0001\.jsonl is being written by another process"):
        reopened(log.path)


def test_a_failed_sync_at_the_end_of_a_file_is_final(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next file is not begun: what leads to it may not be stored. Also where power cuts don't count."""
    log = small_log(tmp_path, durability="process")
    log.append(note(text="x" * 900))

    def failing(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr("pytest_workflow_exec.evidence._log_file._sync", failing)
        with pytest.raises(EvidenceError, match="could not be gone on with in a next file: Input/output error"):
            log.append(note(text="x" * 900))

    assert segments_of(log.path) == (log.path,)
    with pytest.raises(EvidenceError, match="takes no more records"):
        log.append(note())


@pytest.mark.parametrize("number", [0, 1, 2])
def test_all_files_are_saved_when_one_loses_its_name(tmp_path: Path, number: int) -> None:
    """What is saved is a log of several files again, with all that was written."""
    log = filled(tmp_path)
    written = list(read_log(log.path))
    shutil.rmtree(log.path.parent) if number == 0 else segments_of(log.path)[number].unlink()

    with pytest.raises(EvidenceError) as caught:
        log.barrier()

    saved = re.search(r"What it held is saved in (\S+)\.$", str(caught.value))
    assert saved is not None, str(caught.value)
    assert list(read_log(Path(saved[1]))) == written
    assert len(segments_of(Path(saved[1]))) == 3


def test_a_log_of_very_many_files_keeps_few_of_them_open(tmp_path: Path) -> None:
    """Files that are not held open any more are guarded by what is known of them, and still read."""
    log = small_log(tmp_path, segment_bytes=1_024)
    before = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else None  # noqa: PTH112, PTH208
    for _ in range(150):
        log.append(note(text="x" * 500))
    log.barrier()

    if before is not None:
        assert len(os.listdir("/proc/self/fd")) - before <= 130  # noqa: PTH208
    assert len(segments_of(log.path)) == 150
    assert [record.seq for record in log.records()] == list(range(299))
    log.close()
    with contextlib.closing(reopened(log.path)) as again:
        again.barrier()
        segments_of(log.path)[3].write_bytes(b"shorter")
        with pytest.raises(EvidenceError, match=r"evidence\.0003\.jsonl was cut"):
            again.barrier()


def test_a_later_file_is_no_run(tmp_path: Path) -> None:
    """Whoever names it is told where the log begins; a copy of all files under another name is a log."""
    log = filled(tmp_path)
    log.close()

    with pytest.raises(LogUnreadableError, match=r"is a later file of the log that begins in .*evidence\.jsonl"):
        find_run(str(segments_of(log.path)[1]), root=None)
    for path in segments_of(log.path):
        shutil.copy(path, tmp_path / path.name.replace("evidence", "kept"))

    assert list(read_log(find_run(str(tmp_path / "kept.jsonl"), root=None))) == list(read_log(log.path))


def test_runs_are_listed_by_what_all_files_say(tmp_path: Path) -> None:
    """The end of a run may stand in a later file than its start."""
    log = small_log(tmp_path)
    log.append(started())
    for _ in range(9):
        log.append(note(text="x" * 300))
    log.append(note(last=True))
    log.close()
    content = segments_of(log.path)[-1].read_text()
    assert json.loads(content.splitlines()[-1])["data"] == {"last": True}

    [run] = list_runs(tmp_path)

    assert (run.workflow, run.problems[1:]) == ("release", ())
