"""Logs that a writer died in and another went on with: what is torn is excused by name, and by nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import finished, lines_in, note, passed_run, records_in, resumed, sealed_line, written

from .test_sessions import ALL_AGAIN


def _torn(folder: Path, happened: list[Event], cut: int = 40) -> Path:
    """Return a log whose last record lacks its last bytes."""
    path = written(folder, happened)
    os.truncate(path, path.stat().st_size - cut)
    return path


def _go_on(path: Path, happened: list[Event]) -> Path:
    with contextlib.closing(EvidenceLog.reopen(path.parent, path.parent.name, redactor=Redactor({}))) as log:
        for event in happened:
            log.append(event)
    return path


def _anchored(path: Path) -> Verdict:
    return verify_log(path, expect_head=json.loads(lines_in(path)[-1])["hash"])


@pytest.mark.parametrize("cut", [2, 40, 200])
def test_a_run_that_went_on_behind_a_torn_record_is_verified(tmp_path: Path, cut: int) -> None:
    """The torn bytes are no record; the run is what its records say, and the verdict tells of the recovery."""
    path = _go_on(_torn(tmp_path, passed_run()[:-1], cut), [resumed(), *ALL_AGAIN])

    verdict = _anchored(path)

    assert (verdict.exit_code, verdict.recoveries, verdict.torn_bytes) == (0, 1, 0), verdict
    assert verdict.records == 11 + 1 + 1 + len(ALL_AGAIN)
    assert verify_log(path, chain_only=True).word == "bounded"
    assert verify_log(path, chain_only=True).recoveries == 1


def test_several_recoveries_are_several(tmp_path: Path) -> None:
    """Each process may die in the middle of a record."""
    path = _go_on(_torn(tmp_path, passed_run()[:-1]), [resumed(), note(text="x" * 100)])
    os.truncate(path, path.stat().st_size - 30)
    path = _go_on(path, [resumed(session=3), *ALL_AGAIN])

    assert _anchored(path).recoveries == 2
    assert _anchored(path).exit_code == 0


def test_a_remark_that_was_torn_behind_the_end_breaks_nothing(tmp_path: Path) -> None:
    """A recovery may stand behind the end of a run; a head that was kept before does not cover it."""
    path = _torn(tmp_path, [*passed_run(), note(text="x")])
    head = records_in_whole(path)[-1]["hash"]
    assert verify_log(path, expect_head=head).exit_code == 5
    _go_on(path, [note(text="y")])

    assert _anchored(path).exit_code == 0
    assert verify_log(path, expect_head=head).exit_code == 3


def records_in_whole(path: Path) -> list[dict[str, str]]:
    """Return the records of a log that ends in a torn one."""
    return [json.loads(line) for line in lines_in(path) if line.endswith(b"\n")]


def test_a_run_that_died_in_its_first_record_never_began(tmp_path: Path) -> None:
    """A log of torn bytes and their recovery is intact and unfinished; only then a run may begin in it."""
    path = _go_on(_torn(tmp_path, passed_run()[:1]), [])
    assert (verify_log(path).exit_code, verify_log(path).records) == (3, 1)

    _go_on(path, passed_run())

    assert _anchored(path).exit_code == 0
    other = _go_on(_torn(tmp_path, passed_run()[:1]), [finished("failed")])
    assert _anchored(other).kind == "inconsistent"


def _recovered(folder: Path) -> Path:
    return _go_on(_torn(folder, passed_run()[:-1]), [resumed(), *ALL_AGAIN])


def _reseal(number: int, change: Callable[[dict[str, Any]], object]) -> Callable[[list[bytes]], list[bytes]]:
    def changed(lines: list[bytes]) -> list[bytes]:
        record = json.loads(lines[number])
        change(record["data"])
        return [*lines[:number], sealed_line(record)]

    return changed


TORN, TOLD = 11, 12
"""Where the torn bytes and the record of their recovery stand."""
FORGED = {
    "a bit of them flipped": lambda lines: [
        *lines[:TORN], lines[TORN][:9] + bytes([lines[TORN][9] ^ 1]) + lines[TORN][10:], *lines[TOLD:]
    ],
    "a byte of them gone": lambda lines: [*lines[:TORN], lines[TORN][:-3] + b"\n", *lines[TOLD:]],
    "a byte more": lambda lines: [*lines[:TORN], lines[TORN][:-1] + b"x\n", *lines[TOLD:]],
    "their newline doubled": lambda lines: [*lines[:TOLD], b"\n", *lines[TOLD:]],
    "they are gone": lambda lines: [*lines[:TORN], *lines[TOLD:]],
    "their recovery is gone": lambda lines: [*lines[:TOLD], *lines[TOLD + 1:]],
    "they stand twice": lambda lines: [*lines[:TOLD], lines[TORN], *lines[TOLD:]],
    "they stand behind it": lambda lines: [*lines[:TORN], lines[TOLD], lines[TORN]],
    "another place": _reseal(TOLD, lambda data: data.update(offset=data["offset"] + 1)),
    "another size": _reseal(TOLD, lambda data: data.update(bytes=data["bytes"] + 1)),
    "another digest": _reseal(TOLD, lambda data: data.update(sha256="0" * 64)),
    "no place": _reseal(TOLD, lambda data: data.pop("offset")),
    "a size that is none": _reseal(TOLD, lambda data: data.update(bytes=True)),
}  # fmt: skip


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_only_the_very_bytes_are_excused(tmp_path: Path, forge: Callable[[list[bytes]], list[bytes]]) -> None:
    """Other bytes, other places and other digests are broken, with the line, whatever hashes fit."""
    path = _recovered(tmp_path)
    path.write_bytes(b"".join(forge(lines_in(path))))

    for verdict in (verify_log(path), verify_log(path, chain_only=True)):
        assert (verdict.exit_code, verdict.word) == (1, "broken"), verdict
        assert verdict.line in {TORN + 1, TORN + 2, TORN + 3}


def test_a_whole_record_is_not_excused(tmp_path: Path) -> None:
    """A recovery that names a record which was whole takes nothing back: two records follow the same one."""
    path = written(tmp_path, passed_run()[:-1])
    lines = lines_in(path)
    last, offset = lines[-1], len(b"".join(lines[:-1]))
    record = json.loads(last)
    told = {"offset": offset, "bytes": len(last) - 1, "sha256": hashlib.sha256(last[:-1]).hexdigest(), "cause": "x"}
    forged = sealed_line({**record, "type": "recovery", "step": None, "attempt": None, "data": told})
    path.write_bytes(b"".join([*lines, forged]))

    assert (verify_log(path).exit_code, verify_log(path).kind) == (1, "fork")


@pytest.mark.parametrize("kept", [0, 1, 5, 40, 200, -2])
def test_a_recovery_that_was_cut_itself_is_a_torn_tail(tmp_path: Path, kept: int) -> None:
    """Whatever of a recovery was written when its writer died, the log ends torn, and goes on behind the next one."""
    path = _torn(tmp_path, passed_run()[:-1], 60)
    before = path.read_bytes()
    _go_on(path, [])
    recovery = path.read_bytes()[len(before) + 1 :]
    path.write_bytes(before + b"\n" + recovery[:kept])

    verdict = verify_log(path)
    assert (verdict.exit_code, verdict.word, verdict.records) == (5, "torn tail", 11)
    assert verdict.torn_bytes == path.stat().st_size - len(b"".join(lines_in(path)[:11])) - (kept == 0)

    assert _anchored(_go_on(path, [resumed(), *ALL_AGAIN])).exit_code == 0


def test_a_bad_line_at_the_end_is_edited_unless_it_can_have_been_cut(tmp_path: Path) -> None:
    """A record that was whole and lost a bit is edited, also where nothing stands behind it."""
    path = written(tmp_path, passed_run())
    lines = lines_in(path)

    for bad in (lines[-1].replace(b"passed", b"pazzed"), b"hello\n", b"\n", b"{}\n"):
        for tail in (b"", b'{"v":1'):
            path.write_bytes(b"".join([*lines[:-1], bad, tail]))
            assert (verify_log(path).exit_code, verify_log(path).kind, verify_log(path).line) == (1, "edited", 13)


def test_a_record_of_a_recovery_that_is_none_is_edited(tmp_path: Path) -> None:
    """A recovery where nothing was torn tells of bytes that are not there."""
    path = written(tmp_path, passed_run()[:-1])
    told = Event(type="recovery", data={"offset": path.stat().st_size, "bytes": 0, "sha256": "0" * 64, "cause": ""})
    path = written(tmp_path, [*passed_run()[:-1], told, finished()])

    verdict = _anchored(path)

    assert (verdict.exit_code, verdict.kind, verdict.line) == (1, "edited", 13)
    assert "not right before it" in verdict.message
    assert len(records_in(path)) == 14
