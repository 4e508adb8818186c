"""A run for people: what its log tells, step by step, and pages of HTML that hold all of it in one file."""

from __future__ import annotations

from ._attempts import NO_END, NOT_STARTED, SATISFIED, Attempt, Happening, StepStory
from ._index import RunLine, index_page
from ._page import GENERATOR, TemplatesMissingError, run_page
from ._raw import RawRecords, raw_records
from ._step_lines import attempt_lines, happening_lines, step_lines
from ._story import RunStory, Session, mapping
from ._tail import Tail
from ._words import clock, moment, spoken, visible

__all__ = [
    "GENERATOR",
    "NOT_STARTED",
    "NO_END",
    "SATISFIED",
    "Attempt",
    "Happening",
    "RawRecords",
    "RunLine",
    "RunStory",
    "Session",
    "StepStory",
    "Tail",
    "TemplatesMissingError",
    "attempt_lines",
    "clock",
    "happening_lines",
    "index_page",
    "mapping",
    "moment",
    "raw_records",
    "run_page",
    "spoken",
    "step_lines",
    "visible",
]
