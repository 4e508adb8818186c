"""The short way of reading: it may take less than the long one, and never anything else."""

from __future__ import annotations

import copy
import itertools
import json
import random
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.digests import Json
from pytest_workflow_exec.evidence import BadLineError, record_of, seal_claims
from pytest_workflow_exec.verify import verify_log
from pytest_workflow_exec.verify._plain import plain_beginning
from pytest_workflow_exec.verify._shapes import Recognized, Shapes
from tests.evidence._logs import begun, ended, finished, note, rechained, records_in, sealed_line, started, written

from .test_story import _run

COMMAND: dict[str, Any] = {
    "argv": ["make", "-j4"], "exit": 0, "signal": None, "timed_out": False, "duration_s": 0.25, "stdout": "a\nb",
    "deep": {"one": {"two": 2}}, "none": [],
}  # fmt: skip


def _line(folder: Path, **data: Any) -> bytes:
    path = written(folder, [events.command_finished("build", attempt=1, facts={**COMMAND, **data})])
    return path.read_bytes()


def _known(shapes: Shapes, raw: bytes) -> Recognized | None:
    claims = seal_claims(raw)
    assert claims is not None
    start = plain_beginning(claims.run).match(raw)
    return None if start is None else shapes.recognize(raw, start)


@pytest.fixture
def shapes(tmp_path: Path) -> Shapes:
    """What was learned from one record of a command."""
    learned, raw = Shapes(), _line(tmp_path)
    learned.learn(record_of(raw), raw)
    return learned


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"exit": 1, "signal": 9, "duration_s": 1e-05, "timed_out": True},
        {"exit": None, "signal": "x", "duration_s": -3, "stdout": "", "argv": []},
        {"argv": ["a"] * 40, "none": ["b"], "deep": {"one": {"two": "three"}}},
        {"stdout": 'tab\t, "quotes", back\\slash, /, \b\f\r\n'},
        {"exit": 10**17},
    ],
)
def test_other_values_in_the_same_places_are_known(tmp_path: Path, shapes: Shapes, data: dict[str, Any]) -> None:
    """A line that differs in plain values alone is known, and tells what the parser would tell."""
    raw = _line(tmp_path, **data)

    known, read = _known(shapes, raw), record_of(raw)

    assert known is not None
    assert (known.type, known.step, known.attempt, known.run) == (read.type, read.step, read.attempt, read.run)
    assert known.data.get("argv") == read.data["argv"]
    assert [known.data.get(key) for key in ("kind", "digest", "outcome")] == [None, None, None]


@pytest.mark.parametrize(
    "data",
    [
        {"more": 1},
        {"exit": {"x": 1}},
        {"exit": [1]},
        {"argv": ["a\\b"]},
        {"argv": [1]},
        {"argv": "make"},
        {"deep": {"one": {"two": 2, "three": 3}}},
        {"deep": {"one": 1}},
        {"stdout": "é"},
        {"stdout": "\x7f"},
        {"stdout": "\x01"},
        {"stdout": "\u2028"},
        {"exit": 10**18},
        {"duration_s": 1e300},
        {"stdout": "x" * 9_000},
    ],
)
def test_anything_else_goes_the_long_way(tmp_path: Path, shapes: Shapes, data: dict[str, Any]) -> None:
    """Other keys, other nesting, stored texts and whatever is no printable ASCII are left to the parser."""
    raw = _line(tmp_path, **data)

    assert _known(shapes, raw) is None
    record_of(raw)


def test_a_value_that_nobody_kept_can_not_be_asked_for(tmp_path: Path, shapes: Shapes) -> None:
    """A part of the data that is not kept is no None: asking for it is a mistake of ours that must not go unnoticed."""
    known = _known(shapes, _line(tmp_path))

    assert known is not None
    with pytest.raises(KeyError):
        known.data.get("stdout")


EVIL = (
    b"\x00", b"\x1f", b"\x7f", b"\x80", b'"', b"\\", b"\\u0000", b"\\ud800", b"{", b"}", b"[", b"]", b",", b":", b" ",
    b"\t", b"\n", b"0", b"-", b"+", b".", b"e", b"E999", b"NaN", b"Infinity", b"null", b"true", b'"x":1,', b"00", b"1.",
)  # fmt: skip


