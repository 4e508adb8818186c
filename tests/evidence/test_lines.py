"""A record's line in bytes."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pytest_workflow_exec.evidence import NO_HASH, BadLineError, read_seal, record_of

from ._logs import ALICE, lines_in, new_log, note, passed_run, rechained, records_in, sealed_line, started, written


def test_a_line_is_spelled_as_the_format_says(tmp_path: Path) -> None:
    """Keys stand in their order, compactly, as UTF-8, and the hash covers the line's own bytes before it."""
    log = new_log(tmp_path)

    record = log.append(note(text="grün"))

    line = log.path.read_bytes()
    value = json.loads(line)
    assert list(value) == [
        "v", "seq", "run", "ts", "mono_ns", "boot", "type", "step", "attempt", "actor", "data", "prev", "hash",
    ]  # fmt: skip
    assert line == sealed_line(value)
    assert "grün".encode() in line
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", value["ts"])
    assert re.fullmatch(r"[0-9a-f]{8}|unknown0", value["boot"])
    assert (value["v"], value["seq"], value["prev"]) == (1, 0, NO_HASH)
    assert value["run"] == log.path.parent.name
    assert (record.hash, record.ts, record.data) == (value["hash"], value["ts"], value["data"])


def test_each_record_names_the_hash_of_the_one_before(tmp_path: Path) -> None:
    """A log is what a second implementation of the format makes of the same records."""
    path = written(tmp_path, passed_run())

    assert path.read_bytes() == rechained(records_in(path))


def test_actor_step_and_attempt_stand_in_the_record(tmp_path: Path) -> None:
    """Who did what in which attempt of which step is read back as it was given."""
    path = written(tmp_path, passed_run())

    decision = record_of(lines_in(path)[7])

    assert (decision.type, decision.step, decision.attempt, decision.actor) == ("gate.decided", "approve", 1, ALICE)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda line: b"\xef\xbb\xbf" + line, "byte order mark"),
        (lambda line: line[:-1] + b"\r\n", "CR LF"),
        (lambda _: b"\n", "blank"),
        (lambda _: b" \t\n", "blank"),
        (lambda line: line.replace(b"release", b"rele\0se"), "NUL"),
        (lambda line: b" " + line, "form of a record"),
        (lambda line: line.replace(b'"seq":0', b'"seq": 0'), "form of a record"),
        (lambda line: line.replace(b"1.2.3", b"1.2.4"), "hash does not fit"),
        (lambda line: line.replace(b"{}", b"{ }"), "hash does not fit"),
        (lambda line: line.replace(b'{"v":1', b'{"v":2'), "unsupported version 2"),
        (lambda line: line[:-3] + b" " * 70_000 + b'"}\n', "longer than"),
    ],
)
def test_a_line_that_is_no_record_says_why(tmp_path: Path, change: object, reason: str) -> None:
    """Each way in which editors and transports change a line is named."""
    [line] = lines_in(written(tmp_path, [started()]))
    assert callable(change)
    changed = change(line)
    assert changed != line

    with pytest.raises(BadLineError, match=reason):
        read_seal(changed)


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (b'"inputs":{', b'"inputs":{"version":"0",', "a key twice"),
        (b'"attempt":null', b'"attempt":null,"attempt":null', "a key twice"),
        (b'"uid":1000', b'"uid":NaN', "holds NaN"),
        (b'"uid":1000', b'"uid":-Infinity', "holds -Infinity"),
        (b'"uid":1000', b'"uid":1e999', "too large"),
        (b'"uid":1000', b'"uid":' + b"[" * 20_000 + b"]" * 20_000, "nested too deeply"),
        (b'"uid":1000', b'"uid":' + b"9" * 5_000, "no JSON|ValueError"),
        (b'"uid":1000', b'"uid":', "no JSON"),
        (b"workshop", b"\xff\xfe", "not UTF-8"),
        (b"workshop", b"\xed\xa0\x80", "not UTF-8"),
        (b'"step":null', b'"step":7', "step is no str"),
        (b'"attempt":null', b'"attempt":true', "attempt is no int"),
        (b'"kind":"engine"', b'"kind":"god"', "actor"),
        (b'"kind":"engine",', b"", "actor"),
        (b'"attempt":null,', b'"attempt":null,"extra":0,', "keys"),
        (b'"step":null,"attempt":null', b'"attempt":null,"step":null', "keys"),
        (b'"data":{', b'"data":[],"more":{', "keys"),
    ],
)
def test_a_line_with_a_fitting_hash_must_still_be_strict_json(
    tmp_path: Path, old: bytes, new: bytes, reason: str
) -> None:
    """Whoever rewrites hash and all can't make a record that two readers understand differently."""
    import hashlib

    [line] = lines_in(written(tmp_path, [started()]))
    body = line[: -len(b',"hash":"') - 64 - 3].replace(old, new, 1)
    digest = hashlib.sha256(b"workflow-exec-evidence/1\n" + body).hexdigest().encode()
    forged = body + b',"hash":"' + digest + b'"}\n'
    assert read_seal(forged).seq == 0

    with pytest.raises(BadLineError, match=reason):
        record_of(forged)
