"""A log in several files is changed in every way that there is: none of them is ever taken for the log that was written."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import (
    EvidenceLog,
    create_run_directory,
    new_run_id,
    segment_path,
    segments_of,
)
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import note, passed_run, rechained, records_in, sealed_line, started

from .test_mutations import SAMPLE, sample

WHOLE = os.environ.get("WORKFLOW_EXEC_MUTATIONS") == "whole"
pytestmark = pytest.mark.timeout(3600 if WHOLE else 120)

NEAR_BYTES = 700
"""So far from a border between two files each bit is tried: the whole record that ends a file, and the start of the next."""


def written(root: Path, happened: Sequence[Event], *, segment_bytes: int) -> Path:
    """Return the log of a run in which that happened, in files of that size."""
    run = new_run_id()
    log = EvidenceLog.create(
        create_run_directory(root, run), run, redactor=Redactor({}), durability="process", segment_bytes=segment_bytes
    )
    with contextlib.closing(log):
        for event in happened:
            log.append(event)
    return log.path


Files = list[list[bytes]]
"""The lines of each file."""


class Log:
    """A log in several files that passed, and a place to try changes of it."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.files: Files = [part.read_bytes().splitlines(keepends=True) for part in segments_of(path)]
        self.head = json.loads(self.files[-1][-1])["hash"]
        self.path = folder / "evidence.jsonl"
        assert self.verdict(self.files).exit_code == 0

    def verdict(self, files: Sequence[Sequence[bytes] | None], *, anchored: bool = True) -> Verdict:
        """Return the verdict on changed files, by somebody who kept the head or not; None is a file that is not there."""
        for old in self.path.parent.iterdir():
            old.unlink()
        for number, lines in enumerate(files):
            if lines is not None:
                segment_path(self.path, number).write_bytes(b"".join(lines))
        return verify_log(self.path, expect_head=self.head if anchored else None)

    def changed(self, number: int, lines: Sequence[bytes] | None) -> list[Sequence[bytes] | None]:
        """Return the files with another one in place of one of them."""
        return [*self.files[:number], lines, *self.files[number + 1 :]]


@pytest.fixture(scope="module", params=[2, 3], ids=["two files", "three files"])
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """A log in two and one in three files."""
    root = tmp_path_factory.mktemp("project")
    path = written(root, passed_run(), segment_bytes={2: 5_500, 3: 4_000}[request.param])
    assert len(segments_of(path)) == request.param
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Log(path, Path(folder))


def test_an_intact_log_in_several_files_is_verified(log: Log) -> None:
    """By its head it is verified; without, or by the chain alone, it is bounded; how many files it has is said."""
    verdict = log.verdict(log.files)
    assert (verdict.exit_code, verdict.segments) == (0, len(log.files))
    assert verdict.records == sum(map(len, log.files))
    assert log.verdict(log.files, anchored=False).word == "bounded"
    assert verify_log(log.path, chain_only=True, expect_head=log.head).word == "bounded"


