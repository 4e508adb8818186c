"""Reading a log back."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pytest_workflow_exec.errors import LogUnreadableError
from pytest_workflow_exec.evidence import NO_HASH, Record, read_log

from ._logs import lines_in, new_log, note, passed_run, rechained, records_in, written


def test_a_log_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    """Reading gives the very records that appending returned."""
    log = new_log(tmp_path)
    appended = [log.append(event) for event in passed_run()]

    read = list(read_log(log.path))

    assert read == appended
    assert read[-1].head == log.head
    assert read[0].prev == NO_HASH


def test_a_torn_last_line_is_left_out(tmp_path: Path) -> None:
    """A last line without its newline, cut anywhere, is not a record; the ones before it are."""
    path = written(tmp_path, passed_run())
    *whole, last = lines_in(path)

    for cut in range(len(last)):
        path.write_bytes(b"".join(whole) + last[:cut])
        assert len(list(read_log(path))) == len(whole)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (lambda lines: [lines[0], lines[1].replace(b"build", b"built"), *lines[2:]], 2),
        (lambda lines: [*lines[:3], *lines[4:]], 4),
        (lambda lines: [*lines[:3], *lines[2:]], 4),
        (lambda lines: [*lines[:2], b"\n", *lines[2:]], 3),
        (lambda lines: lines[1:], 1),
        (lambda lines: [*lines, b"{}\n"], 14),
    ],
)
def test_a_broken_log_gives_what_comes_before_and_then_refuses(tmp_path: Path, damage: object, line: int) -> None:
    """The records before a bad line are given, then its number is named; nothing after it is given."""
    path = written(tmp_path, passed_run())
    assert callable(damage)
    path.write_bytes(b"".join(damage(lines_in(path))))
    given: list[Record] = []

    with pytest.raises(LogUnreadableError, match=f"line {line}: .*workflow-exec verify"):
        given.extend(read_log(path))

    assert len(given) == 0 or [record.seq for record in given] == list(range(line - 1))


def test_a_record_of_another_run_is_refused(tmp_path: Path) -> None:
    """A record that was chained into another run's log is not given."""
    path = written(tmp_path, [note(), note()])
    first, second = records_in(path)
    path.write_bytes(rechained([first, {**second, "run": "01980000-0000-7000-8000-000000000000"}]))

    with pytest.raises(LogUnreadableError, match="line 2: it belongs to another run"):
        list(read_log(path))


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    """A pipe, a folder and a missing file are refused; a pipe without a writer does not block the reader."""
    os.mkfifo(tmp_path / "pipe")

    for path, reason in (
        (tmp_path / "pipe", "no regular file"),
        (tmp_path, "no regular file"),
        (tmp_path / "x", "No such"),
    ):
        with pytest.raises(LogUnreadableError, match=reason):
            list(read_log(path))
