"""Where on a page's timeline something stands: time between sessions, in which nothing ran, is drawn short."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pytest_workflow_exec.lean_dataclasses import dataclass

from ._attempts import Attempt, StepStory
from ._story import RunStory
from ._words import moment

WIDTH = 1000
_LEAST = 3.0
"""The narrowest bar that can be seen."""
_BREAK = 0.03
"""How much of the whole a break between two sessions takes at most."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of time."""

    x: float
    width: float
    of: Literal["attempt", "wait"]
    outcome: str


@dataclass(frozen=True, slots=True)
class _Stretch:
    begin: float
    end: float
    x: float
    width: float


class Timeline:
    """Turns times of a run into places from 0 to `WIDTH`."""

    def __init__(self, story: RunStory) -> None:
        """Lay out the sessions of a run beside each other."""
        self._stretches = list(_stretches(story))

    @property
    def breaks(self) -> list[float]:
        """Where sessions after the first one begin."""
        return [stretch.x for stretch in self._stretches[2::2]]

    def bars(self, step: StepStory) -> Iterator[Bar]:
        """Give the bars of a step: attempts first, what they waited for above them."""
        for attempt in step.attempts:
            yield from self._bar(attempt.started, attempt.ended or self._end_of(attempt), "attempt", attempt.outcome)
        for told in step.happenings:
            if told.kind == "question":
                yield from self._bar(told.at, told.until, "wait", "gate")
            elif told.kind == "retry":
                waited = told.begun.get("wait_s")
                begin = moment(told.at)
                if begin is not None and isinstance(waited, (int, float)):
                    yield self._between(begin, begin + waited, "wait", "retry")

    def _end_of(self, attempt: Attempt) -> str | None:
        # It has no end: until the last thing that its session wrote, as far as anyone knows.
        return attempt.happenings[-1].at if attempt.happenings else attempt.started

    def _bar(self, begin: str | None, end: str | None, of: Literal["attempt", "wait"], outcome: str) -> Iterator[Bar]:
        first, last = moment(begin), moment(end)
        if first is not None and self._stretches:
            yield self._between(first, first if last is None else last, of, outcome)

    def _between(self, begin: float, end: float, of: Literal["attempt", "wait"], outcome: str) -> Bar:
        x, until = self._place(begin), self._place(max(begin, end))
        width = max(until - x, _LEAST)
        return Bar(round(min(x, WIDTH - width), 1), round(width, 1), of, outcome)

    def _place(self, at: float) -> float:
        for stretch in self._stretches:
            if at <= stretch.end:
                share = (at - stretch.begin) / (stretch.end - stretch.begin) if stretch.end > stretch.begin else 0.0
                return stretch.x + stretch.width * min(max(share, 0.0), 1.0)
        return float(WIDTH)


def _stretches(story: RunStory) -> Iterator[_Stretch]:
    """Give sessions and the breaks between them in turns."""
    spans: list[tuple[float, float]] = []
    for session in story.sessions:
        begin, end = moment(session.began), moment(session.last)
        if begin is not None and end is not None:
            # A clock that was set back makes nothing run backwards here.
            begin = max(begin, spans[-1][1]) if spans else begin
            spans.append((begin, max(begin, end)))
    active = sum(end - begin for begin, end in spans) or 1.0
    pieces: list[tuple[float, float, float]] = []
    for number, (begin, end) in enumerate(spans):
        if number:
            before = spans[number - 1][1]
            pieces.append((before, begin, min(begin - before, active * _BREAK)))
        pieces.append((begin, end, end - begin))
    whole = sum(size for _, _, size in pieces) or 1.0
    x = 0.0
    for begin, end, size in pieces:
        width = size / whole * WIDTH
        yield _Stretch(begin, end, x, width)
        x += width
