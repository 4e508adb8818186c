"""Going on with a log that another process began."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import EvidenceError
from pytest_workflow_exec.evidence import (
    EvidenceLog,
    Head,
    lines_of,
    read_log,
    read_recovery,
    seems_cut,
)
from pytest_workflow_exec.redaction import Redactor

from ._logs import lines_in, new_log, note, passed_run, rechained, records_in, written

ROOT = Path(__file__).parents[2]


def reopened(path: Path, last: Head | None = None) -> EvidenceLog:
    """Return the log at `path`, open again."""
    return EvidenceLog.reopen(path.parent, path.parent.name, redactor=Redactor({}), last=last)


def cut(path: Path, size_bytes: int) -> bytes:
    """Take the last bytes of the last record away, and return what is left of it."""
    os.truncate(path, path.stat().st_size - size_bytes)
    return lines_in(path)[-1]


def test_a_reopened_log_goes_on_where_it_ended(tmp_path: Path) -> None:
    """The next record follows the last one; what was there is neither changed nor moved."""
    path = written(tmp_path, passed_run())
    before = path.read_bytes()

    log = reopened(path)
    assert log.head.seq == len(lines_in(path)) - 1
    record = log.append(note(text="later"))
    log.barrier()
    log.close()

    assert path.read_bytes().startswith(before)
    assert [each.seq for each in read_log(path)] == list(range(record.seq + 1))


def test_an_empty_log_is_continued_with_its_first_record(tmp_path: Path) -> None:
    """A run that was killed before its first record has a log like a new one."""
    path = written(tmp_path, [])

    log = reopened(path)

    assert log.head.seq == -1
    assert log.append(note()).prev == "0" * 64


def test_a_log_that_was_read_goes_on_only_where_it_ended(tmp_path: Path) -> None:
    """Whoever read it names its last record: with another one, nothing is written, and not even a torn end is touched."""
    path = written(tmp_path, [note(text="t" * 10_000), note(), note()])
    heads = [record.head for record in read_log(path)]

    def refused(last: Head) -> None:
        before = path.read_bytes()
        with pytest.raises(EvidenceError, match="not what it was when it was looked at"):
            reopened(path, last=last)
        assert path.read_bytes() == before

    refused(heads[1])
    cut(path, 5)
    refused(heads[2])
    refused(heads[0])
    assert reopened(path, last=heads[1]).head.seq == 2, "a refusal keeps no lock; the torn end is told of"


def test_an_edited_record_is_found_though_the_log_was_read_before(tmp_path: Path) -> None:
    """The bytes are compared from the first record on: what was changed since they were read is not gone on from."""
    path = written(tmp_path, passed_run())
    seen = list(read_log(path))[-1].head
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"passed"', b'"failed"', 1))

    with pytest.raises(EvidenceError, match=r"is broken \(line"):
        reopened(path, last=seen)

    path.write_bytes(content)
    assert reopened(path, last=seen).head == seen, "a refusal keeps no lock"


@pytest.mark.parametrize("size_bytes", [2, 3, 60, 150, 280])
def test_a_torn_end_stays_and_is_told_of(tmp_path: Path, size_bytes: int) -> None:
    """A record that was cut is left where it is; a record behind it names its bytes and follows the last whole one."""
    path = written(tmp_path, passed_run())
    torn = cut(path, size_bytes)
    before = path.read_bytes()

    log = reopened(path)
    log.append(note(text="later"))
    log.close()

    content = path.read_bytes()
    assert content.startswith(before + b"\n")
    recovery = json.loads(content[len(before) + 1 :].splitlines()[0])
    good = len(passed_run()) - 1
    assert recovery["type"] == "recovery"
    assert (recovery["seq"], recovery["prev"]) == (good, json.loads(lines_in(path)[good - 1])["hash"])
    cause = recovery["data"].pop("cause")
    assert "not written whole" in cause
    assert recovery["data"] == {
        "offset": len(before) - len(torn),
        "bytes": len(torn),
        "sha256": hashlib.sha256(torn).hexdigest(),
    }
    assert [record.type for record in read_log(path)][-2:] == ["recovery", "note"]
    assert [record.seq for record in read_log(path)] == list(range(good + 2))


def test_a_record_that_lacks_only_its_newline_counts(tmp_path: Path) -> None:
    """All of a record is there: it gets its newline, and nothing has to be told of."""
    path = written(tmp_path, passed_run())
    whole = path.read_bytes()
    cut(path, 1)

    log = reopened(path)
    assert log.head.seq == len(passed_run()) - 1
    log.close()

    assert path.read_bytes() == whole


@pytest.mark.parametrize("kept", [0, 1, 5, 40, 200, -2, -1])
def test_a_recovery_that_was_cut_is_recovered_from(tmp_path: Path, kept: int) -> None:
    """Whatever of a recovery was written when its writer died, the next one ends in the same place, by one record."""
    path = written(tmp_path, passed_run())
    torn = cut(path, 60)
    before = path.read_bytes()
    reopened(path).close()
    recovery = path.read_bytes()[len(before) + 1 :]
    path.write_bytes(before + b"\n" + recovery[:kept])

    log = reopened(path)
    log.append(note())
    log.close()

    types = [record.type for record in read_log(path)]
    assert types.count("recovery") == 1
    assert types[-2:] == ["recovery", "note"]
    with path.open("rb") as file:
        told = [each for line in lines_of(file) if (each := read_recovery(line)) is not None]
    assert told[-1].offset == len(before) - len(torn)


def test_many_torn_ends_are_recovered_from(tmp_path: Path) -> None:
    """A log may be killed again and again: each end is told of, and the chain has no gap."""
    path = written(tmp_path, [note(), note()])
    for count in range(5):
        cut(path, 30)
        log = reopened(path)
        log.append(note(count=count))
        log.append(note(count=count))
        log.close()

    records = list(read_log(path))
    assert [record.seq for record in records] == list(range(len(records)))
    assert [record.type for record in records].count("recovery") == 5


def _forge_recovery(lines: list[bytes]) -> list[bytes]:
    """Edit the third record and have a recovery excuse it, while the records behind it still follow it."""
    edited = lines[2].replace(b"make", b"fake")
    data = {
        "offset": len(b"".join(lines[:2])),
        "bytes": len(edited) - 1,
        "sha256": hashlib.sha256(edited[:-1]).hexdigest(),
        "cause": "",
    }
    before = [json.loads(line) for line in lines[:2]]
    told = {**before[1], "type": "recovery", "step": None, "attempt": None, "data": data}
    forged = rechained([*before, told]).splitlines(keepends=True)[-1]
    return [*lines[:2], edited, forged, *lines[3:]]


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (
            lambda lines: [lines[0], lines[1].replace(b"build", b"built"), *lines[2:]],
            "line 2, byte .*hash does not fit",
        ),
        (lambda lines: [*lines[:3], *lines[4:]], "line 4, .*does not follow"),
        (lambda lines: [*lines[:3], *lines[2:]], "line 4, .*does not follow"),
        (lambda lines: lines[1:], "line 1, .*does not follow"),
        (lambda lines: [*lines[:-1], lines[-1].replace(b"passed", b"failed")], "line 13, .*hash does not fit"),
        (lambda lines: [*lines, b"\n"], "line 14, .*blank"),
        (lambda lines: [*lines[:2], lines[2][:50] + b"\n", *lines[3:]], "line 3, .*form of a record"),
        (_forge_recovery, "line 5, .*does not follow"),
    ],
)
def test_a_broken_log_is_not_continued(
    tmp_path: Path, damage: Callable[[list[bytes]], list[bytes]], reason: str
) -> None:
    """Edits, gaps, doubles and excuses for what later records refer to are refused with their place; nothing changes."""
    path = written(tmp_path, passed_run())
    path.write_bytes(b"".join(damage(lines_in(path))))
    before = path.read_bytes()

    with pytest.raises(EvidenceError, match=f"is broken .{reason}.*Nothing is written"):
        reopened(path)

    assert path.read_bytes() == before


def test_a_recovery_that_excuses_nothing_is_refused(tmp_path: Path) -> None:
    """A record of a recovery stands behind the bytes that it names, or nowhere."""
    path = written(tmp_path, [note(), note()])
    first, second = records_in(path)
    data = {"offset": 0, "bytes": 0, "sha256": hashlib.sha256(b"").hexdigest(), "cause": ""}
    path.write_bytes(rechained([first, {**second, "type": "recovery", "data": data}]))

    with pytest.raises(EvidenceError, match="recovery where nothing was torn"):
        reopened(path)


def test_no_single_changed_bit_makes_a_line_seem_cut(tmp_path: Path) -> None:
    """A whole record of which one bit changed is never taken for one that was cut; every real cut is."""
    path = written(tmp_path, [note(text="end")])
    [line] = lines_in(path)

    for place in range(len(line) - 1):
        for bit in range(8):
            changed = bytearray(line)
            changed[place] ^= 1 << bit
            assert not seems_cut(bytes(changed)), (place, bit)
    assert all(seems_cut(line[:size] + b"\n") for size in range(1, len(line) - 140))


@pytest.mark.parametrize("kind", ["missing", "link", "pipe", "folder", "second name", "other run"])
def test_only_a_file_of_its_own_is_continued(tmp_path: Path, kind: str) -> None:
    """A log that is missing, reached through a link, no file, known by a second name or another run's is refused."""
    path = written(tmp_path, [note()])
    elsewhere = path.with_name("elsewhere")
    if kind != "other run":
        path.rename(elsewhere)
    if kind == "link":
        path.symlink_to(elsewhere)
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "second name":
        elsewhere.rename(path)
        os.link(path, elsewhere)
    elif kind == "other run":
        shutil.copy(written(tmp_path, [note()]), path)
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}

    with pytest.raises(
        EvidenceError, match=r"evidence\.jsonl (can't be opened|is not a regular file|is the log of run)"
    ):
        reopened(path)

    assert {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()} == before


