"""Gates: what a person is asked, the screen it is asked on, and what was decided."""

from __future__ import annotations

from ._ask import ask
from ._decision import Channel, Decision
from ._reason import ask_reason
from ._request import AuthorWords, Covered, GateRequest, ShownFile, ShownOutput, WordsSource
from ._screen import render
from ._stored import StoredRequestError, request_of
from ._terminal import terminal_problem
from ._words import escape

__all__ = [
    "AuthorWords",
    "Channel",
    "Covered",
    "Decision",
    "GateRequest",
    "ShownFile",
    "ShownOutput",
    "StoredRequestError",
    "WordsSource",
    "ask",
    "ask_reason",
    "escape",
    "render",
    "request_of",
    "terminal_problem",
]
