"""What is shown of several steps at once, without pytest: on pipes and pseudo-terminals of the test's own."""

from __future__ import annotations

import os
import pty
import threading

from pytest_workflow_exec.progress import Screen, Several
from pytest_workflow_exec.progress._frame import Painter, cells_of

from .test_live import Reader


def test_a_log_gets_a_line_for_each_step() -> None:
    """Each step that goes on is told, whole lines without any control sequence; one that ended is not."""
    reading, writing = os.pipe()
    several, reader = Several(), Reader(reading)
    several.open(Screen(fd=writing, drawn=False, shared=False, beat_s=0.01), broken_line=lambda: None)
    try:
        several.enter("1", "[a 1/2] build")
        several.enter("2", "[b 1/2] test")
        reader.until("[a 1/2] build is still running, ")
        reader.until("[b 1/2] test is still running, ")
        several.leave("1")
        before = len(reader.rest())
        for _ in range(3):
            reader.text += "|"
            reader.until("|  [b 1/2] test")
    finally:
        several.close()
        os.close(reading)

    assert "[a 1/2]" not in reader.text[before:]
    assert "\x1b" not in reader.text


def test_what_is_drawn_is_gone_when_others_write_or_began_a_line() -> None:
    """Nothing is left of the line in between, and none is drawn behind what somebody else has begun."""
    main, other = pty.openpty()
    several, reader = Several(), Reader(main)
    several.open(Screen(fd=other, drawn=True, shared=False), broken_line=lambda: None)
    try:
        several.enter("1", "[a 1/2] build")
        reader.until("[a 1/2] build ")
        with several.hidden():
            hidden = reader.rest()
            several.stand(in_line=True)
        threading.Event().wait(0.7)
        assert reader.rest() == hidden
        several.stand(in_line=False)
        reader.until("\x1b[K\x1b7")
        several.leave("1")
        ended = reader.rest()
    finally:
        several.close()
        os.close(main)

    assert hidden.endswith("\x1b[K")
    assert ended.endswith("\x1b[K")
    assert "\n" not in ended


def test_many_steps_fit_a_window() -> None:
    """What is too long is cut, and an end without a screen starts nothing."""
    steps = [(f"[workflow-{number} 1/9] step", 61.0) for number in range(9)]
    before = threading.active_count()

    line = Painter(color=False, unicode=True).several(steps, cells=40)
    several = Several()
    several.enter("1", "x")
    several.leave("1")
    several.close()

    assert cells_of(line) <= 40
    assert "[workflow-0 1/9] step 1m 01s" in line
    assert threading.active_count() == before
