"""Gates: what a person is asked, the screen it is asked on, and what was decided."""

from __future__ import annotations

from ._ask import ask
from ._confirm import ConfirmationError, confirm
from ._decision import Channel, Decision
from ._field import FormField
from ._form import Answers, ReadAnswer
from ._manual import Attestation, ManualTask, attest
from ._quorum import (
    Approved,
    Counted,
    Expired,
    Missing,
    Open,
    Quorum,
    QuorumRules,
    Rejected,
    Role,
    Vote,
    quorum,
    roles_of,
    shortage,
)
from ._reason import ask_reason
from ._request import AuthorWords, Covered, GateRequest, ShownFile, ShownOutput, WordsSource
from ._screen import render
from ._stored import StoredRequestError, request_of
from ._terminal import terminal_problem
from ._words import escape, escape_line

__all__ = [
    "Answers",
    "Approved",
    "Attestation",
    "AuthorWords",
    "Channel",
    "ConfirmationError",
    "Counted",
    "Covered",
    "Decision",
    "Expired",
    "FormField",
    "GateRequest",
    "ManualTask",
    "Missing",
    "Open",
    "Quorum",
    "QuorumRules",
    "ReadAnswer",
    "Rejected",
    "Role",
    "ShownFile",
    "ShownOutput",
    "StoredRequestError",
    "Vote",
    "WordsSource",
    "ask",
    "ask_reason",
    "attest",
    "confirm",
    "escape",
    "escape_line",
    "quorum",
    "render",
    "request_of",
    "roles_of",
    "shortage",
    "terminal_problem",
]
