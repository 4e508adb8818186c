"""A run on a screen of any width: header, the tree of its steps, decisions, commands, failures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from pytest_workflow_exec.counted import counted, was
from pytest_workflow_exec.report import RunStory, StepStory

from ._text import escape, lines
from ._tree_table import tree_table
from ._view import RunView

_SECOND = len("2026-11-22T11:33:35")
_PLAIN_WIDTH = 80


def print_run(view: RunView, story: RunStory, *, log: Path, broken: str | None, torn_bytes: int) -> None:
    """Print a run; in plain text unless standard output is a terminal that wants more.

    Args:
        view: What is told of the run as a whole.
        story: What is told of its steps.
    """
    console = _console()
    drawn = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    if broken is not None:
        _line(console, f"BROKEN {escape(broken)}", "bold red")
    for text in _header(view, log, torn_bytes):
        _line(console, text)
    steps = [story.steps.get(name) or StepStory(id=name) for name in view.steps]
    with console.capture() as captured:
        console.print(tree_table(story, steps, cells=console.width, drawn=drawn))
    # A cell is filled up with spaces, the last one of a line, too.
    tree = "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())
    sys.stdout.write(f"\n{tree}\n" if drawn else tree)
    for text in _below(view):
        _line(console, text)


def _console() -> Console:
    plain = not sys.stdout.isatty() or bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"
    return Console(
        file=sys.stdout,
        force_terminal=not plain,
        no_color=plain,
        width=None if sys.stdout.isatty() else _PLAIN_WIDTH,
        highlight=False,
        markup=False,
        emoji=False,
    )


def _line(console: Console, text: str, style: str = "") -> None:
    # Soft wrap: a path or a hash that the console itself broke in two could not be copied.
    with console.capture() as captured:
        console.print(Text(text, style=style), soft_wrap=True)
    # Not by the console: where nobody reads any more, it would exit as if the log were broken.
    sys.stdout.write(captured.get())


def _header(view: RunView, log: Path, torn_bytes: int) -> Iterator[str]:
    yield f"run       {escape(view.run or 'unknown')}"
    yield f"workflow  {escape(view.workflow or 'unknown')}"
    yield f"started   {_moment(view.started)}{f' by {escape(view.starter)}' if view.starter else ''}"
    for number, began in enumerate(view.sessions[1:], start=2):
        yield f"resumed   {_moment(began)}, session {number}"
    yield f"result    {_result(view)}"
    yield f"evidence  {escape(str(log))}"
    if view.head is not None:
        yield f"head      {view.head.seq} {view.head.hash}"
    if view.recoveries:
        yield f"recovered {counted(view.recoveries, 'record')} that {was(view.recoveries)} not written whole; what follows went on without"
    if torn_bytes:
        yield f"torn      the last record was not written whole ({torn_bytes} bytes)"


def _result(view: RunView) -> str:
    if view.result is None:
        return "not finished: still running, or killed"
    return f"{escape(view.result)}, finished {_moment(view.finished)}"


def _below(view: RunView) -> Iterator[str]:
    yield from _outputs(view)
    for gate in view.gates:
        yield (
            f"gate      {escape(gate.step)}: {escape(gate.word)} by {escape(gate.approver or 'nobody')} "
            f"({escape(gate.channel)}, assurance {escape(gate.assurance)}), {_moment(gate.decided)}"
        )
        if gate.reason:
            yield f"          reason: {escape(gate.reason)}"
    if view.redo:
        yield f"redo      {escape(str(view.redo.get('step')))}: {escape(str(view.redo.get('reason')))}"
    for step in view.steps.values():
        if step.reasons:
            yield f"again     {escape(step.id)}: {escape('; '.join(step.reasons))}"
    yield f"commands  {len(view.commands)} run, {len(view.refused)} refused"
    for refusal in view.refused:
        argv = escape("[" + ", ".join(refusal["argv"]) + "]")
        yield f"refused   {escape(refusal['step'])}: {argv}: {escape(refusal['reason'])}"
    for note in view.notes:
        about = f" on {note.step}" if note.step else ""
        yield f"note      {_moment(note.written)} {escape(note.who + about)}:"
        yield from (f"          {line}" for line in lines(note.text))
    for step in view.steps.values():
        # What a blocked step waits for stands in the tree: said again a thousand times, it would hide why.
        if step.message and not (step.outcome == "blocked" and step.message.startswith("waits for ")):
            yield f"{escape(step.outcome):<9} {escape(step.id)}:"
            yield from (f"          {line}" for line in lines(step.message))


def _outputs(view: RunView) -> Iterator[str]:
    for name, value in view.outputs.items():
        yield f"output    {escape(name)} = {escape(json.dumps(value, ensure_ascii=False))}"


def _moment(stamp: str | None) -> str:
    return escape(stamp[:_SECOND].replace("T", " ") + " UTC") if stamp else "unknown"
