"""The file system fails at every single call of everything that writes evidence: none of it is lost, none is false.

By default a sample of the calls fails. `WORKFLOW_EXEC_FAULTS=whole pytest tests/faults` lets each of them fail in each
way; with `WORKFLOW_EXEC_FAULTS_TABLE=docs/faults.md`, too, it writes down what came of it.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pytest_workflow_exec.events import Event
from pytest_workflow_exec.evidence import EvidenceLog, Head, list_runs, read_ledgers, read_log
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.verify import verify_log

from ._operations import OPERATIONS, STEPS, Operation, acknowledged, log_in, project_at
from ._strace import CRASHED, FAULTS, REFUSED, Call, Done, calls_of, perform, usable

WHOLE = os.environ.get("WORKFLOW_EXEC_FAULTS") == "whole"
TABLE = os.environ.get("WORKFLOW_EXEC_FAULTS_TABLE")
SAMPLE = 4
"""How many calls of each operation fail in each way by default."""

_ATTEMPTS = 5
_WHY_NOT = usable()


@pytest.fixture(autouse=True)
def _possible() -> None:
    if _WHY_NOT is not None and WHOLE:
        pytest.fail(f"nothing was tried: {_WHY_NOT}")
    if _WHY_NOT is not None:
        pytest.skip(f"NO FAULT WAS TRIED: {_WHY_NOT}")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for projects, and the user's ledgers beside them."""
    folder = tmp_path_factory.mktemp("faults")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(folder / "workflow-exec-state"))
        yield folder


@pytest.fixture(scope="module")
def calls(place: Path) -> dict[str, list[Call]]:
    """The calls that each operation makes."""
    # Once here: what Python loads and keeps on the way would otherwise be among the calls of some processes only.
    _run_again(_made(place / "again"))
    for name, operation in OPERATIONS.items():
        operation.prepare(_made(place / f"{name}-here"))(lambda _head: None)
    return {name: calls_of(operation, place / f"{name}-whole") for name, operation in OPERATIONS.items()}


@pytest.fixture(scope="module")
def table() -> Iterator[dict[tuple[str, str], Counter[str]]]:
    """What came of each fault in each operation; written down at the end, if that was asked for."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    yield rows
    if TABLE is not None:
        _write_table(Path(TABLE), rows)


@pytest.mark.timeout(0 if WHOLE else 120)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_no_failing_call_loses_evidence_or_makes_it_false(
    place: Path, calls: dict[str, list[Call]], name: str, fault: str, table: dict[tuple[str, str], Counter[str]]
) -> None:
    """What was acknowledged is there, the verdict is never "broken", and the log, or a new run, goes on."""
    operation, count = OPERATIONS[name], len(calls[name])
    assert count > SAMPLE
    row = table[name, fault] = Counter()

    for position in range(count) if WHOLE else _sample(count, seed=list(FAULTS).index(fault)):
        root, done, call = _struck(name, place, calls, position, fault)
        _check_process(done, call, fault)
        row[_check_evidence(root, done, operation)] += 1
        row["calls"] += 1
        row["refused"] += done.status == REFUSED
        shutil.rmtree(root)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _sample(count: int, *, seed: int) -> list[int]:
    # Each fault strikes other calls, so that together they cover more of them.
    return [int((index + seed / len(FAULTS)) * count / SAMPLE) for index in range(SAMPLE)]


def _struck(name: str, place: Path, calls: dict[str, list[Call]], position: int, fault: str) -> tuple[Path, Done, Call]:
    for attempt in range(_ATTEMPTS):
        call = calls[name][position]
        root = place / f"{name}-{fault}-{position}-{attempt}"
        done = perform(OPERATIONS[name], root, fault=(call, fault))
        if fault == "kill" or any("workflow-exec" in line for line in _injected(done)):
            break
        # Python looked at other files of its own on the way, and so another call had that number.
        shutil.rmtree(root)
        calls[name] = calls_of(OPERATIONS[name], place / f"{name}-{fault}-whole-{position}-{attempt}")
    return root, done, call


def _injected(done: Done) -> list[str]:
    return [line for line in done.trace.splitlines() if "(INJECTED)" in line]


def _check_process(done: Done, call: Call, fault: str) -> None:
    assert done.status != CRASHED, f"{fault} at {call}:\n{done.error}"
    if fault == "kill":
        assert done.status == -9, f"{call} was not reached"
        return
    assert done.status in (0, REFUSED), f"{fault} at {call}: {done.status}\n{done.error}"
    [struck] = _injected(done)
    assert "workflow-exec" in struck, f"{fault} at {call} struck something else: {struck}"


def _check_evidence(root: Path, done: Done, operation: Operation) -> str:
    """Return the verdict on what is left, after making sure that it can be gone on with."""
    told, path = list(acknowledged(done.said)), log_in(root)
    assert read_ledgers(root).problems == ()
    list_runs(root)
    if path is None:
        assert not told
        _run_again(root)
        return "no log yet"
    verdict = verify_log(path)
    assert verdict.word in operation.verdicts, f"{verdict.word}: {verdict.message}"
    assert set(told) <= {record.head for record in read_log(path)}
    _go_on(path, told)
    _run_again(root)
    return verdict.word


def _go_on(path: Path, told: list[Head]) -> None:
    with closing(EvidenceLog.reopen(path.parent, path.parent.name, redactor=Redactor({}))) as log:
        if log.head.seq >= 0:
            log.append(Event(type="note", data={"text": "after the fault"}))
        log.barrier()
    records = list(read_log(path))
    assert [record.seq for record in records] == list(range(len(records)))
    assert set(told) <= {record.head for record in records}
    assert sum(record.type == "recovery" for record in records) <= 1
    verdict = verify_log(path)
    assert verdict.word == "bounded", f"{verdict.word}: {verdict.message}"


def _run_again(root: Path) -> None:
    run = project_at(root).open(STEPS)
    run.close(interrupted=True)
    assert list_runs(root)[0].problems == ()


_HEAD = """\
# Faults

Written by `WORKFLOW_EXEC_FAULTS=whole WORKFLOW_EXEC_FAULTS_TABLE=docs/faults.md pytest tests/faults`.

Each operation is done again and again. Each time, one of its calls on files of the evidence fails in one way: the
process is killed at it, or the call returns an error. Afterwards every record that was acknowledged is there, `verify`
never says that the log is broken, the log is continued by another process, and a new run can begin. The operations are
the start of a run; a step that leaves a long text; a gate, its decision and the first step behind it; the end of a run;
going on with a log whose last record was torn; a file of the log that is full, so that a step's start stands in the next
one; and going on with a log whose writer was killed between two files. Where a call's failure is not refused, nothing of
the evidence depends on it, or Python tried again: `EINTR` is tried again, and the user's copy of the ledger may fail.

| operation | fault | calls | refused in words | what verify says |
|---|---|---|---|---|
"""


def _write_table(path: Path, rows: dict[tuple[str, str], Counter[str]]) -> None:
    lines = []
    for (name, fault), row in rows.items():
        words = ", ".join(f"{count} {word}" for word, count in sorted(row.items()) if word not in ("calls", "refused"))
        lines.append(f"| {name} | {fault} | {row['calls']} | {row['refused']} | {words} |\n")
    total = sum(row["calls"] for row in rows.values())
    path.write_text(f"{_HEAD}{''.join(lines)}\n{total} faults in all.\n")
