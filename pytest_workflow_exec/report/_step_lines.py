"""All that a log tells of one step, in lines of text: nothing in them acts on a terminal."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping

from pytest_workflow_exec.approval import escape_line
from pytest_workflow_exec.digests import Json

from ._attempts import Attempt, Happening, StepStory
from ._story import RunStory, mapping
from ._words import clock, spoken

_COLUMN = 10
_LEFT_OUT = frozenset({"argv", "stdout", "stderr", "environment", "limits", "rusage"})
"""What a command's record says that is shown apart, or is for machines."""


def step_lines(story: RunStory, step: StepStory) -> Iterator[str]:
    """Give everything of a step: what it is, its attempts, and what happened in each of them."""
    yield _fact("step", step.id)
    if step.name not in ("", step.id):
        yield _fact("name", step.name)
    yield _fact("kind", step.kind or "unknown")
    yield _fact("outcome", step.words)
    digest = step.plan.get("digest")
    if isinstance(digest, str):
        yield _fact("digest", digest)
    if not step.planned:
        yield _fact("planned", "not in the plan of the last session")
    for reason in step.reasons:
        yield _fact("again", reason)
    for attempt in step.attempts:
        yield ""
        yield from attempt_lines(attempt, sessions=len(story.sessions))
    for note in step.notes:
        yield ""
        yield from happening_lines(note)


def attempt_lines(attempt: Attempt, *, sessions: int = 1) -> Iterator[str]:
    """Give everything of an attempt that has ended; of which session it is, if there were several."""
    session = f", session {attempt.session}" if sessions > 1 else ""
    began = f"started {clock(attempt.started)}" if attempt.started else "never started"
    took = "" if attempt.duration_s is None else f", took {spoken(attempt.duration_s)}"
    yield f"attempt {attempt.number or '?'}{session}: {_escape(attempt.outcome)}, {began}{took}"
    if attempt.error_class:
        yield _fact("class", attempt.error_class)
    yield from _text("why", attempt.message)
    for told in attempt.happenings:
        yield from happening_lines(told)
    yield from _values(attempt)


def _values(attempt: Attempt) -> Iterator[str]:
    printed = _printed(attempt)
    for name, value in mapping(attempt.data.get("outputs")).items():
        if printed.get(name) == value:
            # What a `run:` step leaves without `outputs:` stands above, as its command printed it.
            continue
        if isinstance(value, str) and "\n" in value:
            yield from _text(f"output    {_escape(name)}", value)
        else:
            yield _fact("output", f"{name} = {_spelled(value)}")
    for name, value in mapping(attempt.data.get("files")).items():
        yield _fact("file", f"{name} = {_spelled(value)}")


def _printed(attempt: Attempt) -> Mapping[str, Json]:
    commands = [told.ended for told in attempt.happenings if told.kind == "command" and told.ended is not None]
    if len(commands) != 1:
        return {}
    [ended] = commands
    texts = {stream: str(ended.get(stream) or "").removesuffix("\n") for stream in ("stdout", "stderr")}
    return {**texts, "exit": ended.get("exit")}


def happening_lines(told: Happening) -> Iterator[str]:
    """Give what happened in an attempt: a command with what it printed, a question with its answer, a refusal."""
    if told.kind == "command":
        yield from _command(told)
    elif told.kind == "note":
        yield _fact("note", f"{clock(told.at)} {told.who}")
        yield from _text("", str(told.begun.get("text")))
    else:
        yield _fact(_TITLES.get(told.kind, "record"), clock(told.at))
        yield from _facts(told.begun)
        if told.ended is not None:
            yield _fact("answer", f"{clock(told.until)} by {told.by}")
            yield from _facts(told.ended)
        if told.used_by is not None:
            yield _fact("used by", told.used_by)


def _command(told: Happening) -> Iterator[str]:
    ended = told.ended or {}
    argv = told.begun.get("argv", ended.get("argv"))
    yield _fact("command", shlex.join(map(str, argv)) if isinstance(argv, list) else _spelled(argv))
    if told.ended is None:
        yield _fact("", "no end: effect unknown")
    yield from _facts({key: value for key, value in {**told.begun, **ended}.items() if key not in _LEFT_OUT})
    for stream in ("stdout", "stderr"):
        yield from _text(stream, str(ended.get(stream) or ""))


def _facts(facts: Mapping[str, Json]) -> Iterator[str]:
    for key, value in facts.items():
        # An exit status of 0, and a time of 0, are worth telling; of anything else, nothing is nothing.
        if value or (value is not None and (key == "exit" or key.endswith("_s"))):
            yield f"{'':<{_COLUMN}}{_escape(_named(key, value))}"


def _named(key: str, value: Json) -> str:
    if key.endswith("_s") and isinstance(value, float):
        return f"{key[:-2].replace('_', ' ')}: {value:.3f} s"
    return f"{key.replace('_', ' ')}: {_spelled(value)}"


def _text(title: str, text: str) -> Iterator[str]:
    if text:
        if title:
            yield _fact(title, "").rstrip()
        yield from (f"{'':<{_COLUMN}}{line}" for line in _lines(text.removesuffix("\n")))


def _fact(title: str, value: str) -> str:
    return f"{title:<{_COLUMN}}{_escape(value)}"


def _escape(text: str) -> str:
    # Most lines are beyond doubt, and looking at each character of them takes long.
    return text if text.isascii() and text.isprintable() else escape_line(text)


def _lines(text: str) -> list[str]:
    return [_escape(line) for line in text.replace("\r\n", "\n").split("\n")]


def _spelled(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


_TITLES = {
    "refusal": "refused",
    "question": "question",
    "exchange": "model",
    "tool": "tool",
    "turn": "turn",
    "attested": "by hand",
    "retry": "retry",
    "undone": "again",
}
