"""Every way to damage a log, and the word for it."""

from __future__ import annotations

import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import (
    begun,
    ended,
    finished,
    lines_in,
    note,
    passed_run,
    rechained,
    records_in,
    sealed_line,
    started,
    written,
)

Lines = list[bytes]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The log of a run that passed; its lines are numbered 1 to 13."""
    return written(tmp_path, passed_run())


def _verdict(path: Path, lines: Lines) -> Verdict:
    path.write_bytes(b"".join(lines))
    return verify_log(path)


def test_every_single_bit_flip_is_detected(tmp_path: Path) -> None:
    """No bit of a log can change without the verdict being broken, at the line that holds it."""
    happened = [started(["build"]), begun("build"), ended("build"), finished()]
    path = written(tmp_path, happened)
    head, content = records_in(path)[-1]["hash"], path.read_bytes()
    assert verify_log(path, expect_head=head).exit_code == 0
    line, wrong = 1, []

    with path.open("r+b", buffering=0) as file:
        for position, byte in enumerate(content):
            for bit in range(8):
                os.pwrite(file.fileno(), bytes([byte ^ 1 << bit]), position)
                verdict = verify_log(path, expect_head=head)
                if (verdict.exit_code, verdict.kind, verdict.line, verdict.seq) != (1, "edited", line, line - 1):
                    wrong.append((position, bit, verdict))
            os.pwrite(file.fileno(), bytes([byte]), position)
            line += byte == ord("\n")

    assert wrong == []


def test_a_dropped_line_is_a_gap(path: Path) -> None:
    """Each line but the last leaves a gap, named at the line that follows, in the full reading and in bytes alone."""
    lines = lines_in(path)

    for dropped in range(len(lines) - 1):
        verdict = _verdict(path, lines[:dropped] + lines[dropped + 1 :])
        place = (verdict.exit_code, verdict.kind, verdict.line, verdict.byte, verdict.seq)
        assert place == (1, "gap", dropped + 1, len(b"".join(lines[:dropped])), dropped + 1)
        assert verify_log(path, chain_only=True).kind == "gap"


def test_a_doubled_line_is_a_duplicate(path: Path) -> None:
    """Each line written twice is called a duplicate, right behind itself or at the end of the log."""
    lines = lines_in(path)

    for doubled in range(len(lines)):
        behind = _verdict(path, [*lines[: doubled + 1], *lines[doubled:]])
        at_end = _verdict(path, [*lines, lines[doubled]])
        assert (behind.kind, behind.line, behind.seq) == ("duplicate", doubled + 2, doubled)
        assert (at_end.kind, at_end.line) == ("duplicate", len(lines) + 1)


def test_two_swapped_lines_are_reordered_and_not_missing(path: Path) -> None:
    """Any two lines that change places are called reordered, never a deletion."""
    lines = lines_in(path)

    for first in range(len(lines)):
        for second in range(first + 1, len(lines)):
            swapped = list(lines)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            verdict = _verdict(path, swapped)
            assert (verdict.exit_code, verdict.kind, verdict.line) == (1, "reordered", first + 1)


def test_every_truncation_is_seen_or_bounded(path: Path) -> None:
    """A log cut at any byte is never verified: torn inside a record, bounded between two, broken if a head is known."""
    content, head = path.read_bytes(), records_in(path)[-1]["hash"]

    for size in reversed(range(len(content))):
        os.truncate(path, size)
        verdict = verify_log(path)
        between = size == 0 or content[size - 1 : size] == b"\n"
        assert (verdict.exit_code, verdict.word) == ((3, "bounded") if between else (5, "torn tail"))
        assert verdict.records == content[:size].count(b"\n")
        anchored = verify_log(path, expect_head=head)
        assert (anchored.exit_code, anchored.kind) == (1, "replaced or cut")
        assert "does not contain the expected head" in anchored.message


def test_a_second_writer_makes_a_fork(path: Path) -> None:
    """Two records with the same predecessor are called a fork, with the line of the other one."""
    lines, records = lines_in(path), records_in(path)
    other = sealed_line({**records[4], "ts": "2026-01-01T00:00:00.000000Z"})

    behind, at_end = _verdict(path, [*lines[:5], other, *lines[5:]]), _verdict(path, [*lines, other])

    assert (behind.kind, behind.line, behind.seq) == ("fork", 6, 4)
    assert "line 5" in behind.message
    assert (at_end.kind, at_end.line) == ("fork", 14)


def test_two_logs_in_one_file_are_a_fork(path: Path, tmp_path: Path) -> None:
    """A second log behind the first begins where the first began."""
    other = written(tmp_path, passed_run())

    verdict = _verdict(path, lines_in(path) + lines_in(other))

    assert (verdict.exit_code, verdict.kind, verdict.line) == (1, "fork", 14)


def test_a_rewritten_record_is_replaced(path: Path) -> None:
    """A record whose own hash was made to fit is noticed at the next one, which names another predecessor."""
    lines, records = lines_in(path), records_in(path)
    records[3]["data"]["exit"] = 1

    verdict = _verdict(path, [*lines[:3], sealed_line(records[3]), *lines[4:]])

    assert (verdict.exit_code, verdict.kind, verdict.line, verdict.seq) == (1, "replaced", 5, 4)


def test_a_wholly_rewritten_log_is_only_shown_by_a_head(path: Path) -> None:
    """Whoever rewrites every hash gets "bounded", never "verified"; a head from outside shows it."""
    head, records = records_in(path)[-1]["hash"], records_in(path)
    for record in records[2:4]:
        record["data"]["argv"] = ["rm"]
    path.write_bytes(rechained(records))

    assert verify_log(path).word == "bounded"
    assert verify_log(path, expect_head=head).kind == "replaced or cut"


def test_a_log_in_the_folder_of_another_run_is_replaced(path: Path, tmp_path: Path) -> None:
    """A whole log that was put in the place of another run's is not taken for it; elsewhere it may lie where it will."""
    other = written(tmp_path, passed_run())
    path.write_bytes(other.read_bytes())
    (tmp_path / "copy").mkdir()
    copy = other.rename(tmp_path / "copy" / "evidence.jsonl")

    for verdict in (verify_log(path), verify_log(path, chain_only=True)):
        assert (verdict.exit_code, verdict.kind, verdict.line) == (1, "replaced", 1)
        assert f"of run {other.parent.name}" in verdict.message
    assert verify_log(copy).exit_code == 3


