"""The log and what follows from it stay one, also when an interrupt strikes between a write and the note of it."""

from __future__ import annotations

import linecache
import sys
from pathlib import Path
from types import FrameType

import pytest

from pytest_workflow_exec import events
from pytest_workflow_exec.errors import StepOrderError
from pytest_workflow_exec.evidence import EvidenceLog, create_run_directory, new_run_id, read_log
from pytest_workflow_exec.redaction import Redactor
from pytest_workflow_exec.run import Plan
from pytest_workflow_exec.run._journal import Journal

STARTED = events.step_started("one", attempt=1, kind="run", digest="d")


def opened(root: Path) -> Journal:
    """Return the journal of a new run with two steps."""
    run = new_run_id()
    return Journal(
        EvidenceLog.create(create_run_directory(root, run), run, redactor=Redactor({})), Plan(("one", "two"))
    )


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
