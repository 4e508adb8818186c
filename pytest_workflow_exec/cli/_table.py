"""A run on a screen of any width: header, steps, decisions, commands, failures."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ._text import duration, escape, lines
from ._view import NO_END, NOT_STARTED, RetryView, RunView, StepView

_STYLES = {
    "passed": "green", "carried": "green", "waived": "yellow", "not applicable": "dim", "failed": "bold red",
    "denied": "bold red", "blocked": "yellow", "interrupted": "yellow", "suspended": "yellow",
    NO_END: "bold yellow", NOT_STARTED: "dim",
}  # fmt: skip
_DAY = len("2026-11-22")
_SECOND = len("2026-11-22T11:33:35")
_PLAIN_WIDTH = 80


def print_run(view: RunView, *, log: Path, broken: str | None, torn_bytes: int) -> None:
    """Print a run; in plain text unless standard output is a terminal that wants more."""
    console = _console()
    if broken is not None:
        _line(console, f"BROKEN {escape(broken)}", "bold red")
    for text in _header(view, log, torn_bytes):
        _line(console, text)
    console.print(_steps(view, plain=not console.is_terminal))
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
    console.print(Text(text, style=style), soft_wrap=True)


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
        yield f"recovered {view.recoveries} records that were not written whole; what follows them went on without"
    if torn_bytes:
        yield f"torn      the last record was not written whole ({torn_bytes} bytes)"


def _result(view: RunView) -> str:
    if view.result is None:
        return "not finished: still running, or killed"
    return f"{escape(view.result)}, finished {_moment(view.finished)}"


def _steps(view: RunView, *, plain: bool) -> Table:
    table = Table(box=None if plain else SIMPLE_HEAD, pad_edge=False, header_style="" if plain else "bold")
    table.add_column("#", justify="right")
    table.add_column("step", overflow="fold")
    table.add_column("kind", overflow="fold")
    table.add_column("outcome", overflow="fold")
    table.add_column("time", justify="right", no_wrap=True)
    table.add_column("started", no_wrap=True)
    for number, step in enumerate(view.steps.values(), start=1):
        table.add_row(
            str(number),
            Text(escape(step.id)),
            Text(escape(step.kind)),
            Text(_outcome(step), style=_STYLES.get(step.outcome, "")),
            "" if step.duration_s is None else duration(step.duration_s),
            _clock(step.started, view.started),
        )
    return table


def _outcome(step: StepView) -> str:
    waits = f", waits for {escape(step.waits_for)}" if step.waits_for else ""
    failed = f" ({escape(step.error_class)})" if step.error_class else ""
    return escape(step.outcome) + failed + waits


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
    yield from map(_retried, view.retries)
    yield f"commands  {len(view.commands)} run, {len(view.refused)} refused"
    for refusal in view.refused:
        argv = escape("[" + ", ".join(refusal["argv"]) + "]")
        yield f"refused   {escape(refusal['step'])}: {argv}: {escape(refusal['reason'])}"
    for note in view.notes:
        about = f" on {note.step}" if note.step else ""
        yield f"note      {_moment(note.written)} {escape(note.who + about)}:"
        yield from (f"          {line}" for line in lines(note.text))
    for step in view.steps.values():
        if step.message:
            yield f"{escape(step.outcome):<9} {escape(step.id)}:"
            yield from (f"          {line}" for line in lines(step.message))


def _outputs(view: RunView) -> Iterator[str]:
    for name, value in view.outputs.items():
        yield f"output    {escape(name)} = {escape(json.dumps(value, ensure_ascii=False))}"


def _retried(tried: RetryView) -> str:
    failed = f"attempt {tried.attempt} failed ({escape(tried.error_class)})"
    return f"retried   {escape(tried.step)}: {failed}, the next one after {duration(tried.waited_s)}"


def _moment(stamp: str | None) -> str:
    return escape(stamp[:_SECOND].replace("T", " ") + " UTC") if stamp else "unknown"


def _clock(stamp: str | None, start: str | None) -> str:
    if stamp is None:
        return ""
    same_day = start is not None and stamp[:_DAY] == start[:_DAY]
    return escape(stamp[_DAY + 1 : _SECOND] if same_day else stamp[:_SECOND].replace("T", " "))