@pytest.mark.parametrize("seq", [0, 4, 6, 999])
def test_a_wrong_number_in_an_intact_chain_is_edited(path: Path, seq: int) -> None:
    """The hashes may fit: a record must also say its own place."""
    lines, records = lines_in(path), records_in(path)

    verdict = _verdict(path, [*lines[:5], sealed_line({**records[5], "seq": seq})])

    assert (verdict.exit_code, verdict.kind, verdict.line, verdict.seq) == (1, "edited", 6, seq)


@pytest.mark.parametrize(
    ("damage", "line", "reason"),
    [
        (lambda lines: [b"\xef\xbb\xbf" + lines[0], *lines[1:]], 1, "byte order mark"),
        (lambda lines: [line[:-1] + b"\r\n" for line in lines], 1, "CR LF"),
        (lambda lines: [*lines[:4], lines[4][:-1] + b"\r\n", *lines[5:]], 5, "CR LF"),
        (lambda lines: [b"\n", *lines], 1, "blank"),
        (lambda lines: [*lines, b"\n"], 14, "blank"),
        (lambda lines: [*lines[:2], lines[2].replace(b"make", b"m\0ke"), *lines[3:]], 3, "NUL"),
        (lambda lines: [*lines, b"\0" * 512 + b"\n"], 14, "NUL"),
        (lambda lines: [*lines, b"{}\n"], 14, "form of a record"),
        (lambda lines: [*lines, b"x" * 100_000], 14, "longer than"),
        (lambda lines: [*lines[:-1], lines[-1][:-1] + b" "], 13, "newline"),
        (lambda lines: [*lines[:3], lines[3][:-1], *lines[4:]], 4, "hash does not fit"),
    ],
)
def test_what_editors_and_transports_do_is_named(
    path: Path, damage: Callable[[Lines], Lines], line: int, reason: str
) -> None:
    """Marks, line ends, blank lines, NUL bytes and foreign lines are "edited", with the line and a reason."""
    verdict = _verdict(path, damage(lines_in(path)))

    assert (verdict.exit_code, verdict.kind, verdict.line) == (1, "edited", line)
    assert reason in verdict.message