@pytest.mark.parametrize("linked", [".workflow-exec", ".workflow-exec/runs", ".workflow-exec/runs/RUN"])
def test_a_log_is_not_continued_through_a_linked_folder(tmp_path: Path, linked: str) -> None:
    """A link in place of any of our folders would lead the log elsewhere."""
    path = written(tmp_path, [note()])
    folder = tmp_path / linked.replace("RUN", path.parent.name)
    folder.rename(tmp_path / "moved")
    folder.symlink_to(tmp_path / "moved")

    with pytest.raises(EvidenceError, match="symbolic link"):
        reopened(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may open everything")
def test_a_log_that_may_not_be_opened_says_whose_it_is(tmp_path: Path) -> None:
    """The refusal names mode and owner, and no other folder is tried."""
    path = written(tmp_path, [note()])
    path.chmod(0)

    with pytest.raises(EvidenceError, match=f"Permission denied .*mode 0000; you are uid {os.geteuid()}"):
        reopened(path)


def test_two_writers_never_hold_one_log(tmp_path: Path) -> None:
    """A log that is open for writing can't be opened again, by this or another process, until it is closed."""
    log = new_log(tmp_path)
    log.append(note())

    with pytest.raises(EvidenceError, match="is being written by another process"):
        reopened(log.path)
    log.close()
    second = reopened(log.path)
    with pytest.raises(EvidenceError, match="is being written by another process"):
        reopened(log.path)

    second.append(note())
    assert [record.seq for record in read_log(log.path)] == [0, 1]


def test_a_forked_child_keeps_no_log_from_being_continued(tmp_path: Path) -> None:
    """The lock on a log ends with its writer, although a forked child of it lives on."""
    script = (
        "import os, sys, time; from pathlib import Path; from tests.evidence._logs import new_log, note;"
        "log = new_log(Path(sys.argv[1])); log.append(note()); ready, tell = os.pipe(); child = os.fork();\n"
        "if child == 0: os.close(1); os.write(tell, b'.'); time.sleep(60)\n"
        "else: os.read(ready, 1); print(child, flush=True); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, check=False)
    child = int(done.stdout)
    try:
        [path] = tmp_path.rglob("evidence.jsonl")
        os.kill(child, 0)
        reopened(path).append(note())
        assert len(list(read_log(path))) == 2
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


_APPEND_ONLY = shutil.which("chattr") is not None and os.geteuid() == 0


@pytest.mark.skipif(not _APPEND_ONLY, reason="only root can make a file append-only")
def test_an_append_only_file_is_continued(tmp_path: Path) -> None:
    """Nothing but appending is needed to go on, also behind a torn end."""
    path = written(tmp_path, [note(), note()])
    cut(path, 40)
    if subprocess.run(["chattr", "+a", str(path)], check=False, capture_output=True).returncode:
        pytest.skip("this file system has no append-only files")
    try:
        log = reopened(path)
        log.append(note())
        log.barrier()
        log.close()
    finally:
        subprocess.run(["chattr", "-a", str(path)], check=True)

    assert [record.type for record in read_log(path)] == ["note", "recovery", "note"]


def test_records_are_read_from_the_open_file(tmp_path: Path) -> None:
    """What was checked is what is read, also after another file got the log's name."""
    path = written(tmp_path, [note(text="t" * 10_000), note(count=1)])
    log = reopened(path)
    path.unlink()
    path.write_bytes(b"another\n")

    assert [record.data for record in log.records()] == [{"text": "t" * 10_000}, {"count": 1}]
    assert next(log.records(blobs=False)).data.keys() == {"text"}


def test_reopening_a_long_log_needs_little_memory(tmp_path: Path) -> None:
    """A log is streamed: its length shows in time, not in memory."""
    script = (
        "import resource, sys; from pathlib import Path; from pytest_workflow_exec.evidence import EvidenceLog;"
        "from pytest_workflow_exec.redaction import Redactor; p = Path(sys.argv[1]);"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss;"
        "EvidenceLog.reopen(p.parent, p.parent.name, redactor=Redactor({}));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)"
    )
    path = written(tmp_path, (note(text="x" * 1_000) for _ in range(20_000)))

    done = subprocess.run([sys.executable, "-c", script, str(path)], cwd=ROOT, stdout=subprocess.PIPE, check=True)

    size_kib = path.stat().st_size // 1024
    assert int(done.stdout) < size_kib // 4
