"""A log is changed in every way that there is: none of them is ever taken for the log that was written.

Two logs are tried: one run as the engine wrote it, and one that was torn, recovered from and resumed. A part of the
changes is tried by default, evenly spread; `WORKFLOW_EXEC_MUTATIONS=whole` tries all.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog
from pytest_workflow_exec.model import Outcome
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.verify import Verdict, verify_log
from tests.evidence._logs import ended, lines_in, note, passed_run, rechained, records_in, resumed, written

from .test_story import _run

WHOLE = os.environ.get("WORKFLOW_EXEC_MUTATIONS") == "whole"
SAMPLE = 400
"""How many changes of one kind are tried by default."""

pytestmark = pytest.mark.timeout(3600 if WHOLE else 120)

Records = list[dict[str, Any]]


class Log:
    """A log that passed, and a place to try changes of it."""

    def __init__(self, path: Path, folder: Path) -> None:
        self.lines, self.content = lines_in(path), path.read_bytes()
        self.head = json.loads(self.lines[-1])["hash"]
        self._path = folder / "evidence.jsonl"
        assert self.verdict(self.content).exit_code == 0

    def verdict(self, content: bytes, *, anchored: bool = True) -> Verdict:
        """Return the verdict on changed bytes, by somebody who kept the head or by somebody who did not."""
        self._path.write_bytes(content)
        return verify_log(self._path, expect_head=self.head if anchored else None)


@pytest.fixture(scope="module", params=["straight", "resumed"])
def log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Log]:
    """The two logs."""
    root = tmp_path_factory.mktemp("project")
    path = _run(root) if request.param == "straight" else _resumed_run(root)
    # In memory if there is such a place: tens of thousands of files are written.
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Log(path, Path(folder))


def _resumed_run(root: Path) -> Path:
    path = written(root, [*passed_run()[:5], note(text="x" * 50)])
    os.truncate(path, path.stat().st_size - 30)
    with contextlib.closing(EvidenceLog.reopen(path.parent, path.parent.name, redactor=Redactor({}))) as evidence:
        for event in [resumed(), ended("build", Outcome.CARRIED), *passed_run()[5:]]:
            evidence.append(event)
    return path


def sample(changes: Iterable[Any], limit: int = SAMPLE) -> list[Any]:
    """Return all changes, or as many as are tried by default."""
    every = list(changes)
    step = 1 if WHOLE else max(len(every) // limit, 1)
    # A step that has no divisor in common with eight reaches each of a byte's bits.
    return every[:: step + (step + 1) % 2]


def test_no_bit_can_be_flipped(log: Log) -> None:
    """Every single bit counts: flipped, the log is edited, at the line that holds it, whoever kept its head or not."""
    wrong = []
    for bit in sample(range(8 * len(log.content))):
        changed = bytearray(log.content)
        changed[bit // 8] ^= 1 << bit % 8
        line = log.content.count(b"\n", 0, bit // 8) + 1
        # Torn bytes whose recovery was edited are excused no more: they come first.
        lines = {line, line - 1} if b'"type":"recovery"' in log.lines[line - 1] else {line}
        for anchored in (True, False):
            verdict = log.verdict(bytes(changed), anchored=anchored)
            if (verdict.exit_code, verdict.kind) != (1, "edited") or verdict.line not in lines:
                wrong.append((bit, line, verdict))

    assert wrong == []


@pytest.mark.parametrize(
    "change",
    {
        "gone": lambda content, place: content[:place] + content[place + 1 :],
        "doubled": lambda content, place: content[: place + 1] + content[place:],
        "newline": lambda content, place: content[:place] + b"\n" + content[place:],
        "nul": lambda content, place: content[:place] + b"\0" + content[place:],
        "cut out": lambda content, place: content[:place] + content[place + 200 :],
        "twice": lambda content, place: content[:place] + content,
    }.values(),
    ids=["gone", "doubled", "newline", "nul", "cut out", "twice"],
)
def test_no_bytes_can_be_taken_out_or_put_in(log: Log, change: Callable[[bytes, int], bytes]) -> None:
    """Whatever bytes are missing, doubled or new, the log is never verified, and broken for whoever kept its head."""
    wrong = []
    for place in sample(range(len(log.content)), SAMPLE // 4):
        changed = change(log.content, place)
        if changed == log.content:
            continue
        # A newline too many behind the end is the only change behind every record.
        verdict, alone = log.verdict(changed), log.verdict(changed, anchored=False)
        if verdict.exit_code != 1 or alone.exit_code not in {1, 3, 5}:
            wrong.append((place, verdict, alone))

    assert wrong == []


def test_every_cut_is_told_by_the_head_and_bounded_without(log: Log) -> None:
    """Cut anywhere, the log is replaced or cut for whoever kept its head; without it, it is bounded or torn."""
    wrong = []
    for size in sample(range(len(log.content))):
        verdict, alone = log.verdict(log.content[:size]), log.verdict(log.content[:size], anchored=False)
        if (verdict.exit_code, verdict.kind) != (1, "replaced or cut") or alone.word not in {"bounded", "torn tail"}:
            wrong.append((size, verdict, alone))

    assert wrong == []


def test_lines_can_not_be_dropped_doubled_or_swapped(log: Log) -> None:
    """Each is called by its name, for every line and every two lines; a line dropped at the end is a cut."""
    lines, last, words = log.lines, len(log.lines) - 1, Counter[str]()
    for first in range(len(lines)):
        dropped = log.verdict(b"".join(lines[:first] + lines[first + 1 :]))
        assert (dropped.exit_code, dropped.kind in {"gap", "edited"}) == (1, True) or first == last
        assert first != last or dropped.kind == "replaced or cut"
        for place in range(first + 1, len(lines) + 1):
            doubled = log.verdict(b"".join([*lines[:place], lines[first], *lines[place:]]))
            words[f"doubled: {doubled.kind}"] += 1
            # The start of a record, put behind the last one, is what a writer leaves that dies.
            at_end = place == len(lines) and not _is_json(lines[first])
            assert doubled.exit_code == (5 if at_end else 1)
        for second in range(first + 1, len(lines)):
            swapped = list(lines)
            swapped[first], swapped[second] = swapped[second], swapped[first]
            verdict = log.verdict(b"".join(swapped))
            words[f"swapped: {verdict.kind}"] += 1
            assert verdict.exit_code == 1
    # Torn bytes among the lines are edited, wherever they are put: they have no place that could be named.
    assert set(words) <= {
        "doubled: duplicate", "doubled: edited", "doubled: None", "swapped: reordered", "swapped: edited",
    }  # fmt: skip


def test_two_logs_can_not_be_spliced(log: Log, tmp_path: Path) -> None:
    """The beginning of one run and the end of another are no run."""
    other = lines_in(written(tmp_path, passed_run()))

    for place in range(1, len(log.lines)):
        for begin in range(len(other)):
            assert log.verdict(b"".join(log.lines[:place] + other[begin:]), anchored=False).exit_code == 1


def _records(log: Log) -> Records:
    # Without torn bytes and their recovery: a forger leaves them out.
    return [
        record for line in log.lines if _is_json(line) and (record := json.loads(line))["type"] != "recovery"
    ]  # fmt: skip


def _is_json(line: bytes) -> bool:
    with contextlib.suppress(ValueError):
        return isinstance(json.loads(line), dict)
    return False


def _minted(log: Log, records: Records) -> tuple[Verdict, Verdict, Verdict]:
    """Return the verdicts on a forged log: by who kept the real head, by who kept none, by who believes the forger."""
    content = rechained(records)
    real, alone = log.verdict(content), log.verdict(content, anchored=False)
    honest, log.head = log.head, json.loads(content.splitlines()[-1])["hash"]
    try:
        return real, alone, log.verdict(content)
    finally:
        log.head = honest


def test_a_log_that_was_minted_again_is_only_bounded(log: Log) -> None:
    """Every hash fits and the story is possible: nothing but the real head tells that it is another one."""
    records = _records(log)
    for record in records:
        record["ts"] = "2026-01-01T00:00:00.000000Z"

    real, alone, believed = _minted(log, records)

    assert (real.exit_code, real.kind) == (1, "replaced or cut")
    assert (alone.exit_code, alone.word) == (3, "bounded")
    assert believed.exit_code == 0, "nothing in the log itself contradicts the forger"


def _stories(records: Records) -> Iterator[tuple[str, Records]]:
    """Give every story that differs from the real one by a record that is missing, doubled, moved or changed."""
    types = sorted({record["type"] for record in records})
    steps = sorted({record["step"] for record in records if record["step"]})
    for place, record in enumerate(records):
        what = f"{place} {record['type']} {record['step']}"
        yield f"without {what}", records[:place] + records[place + 1 :]
        for other in range(len(records)):
            yield f"{what} doubled at {other}", [*records[:other], record, *records[other:]]
            if other not in (place, place + 1):
                rest = records[:place] + records[place + 1 :]
                moved = [*rest[: other - (other > place)], record, *rest[other - (other > place) :]]
                yield f"{what} moved to {other}", moved
        for key, values in (("type", types), ("step", [None, *steps, "other"]), ("attempt", [None, 0, 1, 2, 3])):
            for value in values:
                if value != record[key]:
                    yield f"{what} with {key} {value}", _with(records, place, {key: value})
        for key, value in _changed_data(record["data"]):
            data = {**record["data"], key: value}
            yield f"{what} saying {key} {value}", _with(records, place, {"data": data})


def _with(records: Records, place: int, fields: dict[str, Any]) -> Records:
    return [*records[:place], {**copy.deepcopy(records[place]), **fields}, *records[place + 1 :]]


def _changed_data(data: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    words: dict[str, list[Any]] = {
        "outcome": [outcome.value for outcome in Outcome],
        "decision": ["approved", "rejected", "denied", "expired"],
        "digest": ["0" * 64],
        "plan_digest": ["0" * 64],
        "result": ["passed", "failed", "denied", "interrupted", "partial"],
        "used_by": ["other", None],
        "argv": [["other"]],
        "counts": [{}],
        "not_satisfied": [["other"]],
        "carried": [["other"]],
        "workflow": ["other"],
    }
    for key, values in words.items():
        yield from ((key, value) for value in values if key in data and data[key] != value)


def test_no_forged_story_that_contradicts_itself_is_believed(log: Log) -> None:
    """Records left out, doubled, moved or changed, with every hash right and their head vouched for: none is green."""
    records, believed, unbounded = _records(log), [], []
    for name, story in sample(_stories(records)):
        real, alone, vouched = _minted(log, story)
        if real.exit_code != 1 or alone.exit_code == 0:
            unbounded.append((name, real, alone))
        if vouched.exit_code == 0:
            believed.append(name)

    assert unbounded == []
    # What is carried might as well not apply: a plan does not tell which steps have a condition.
    assert [name for name in believed if not name.endswith("saying outcome not_applicable")] == []


def test_every_kind_of_record_is_in_the_logs_that_are_changed(log: Log) -> None:
    """What is not in these logs would not be tried at all."""
    kinds = {record["type"] for record in _records(log)}

    assert kinds >= {
        "run.started", "run.finished", "step.started", "step.finished", "command.started", "command.finished",
        "gate.requested", "gate.decided", "gate.used",
    }  # fmt: skip


def test_forged_events_are_events(tmp_path: Path) -> None:
    """The tools of this file damage what they say: a log that was only copied and minted again is the same."""
    path = written(tmp_path, passed_run())

    assert rechained(records_in(path)) == path.read_bytes()
    assert isinstance(passed_run()[0], Event)