def test_bytes_behind_the_end_without_a_newline_are_a_torn_tail(path: Path) -> None:
    """A start of a record behind intact ones is what a killed writer leaves; how much of it there is, is said."""
    verdict = _verdict(path, [*lines_in(path), b'{"v":1,"seq":13,"ru'])

    assert (verdict.exit_code, verdict.word, verdict.torn_bytes, verdict.records) == (5, "torn tail", 19, 13)


def test_a_log_of_a_newer_version_is_unsupported_and_not_broken(path: Path) -> None:
    """A whole log of another version can't be read; the verdict says which version it is."""
    verdict = _verdict(path, [line.replace(b'{"v":1', b'{"v":2') for line in lines_in(path)])
    alone = _verdict(path, [sealed_line({**records_in(path)[0], "v": 2})])

    for found in (verdict, alone):
        assert (found.exit_code, found.word) == (2, "unreadable")
        assert "unsupported version 2" in found.message


def test_a_single_line_that_claims_another_version_was_edited(path: Path) -> None:
    """A line whose hash only fits as version 1 was changed, first or not."""
    lines = lines_in(path)

    for number in (0, 5, 10):
        changed = [*lines[:number], lines[number].replace(b'{"v":1', b'{"v":3'), *lines[number + 1 :]]
        verdict = _verdict(path, changed)
        assert (verdict.exit_code, verdict.kind, verdict.line) == (1, "edited", number + 1)


@pytest.mark.parametrize(
    "content", [b"hello\n", b"hello", b"\x7fELF" * 1000, b'{"a": 1}\n', b"\n\n\n", "{}".encode("utf-16")]
)
def test_a_file_that_is_no_evidence_is_unreadable(tmp_path: Path, content: bytes) -> None:
    """Other files are not called broken: they never were evidence."""
    (tmp_path / "evidence.jsonl").write_bytes(content)

    verdict = verify_log(tmp_path / "evidence.jsonl")

    assert (verdict.exit_code, verdict.word) == (2, "unreadable")
    assert "is no evidence" in verdict.message


def test_what_cannot_be_opened_is_unreadable(tmp_path: Path) -> None:
    """Missing files, folders and pipes are unreadable; a pipe does not keep the verifier waiting."""
    os.mkfifo(tmp_path / "pipe")

    for path in (tmp_path / "missing", tmp_path, tmp_path / "pipe"):
        verdict = verify_log(path)
        assert (verdict.exit_code, verdict.word, verdict.records) == (2, "unreadable", 0)


def test_memory_does_not_grow_with_the_log(tmp_path: Path) -> None:
    """Verifying a long log takes a small part of its size in memory, broken at its end or not."""
    path = written(tmp_path, [started(["build"]), note(text="x" * 400)])
    first, second = records_in(path)
    content = rechained([first, *[second] * 6_000])
    assert len(content) > 4_000_000

    for end in (b"", b"broken\n"):
        path.write_bytes(content + end)
        tracemalloc.start()
        verdict = verify_log(path)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert verdict.exit_code == (1 if end else 3)
        assert verdict.records == 6_001
        assert peak < 1_000_000