def test_no_line_is_known_that_the_parser_refuses(tmp_path: Path, shapes: Shapes) -> None:
    """Whatever is put into a line, cut out of it or doubled in it: what is known by its shape is strict JSON."""
    raw, seen = _line(tmp_path), 0
    rng = random.Random(7)  # noqa: S311  # the same changes each time
    places = range(raw.index(b'"step"'), raw.index(b',"prev"') + 1)
    changes = list(itertools.product(places, EVIL))

    for place, evil in rng.sample(changes, 4_000):
        length = rng.choice((0, 0, 1, 2, 9))
        changed = raw[:place] + evil + raw[place + length :]
        known = _known(shapes, changed) if seal_claims(changed) is not None else None
        if known is not None:
            seen += 1
            read = record_of(changed)
            assert (known.step, known.attempt, known.data.get("argv")) == (read.step, read.attempt, read.data["argv"])

    assert seen > 100, "enough of the changes leave a line that is known"


def test_doubled_keys_are_never_known(tmp_path: Path, shapes: Shapes) -> None:
    """A key that stands twice, at any level, makes another shape; the parser refuses it."""
    for old, new in (
        (b'"exit":0', b'"exit":0,"exit":1'),
        (b'"two":2', b'"two":2,"two":3'),
        (b'"attempt":1', b'"attempt":1,"attempt":2'),
        (b'"data":{', b'"data":{},"data":{'),
        (b'"id":"', b'"id":"x","id":"'),
    ):
        changed = _line(tmp_path).replace(old, new, 1)
        assert _known(shapes, changed) is None
        with pytest.raises(BadLineError):
            record_of(changed)


def test_a_log_of_ever_new_shapes_is_only_slower(tmp_path: Path) -> None:
    """So many shapes are learned and no more: the verdict is the same, and no memory is filled."""
    shapes = Shapes()
    for number in range(100):
        raw = _line(tmp_path, **{f"key{number}": 1})
        shapes.learn(record_of(raw), raw)

    assert _known(shapes, _line(tmp_path, key15=2)) is not None
    assert _known(shapes, _line(tmp_path, key16=2)) is None


@pytest.mark.parametrize("kind", ["run.started", "gate.decided", "recovery", "redaction", "step.invalidated"])
def test_what_matters_most_is_always_read(tmp_path: Path, kind: str) -> None:
    """Records of the run, of gates and of what takes something back are never known by shape."""
    path = written(tmp_path, [note(a=1), note(a=2)])
    raw = sealed_line({**records_in(path)[0], "type": kind})
    shapes = Shapes()

    shapes.learn(record_of(raw), raw)

    assert _known(shapes, raw) is None


def test_the_engines_own_records_are_known(tmp_path: Path) -> None:
    """What a real run writes most of is known by its shape from the second record on: else all this is for nothing."""
    lines = _run(tmp_path).read_bytes().splitlines(keepends=True)
    shapes, known = Shapes(), []

    for raw in lines:
        if _known(shapes, raw) is not None:
            known.append(json.loads(raw)["type"])
        else:
            shapes.learn(record_of(raw), raw)

    assert known.count("command.started") == 4
    assert known.count("command.finished") == 4
    assert known.count("step.started") == 5
    assert known.count("step.finished") >= 4


def test_the_long_and_the_short_way_come_to_the_same_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each forged story is judged alike, word for word, whether its records are known by shape or parsed."""
    facts: list[dict[str, Json]] = [{"argv": ["make", str(number % 3)], "exit": 0} for number in range(12)]
    story = [started(["build"]), begun("build")]
    for each in facts:
        story += [events.command_started("build", attempt=1, facts=each)]
        story += [events.command_finished("build", attempt=1, facts=each)]
    records = records_in(written(tmp_path, [*story, ended("build"), finished()]))
    changes: list[dict[str, Any]] = [
        {"step": "x"}, {"attempt": 2}, {"ts": "2026-02-30T00:00:00.000000Z"}, {"mono_ns": 1}, {"boot": "0000000b"},
        {"ts": "2001-01-01T00:00:00.000000Z"}, {"data": {"argv": ["rm", "1"], "exit": 0}}, {"type": "note"},
        {"data": {"argv": ["make", "\u00e9"], "exit": 0}}, {"mono_ns": -1}, {"actor": {"kind": "x", "id": "y"}},
    ]  # fmt: skip
    verdicts: dict[bool, list[object]] = {True: [], False: []}
    path = tmp_path / "evidence.jsonl"

    for short in (True, False):
        if not short:
            monkeypatch.setattr(Shapes, "learn", lambda *_: None)
        for place, change in itertools.product(range(1, len(records) - 1, 3), changes):
            forged = copy.deepcopy(records)
            forged[place].update(change)
            path.write_bytes(rechained(forged))
            verdicts[short].append(verify_log(path))

    assert verdicts[True] == verdicts[False]
    assert len({str(verdict) for verdict in verdicts[True]}) > len(changes)
