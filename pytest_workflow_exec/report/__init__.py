"""A run for people: what its log tells, step by step, and pages of HTML that hold all of it in one file."""

from __future__ import annotations

from ._attempts import Attempt, Happening, StepStory
from ._index import RunLine, index_page
from ._page import GENERATOR, TemplatesMissingError, run_page
from ._raw import RawRecords, raw_records
from ._story import RunStory, Session
from ._words import clock, moment, spoken, visible

__all__ = [
    "GENERATOR",
    "Attempt",
    "Happening",
    "RawRecords",
    "RunLine",
    "RunStory",
    "Session",
    "StepStory",
    "TemplatesMissingError",
    "clock",
    "index_page",
    "moment",
    "raw_records",
    "run_page",
    "spoken",
    "visible",
]
