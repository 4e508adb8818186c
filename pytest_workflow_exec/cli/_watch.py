"""`workflow-exec watch`: a run as it goes on, from another terminal and from its log alone."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from pytest_workflow_exec.counted import counted
from pytest_workflow_exec.evidence import Record
from pytest_workflow_exec.report import NO_END, SATISFIED, RunStory, StepStory, Tail, spoken

from ._find import log_of
from ._text import escape, lines

_EVERY_S = 0.3
_PASSED, _NOT_PASSED = 0, 1
_BLOCKED = "blocked"
"""The outcome whose line says already all that there is to say."""
_DAY, _SECOND = len("2026-11-22"), len("2026-11-22T11:33:35")


def watch(arguments: argparse.Namespace) -> int:
    """Print what happens in a run until it has an end; return 0 if it passed, else 1.

    Raises:
        LogUnreadableError: There is no such run, or its log can't be read any more.
    """
    log = log_of(arguments.run)
    story, tail, screen = RunStory(), Tail(log), _Screen()
    with screen:
        while True:
            for record in tail.new():
                story.tell(record)
                for line in _lines(record, story):
                    screen.print(line)
            if story.finished is not None:
                return _PASSED if story.result == "passed" else _NOT_PASSED
            screen.status(_now(story))
            time.sleep(_EVERY_S)


class _Screen:
    """Lines; on a terminal that can, also one below them that says what goes on."""

    def __init__(self) -> None:
        wanted = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
        self._live: Live | None = None
        if wanted:
            console = Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
            self._live = Live(console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> None:
        if self._live is not None:
            self._live.start()

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def print(self, line: str) -> None:
        if self._live is None:
            sys.stdout.write(line + "\n")
            # Whoever reads it by a pipe is to see it now.
            sys.stdout.flush()
        else:
            self._live.console.print(Text(line), soft_wrap=True)

    def status(self, text: str) -> None:
        if self._live is not None:
            self._live.update(Spinner("line", Text(text, no_wrap=True, overflow="ellipsis")))


def _lines(record: Record, story: RunStory) -> Iterator[str]:
    at = f"{escape(record.ts[_DAY + 1 : _SECOND])} "
    step = story.steps.get(record.step or "")
    if record.type in ("run.started", "run.resumed"):
        began = "starts" if record.type == "run.started" else f"goes on, session {len(story.sessions)}"
        planned = sum(step.planned for step in story.steps.values())
        yield f"{at}workflow {escape(story.workflow or 'unknown')} {began}: {counted(planned, 'step')}, run {story.run}"
    elif record.type == "run.finished":
        yield f"{at}workflow {escape(story.workflow or 'unknown')}: {escape(story.result or 'unknown')}"
    elif step is not None:
        told = _of_step(record, step)
        if told:
            yield f"{at}{_place(story, step)} {escape(told)}"
        last = step.last
        if record.type == "step.finished" and last is not None and step.outcome not in {*SATISFIED, _BLOCKED}:
            yield from (f"{'':<{len(at)}}{line}" for line in lines(last.message) if line)


def _of_step(record: Record, step: StepStory) -> str:
    data = record.data
    if record.type == "step.started":
        return "starts" if (record.attempt or 1) == 1 else f"starts, attempt {record.attempt}"
    if record.type == "step.finished":
        took = data.get("duration_s")
        # A word in capitals, and whatever stands behind it as it is: it may be the name of a step.
        said = step.outcome.upper() + step.words.removeprefix(step.outcome)
        return f"{said} {spoken(took)}" if isinstance(took, (int, float)) and step.outcome != _BLOCKED else said
    if record.type == "gate.decided":
        broken = (data.get("channel"), data.get("decision")) == ("break-glass", "approved")
        return f"{'GLASS BROKEN' if broken else data.get('decision')} by {data.get('approver') or 'nobody'}"
    if record.type == "retry.waiting":
        waits = data.get("wait_s")
        return f"next attempt after {spoken(waits)}" if isinstance(waits, (int, float)) else "next attempt later"
    if record.type == "command.refused":
        return f"the policy refused {data.get('argv')}"
    return "waits for a decision" if record.type == "gate.requested" else ""


def _place(story: RunStory, step: StepStory) -> str:
    planned = [each.id for each in story.steps.values() if each.planned]
    where = f"[{planned.index(step.id) + 1}/{len(planned)}] " if step.id in planned else ""
    return where + escape(step.id)


def _now(story: RunStory) -> str:
    ended = sum(step.outcome in SATISFIED for step in story.steps.values())
    going = [step for step in story.steps.values() if step.outcome == NO_END]
    if not going:
        return f"{ended} of {counted(len(story.steps), 'step')} satisfied"
    asked = any(told.kind == "question" and told.ended is None for told in going[-1].happenings)
    return f"{_place(story, going[-1])}{' waits for a decision' if asked else ''}"
