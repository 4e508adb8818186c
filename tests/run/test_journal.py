"""The log and what follows from it stay one, also when an interrupt strikes between a write and the note of it."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from types import FrameType

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.errors import StepOrderError
from pytest_workflow_exec.evidence import (
    SEGMENT_BYTES,
    EvidenceLog,
    Record,
    create_run_directory,
    new_run_id,
    read_log,
    segments_of,
)
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import Plan
from pytest_workflow_exec.run._journal import Journal

STARTED = events.step_started("one", attempt=1, kind="run", digest="d")


def opened(root: Path, *, segment_bytes: int = SEGMENT_BYTES) -> Journal:
    """Return the journal of a new run with two steps."""
    run = new_run_id()
    directory = create_run_directory(root, run)
    log = EvidenceLog.create(directory, run, redactor=Redactor({}), segment_bytes=segment_bytes)
    return Journal(log, Plan(("one", "two")))


def struck(journal: Journal, event: events.Event, *, at: int) -> bool:
    """Record an event and raise KeyboardInterrupt before the line of that number that is run meanwhile."""
    left = at
    entered: set[tuple[FrameType, int]] = set()

    def count(frame: FrameType, kind: str, argument: object) -> object:
        nonlocal left
        if "pytest_workflow_exec" in frame.f_code.co_filename and kind == "line":
            line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
            if line.startswith("with ") and (frame, frame.f_lineno) in entered:
                # Leaving a block: the interpreter looks at no signal between the block's end and its exit.
                return count
            entered.add((frame, frame.f_lineno))
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return count

    before = sys.gettrace()
    sys.settrace(count)  # type: ignore[arg-type]  # a tracer may return itself
    try:
        journal.record(event)
    except KeyboardInterrupt:
        return True
    finally:
        # Whoever measures the tests goes on measuring.
        sys.settrace(before)
    return False


def test_every_line_may_be_the_one_that_an_interrupt_strikes(tmp_path: Path) -> None:
    """Wherever an interrupt strikes, the state is what the log says, and the step can neither start nor end twice."""
    at, was_struck = 0, True
    while was_struck:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        journal = opened(folder)

        was_struck = struck(journal, STARTED, at=at)

        written = len(list(read_log(journal.path)))
        assert (journal.state.running == "one") is (written == 1)
        if written:
            with pytest.raises(StepOrderError):
                journal.record(STARTED)
        else:
            journal.record(STARTED)
        assert [record.seq for record in read_log(journal.path)] == [0]
        journal.close()
    assert at > 50


def test_an_interrupt_while_a_file_of_the_log_ends_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Whether the file was ended, the next one made, or neither: the event counts if it was written, and the log is whole."""
    at, was_struck = 0, True
    while was_struck:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        journal = opened(folder, segment_bytes=1_024)
        journal.record(events.Event(type="note", data={"text": "x" * 600}))

        was_struck = struck(journal, STARTED, at=at)

        written = [record.type for record in read_log(journal.path)].count("step.started")
        assert (journal.state.running == "one") is (written == 1)
        if written:
            with pytest.raises(StepOrderError):
                journal.record(STARTED)
        else:
            journal.record(STARTED)
        assert [record.type for record in read_log(journal.path)] == ["note", "segment.sealed", "step.started"]
        assert len(segments_of(journal.path)) == 2
        journal.barrier()
        journal.close()
    assert at > 100


def test_the_listener_hears_of_the_ends_of_files(tmp_path: Path) -> None:
    """Whoever is told of each record is told of those that the log writes by itself, in their order."""
    heard: list[Record] = []
    run = new_run_id()
    directory = create_run_directory(tmp_path, run)
    log = EvidenceLog.create(directory, run, redactor=Redactor({}), segment_bytes=1_024)
    journal = Journal(log, Plan(("one", "two")), listener=heard.append)

    journal.record(events.Event(type="note", data={"text": "x" * 600}))
    journal.record(STARTED)
    journal.barrier()
    journal.close()

    assert heard == list(read_log(journal.path))
    assert [record.type for record in heard] == ["note", "segment.sealed", "step.started"]