def test_no_bit_can_be_flipped(log: Log) -> None:
    """Flipped, the log is edited, in the file and at the line that holds it; near a border every bit is tried."""
    wrong = []
    for number, lines in enumerate(log.files):
        content = b"".join(lines)
        near = {
            bit
            for bit in range(8 * len(content))
            if (number and bit < 8 * 40) or (number + 1 < len(log.files) and bit >= 8 * (len(content) - NEAR_BYTES))
        }
        for bit in [*sample(sorted(near), 2 * SAMPLE), *sample(range(8 * len(content)), SAMPLE // 2)]:
            changed = bytearray(content)
            changed[bit // 8] ^= 1 << bit % 8
            line = content.count(b"\n", 0, bit // 8) + 1
            files = log.changed(number, [bytes(changed)])
            for anchored in (True, False):
                verdict = log.verdict(files, anchored=anchored)
                file = segment_path(log.path, number).name
                if (verdict.exit_code, verdict.kind, verdict.file, verdict.line) != (1, "edited", file, line):
                    wrong.append((number, bit, line, verdict))

    assert wrong == []


def test_lines_can_not_be_dropped_doubled_or_swapped_within_or_across_files(log: Log) -> None:
    """Each is broken, for every line and every two lines, wherever they stand; only a cut at the very end is a cut."""
    places = [(number, at) for number, lines in enumerate(log.files) for at in range(len(lines))]
    for number, at in places:
        dropped = log.verdict(_with(log.files, (number, at), ()), anchored=False)
        last = (number, at) == places[-1]
        assert dropped.exit_code == (3 if last else 1), (number, at, dropped)
        assert last or dropped.kind in {"gap", "reordered"}, (number, at, dropped)
        line = log.files[number][at]
        for other, before in [*places, places[-1]]:
            doubled = log.verdict(_with(log.files, (other, before), (log.files[other][before], line)), anchored=False)
            assert (doubled.exit_code, doubled.kind) in {(1, "duplicate"), (1, "reordered")}, (number, at, doubled)
    for first in places:
        for second in places[places.index(first) + 1 :]:
            one, two = log.files[first[0]][first[1]], log.files[second[0]][second[1]]
            swapped = log.verdict(_with(_with(log.files, first, (two,)), second, (one,)), anchored=False)
            assert (swapped.exit_code, swapped.kind) == (1, "reordered"), (first, second, swapped)


def _with(files: Files, place: tuple[int, int], lines: tuple[bytes, ...]) -> Files:
    number, at = place
    return [
        [*each[:at], *lines, *each[at + 1 :]] if index == number else list(each) for index, each in enumerate(files)
    ]


def test_no_line_can_be_moved_over_a_border(log: Log) -> None:
    """The bytes of all files in a row are the same: where one ends still counts."""
    for number in range(len(log.files) - 1):
        here, there = log.files[number], log.files[number + 1]
        for count in range(1, len(there) + 1):
            files = [*log.files[:number], here + there[:count], there[count:], *log.files[number + 2 :]]
            verdict = log.verdict(files, anchored=False)
            assert (verdict.exit_code, verdict.kind) == (1, "reordered"), (number, count, verdict)
        for count in range(1, len(here) + 1):
            files = [*log.files[:number], here[:-count], here[-count:] + there, *log.files[number + 2 :]]
            verdict = log.verdict(files, anchored=False)
            assert (verdict.exit_code, verdict.kind) == (1, "gap"), (number, count, verdict)
    assert log.verdict([[line for lines in log.files for line in lines]]).exit_code == 1


def test_every_cut_of_a_file_is_told(log: Log) -> None:
    """In the last file it is a cut like any other; before another file it is broken, whoever kept the head or not."""
    wrong = []
    for number, lines in enumerate(log.files):
        content, last = b"".join(lines), number == len(log.files) - 1
        for size in sample(range(len(content)), SAMPLE // 2):
            files = log.changed(number, [content[:size]])
            verdict, alone = log.verdict(files), log.verdict(files, anchored=False)
            expected = {"bounded", "torn tail"} if last else {"broken"}
            if verdict.exit_code != 1 or alone.word not in expected:
                wrong.append((number, size, verdict, alone))
            if not last and (alone.kind != "gap" or alone.file != segment_path(log.path, number).name):
                wrong.append((number, size, verdict, alone))

    assert wrong == []


def _dropped(log: Log) -> Iterator[tuple[str, list[Any]]]:
    count = len(log.files)
    for number in range(count):
        yield f"{number} dropped", log.changed(number, None)
        yield f"{number} emptied", log.changed(number, [])
        yield f"{number} moved to the end", [*log.changed(number, None), log.files[number]]
        yield f"{number} doubled", [*log.files[: number + 1], *log.files[number:]]
        yield f"{number} doubled at the end", [*log.files, log.files[number]]
        for other in range(number + 1, count):
            files: list[Any] = list(log.files)
            files[number], files[other] = files[other], files[number]
            yield f"{number} and {other} swapped", files
    yield "an empty one too many", [*log.files, []]
    yield "one far behind", [*log.files, None, None, [b"x\n"]]


def test_no_file_can_be_dropped_doubled_swapped_renamed_or_added(log: Log) -> None:
    """Only the loss of all files behind an end is a cut: bounded for whoever kept no head. Nothing is ever verified."""
    last = len(log.files) - 1
    cuts = {f"{last} dropped", f"{last} emptied"}
    for name, files in _dropped(log):
        real, alone = log.verdict(files), log.verdict(files, anchored=False)
        assert real.exit_code == (2 if name == "0 dropped" or name.startswith("0 moved") else 1), (name, real)
        assert alone.exit_code == (3 if name in cuts else real.exit_code), (name, alone)


def test_an_end_with_nothing_behind_it_is_bounded_and_names_the_next_file(tmp_path: Path) -> None:
    """Whoever ended a file had more to say; also a head or a seal before it does not make the rest known."""
    path = written(tmp_path, [*passed_run(), note(text="x" * 3_000)], segment_bytes=9_000)
    first, second = segments_of(path)
    records = records_in(first)
    assert [record["type"] for record in records[-2:]] == ["run.finished", "segment.sealed"]
    assert verify_log(path, expect_head=records[-2]["hash"]).exit_code == 0
    lost = second.read_bytes()

    for left in (b"", None):
        second.write_bytes(b"") if left is not None else second.unlink()
        verdict = verify_log(path, expect_head=records[-2]["hash"])
        assert (verdict.exit_code, verdict.word) == (3, "bounded")
        assert "goes on in evidence.0001.jsonl, where no record is" in verdict.message
    second.write_bytes(lost[:100])
    assert verify_log(path, expect_head=records[-2]["hash"]).exit_code == 5


def test_a_log_that_was_minted_again_must_end_its_files_as_the_engine_does(log: Log) -> None:
    """Hashes that fit are not enough: what ends a file says what is so, ends it, and stands nowhere else."""
    count = [len(lines) for lines in log.files]
    records = [json.loads(line) for lines in log.files for line in lines]
    end = count[0] - 1

    def verdict(forged: list[dict[str, Any]], first: int) -> Verdict:
        lines = rechained(forged).splitlines(keepends=True)
        honest, log.head = log.head, json.loads(lines[-1])["hash"]
        rest = [first, *(first + sum(count[1 : at + 1]) for at in range(1, len(count) - 1)), len(lines)]
        files = [lines[:first], *(lines[a:b] for a, b in itertools.pairwise(rest))]
        try:
            return log.verdict(files)
        finally:
            log.head = honest

    assert verdict(records, count[0]).exit_code == 0, "nothing contradicts whoever forges all of it"
    for data in ({"segment": 1}, {"segment": True}, {"records": count[0] - 1}, {"next": "x"}, {"more": None}):
        told = {**records[end], "data": {**records[end]["data"], **data}}
        forged = verdict([*records[:end], told, *records[end + 1 :]], count[0])
        assert (forged.exit_code, forged.kind) == (1, "inconsistent"), (data, forged)
    for key in ("step", "attempt"):
        told = {**records[end], key: "build" if key == "step" else 1}
        assert verdict([*records[:end], told, *records[end + 1 :]], count[0]).exit_code == 1
    assert verdict([*records[:end], *records[end + 1 :]], count[0] - 1).kind == "gap"
    early = [*records[:2], {**records[end], "data": {**records[end]["data"], "records": 3}}, *records[2:]]
    assert verdict(early, count[0] + 1).kind == "reordered"


def test_what_is_behind_the_end_of_a_file_is_broken(log: Log) -> None:
    """Bytes that no writer puts there are no torn record."""
    for more in (b'{"v":1,"seq":', b"\n", b"x\n", b"\0"):
        verdict = log.verdict(log.changed(0, [*log.files[0], more]), anchored=False)
        assert (verdict.exit_code, verdict.kind, verdict.file) == (1, "edited", "evidence.jsonl")
        assert verdict.line == len(log.files[0]) + 1


def test_a_place_is_in_its_file_and_the_message_names_it(log: Log) -> None:
    """Lines and bytes count anew in each file; a first file needs no name in the message."""
    number = len(log.files) - 1
    lines = list(log.files[number])
    lines[1] = sealed_line({**json.loads(lines[1]), "ts": "2026-01-01T00:00:00.000000Z"})

    verdict = log.verdict(log.changed(number, lines), anchored=False)

    seq = sum(len(each) for each in log.files[:number]) + 2
    assert (verdict.kind, verdict.file, verdict.line, verdict.seq) == (
        "replaced", f"evidence.{number:04}.jsonl", 3, seq,
    )  # fmt: skip
    assert verdict.byte == len(lines[0]) + len(lines[1])
    assert f"evidence.{number:04}.jsonl, line 3 (byte {verdict.byte}, seq {seq})" in verdict.message


def test_twins_in_other_files_are_named_with_their_file(log: Log) -> None:
    """A line that repeats one of an earlier file says of which."""
    verdict = log.verdict(log.changed(1, [log.files[0][2], *log.files[1]]), anchored=False)

    assert (verdict.kind, verdict.file, verdict.line) == ("duplicate", "evidence.0001.jsonl", 1)
    assert "it repeats line 3 of evidence.jsonl" in verdict.message


def test_a_file_that_can_not_be_read_is_unreadable(log: Log) -> None:
    """A link that leads nowhere, a folder or a pipe in place of a file is none; a pipe keeps nobody waiting."""
    for make in (lambda path: path.symlink_to("nowhere"), Path.mkdir, os.mkfifo):
        log.verdict(log.files)
        second = segment_path(log.path, 1)
        second.unlink()
        make(second)
        try:
            assert verify_log(log.path, expect_head=log.head).exit_code == 2
        finally:
            shutil.rmtree(second) if second.is_dir() else second.unlink()


@pytest.mark.parametrize("act", [lambda text: text.replace(b"passed", b"failed"), lambda text: text + b"more"])
def test_a_copy_under_another_name_is_verified_with_its_files(log: Log, act: Callable[[bytes], bytes]) -> None:
    """The files of a copy are those beside it of its own name."""
    log.verdict(log.files)
    folder = log.path.parent / "copy"
    folder.mkdir()
    try:
        for number in range(len(log.files)):
            shutil.copy(segment_path(log.path, number), segment_path(folder / "kept.jsonl", number))
        assert verify_log(folder / "kept.jsonl", expect_head=log.head).exit_code == 0
        (folder / "evidence.0005.jsonl").touch()
        assert verify_log(folder / "kept.jsonl", expect_head=log.head).exit_code == 0
        last = segment_path(folder / "kept.jsonl", len(log.files) - 1)
        last.write_bytes(act(last.read_bytes()))
        assert verify_log(folder / "kept.jsonl", expect_head=log.head).exit_code in {1, 5}
    finally:
        shutil.rmtree(folder)


def test_memory_does_not_grow_with_the_files(tmp_path: Path) -> None:
    """Verifying a long log in many files takes a small part of its size in memory."""
    happened = [started(["build"]), *[note(text="x" * 400)] * 6_000]
    path = written(tmp_path, happened, segment_bytes=40_000)
    assert len(segments_of(path)) > 100

    tracemalloc.start()
    verdict = verify_log(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert (verdict.exit_code, verdict.records) == (3, 6_001 + len(segments_of(path)) - 1)
    assert peak < 1_000_000
