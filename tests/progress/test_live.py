"""What is shown of a step while it runs, without pytest: on pipes and pseudo-terminals of the test's own."""

from __future__ import annotations

import os
import pty
import select
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_workflow_exec.progress import Live, Screen
from pytest_workflow_exec.run import Batch

PATIENCE_S = 30.0


class Reader:
    """What arrives at the other end."""

    def __init__(self, fd: int) -> None:
        self.fd, self.text = fd, ""

    def until(self, wanted: str) -> None:
        """Return once a text has arrived."""
        while wanted not in self.text:
            ready, _, _ = select.select([self.fd], [], [], PATIENCE_S)
            assert ready, self.text
            self.text += os.read(self.fd, 4096).decode()

    def rest(self) -> str:
        """Return all that has arrived."""
        while select.select([self.fd], [], [], 0)[0]:
            self.text += os.read(self.fd, 4096).decode()
        return self.text


@contextmanager
def plain(*, shared: bool = False) -> Iterator[tuple[Live, Reader, list[str]]]:
    """Show on a pipe, with a beat that a test can wait for."""
    reading, writing = os.pipe()
    live, broken = Live(), list[str]()
    live.open(Screen(fd=writing, drawn=False, shared=shared, beat_s=0.01), broken_line=lambda: broken.append("broken"))
    try:
        yield live, Reader(reading), broken
    finally:
        live.close()
        os.close(reading)


def test_a_log_gets_whole_lines() -> None:
    """Without a terminal a line tells what runs and how far it is, without any control sequence."""
    with plain() as (live, reader, broken):
        live.begin("[1/2] build", column=16)
        batch = Batch(8, "hosts", tell=live.batch)
        batch.advance(3)
        with live.command(lambda: "last\tline \x1b[31m"):
            reader.until("last line")
        live.end()

    lines = reader.text.splitlines()
    assert broken
    assert lines[0] == ""
    assert all(line.startswith("  [1/2] build is still running, ") for line in lines[1:])
    assert ": hosts 3/8: last line" in reader.text
    assert "\x1b" not in reader.text


def test_nothing_is_said_between_what_the_steps_own_code_prints() -> None:
    """Where a step's code prints to the same place, it is told only while the engine is at work."""
    with plain(shared=True) as (live, reader, _):
        live.begin("[1/2] build", column=0)
        with live.held():
            reader.until("still running")
        said = reader.rest()
        # Longer than several beats and ticks.
        threading.Event().wait(0.7)

        assert reader.rest() == said


def test_a_batch_says_itself_where_the_code_prints() -> None:
    """There, each line of a batch is written by the code that counts, not in between."""
    with plain(shared=True) as (live, reader, _):
        live.begin("[1/2] build", column=0)
        batch = Batch(2, "hosts", tell=live.batch)
        threading.Event().wait(0.05)
        batch.advance()

        reader.until("  hosts 1/2\n")


def test_what_is_drawn_leaves_the_cursor_where_it_was_and_goes_away() -> None:
    """A drawn line is behind the cursor, and nothing is left of it when something else writes or the step ends."""
    main, other = pty.openpty()
    live = Live()
    live.open(Screen(fd=other, drawn=True, shared=False), broken_line=lambda: None)
    reader = Reader(main)
    try:
        live.begin("[1/2] build", column=16)
        reader.until("\x1b[?7h\x1b8")
        with live.hidden():
            hidden = reader.rest()
            threading.Event().wait(0.7)
            assert reader.rest() == hidden
        live.end()
        ended = reader.rest()
    finally:
        live.close()
        os.close(main)

    assert hidden.endswith("\x1b8\x1b[K")
    assert ended.endswith("\x1b[K")
    assert ended.count("\x1b7") == ended.count("\x1b8")
    assert "\n" not in ended


def test_a_reader_that_goes_away_ends_nothing_but_the_display() -> None:
    """Where nobody reads any more the run goes on."""
    reading, writing = os.pipe()
    live = Live()
    live.open(Screen(fd=writing, drawn=False, shared=False, beat_s=0.01), broken_line=lambda: None)
    os.close(reading)

    live.begin("[1/1] build", column=0)
    threading.Event().wait(0.5)
    live.end()
    live.close()


def test_without_a_screen_nothing_happens() -> None:
    """Everything may be called where nothing is shown, and no thread is started."""
    live = Live()
    before = threading.active_count()

    live.begin("[1/1] build", column=0)
    with live.command(lambda: "x"), live.held(), live.waiting("again") as tell:
        tell(1.0)
    with live.hidden(new_line=True):
        pass
    live.close()

    assert threading.active_count() == before


def test_no_thread_is_there_when_the_process_forks() -> None:
    """A fork finds one thread; Python warns of more."""
    with plain() as (live, _, _):
        live.begin("[1/1] build", column=0)
        assert "workflow progress" in {thread.name for thread in threading.enumerate()}

        pid = os.fork()
        if pid == 0:
            os._exit(0)
        _, status = os.waitpid(pid, 0)

        assert status == 0
        assert "workflow progress" not in {thread.name for thread in threading.enumerate()}


@pytest.mark.parametrize("count", [-1, -5])
def test_a_batch_only_goes_on(count: int) -> None:
    """A batch counts up to its total, and never back."""
    batch = Batch(2, "hosts", tell=lambda _: None)

    with pytest.raises(ValueError, match="only goes on"):
        batch.advance(count)
    batch.advance(5)

    assert batch.done == 2
