"""Failures as they are told: their class, and in one plain line."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.ai import AiAttempt
from pytest_workflow_exec.ai._failure import Failure, ai_error, kind_of, plain


@pytest.mark.parametrize(
    ("status", "word", "kind"),
    [
        (401, None, "permission"),
        (403, "unknown", "permission"),
        (402, None, "permission"),
        (400, "billing_error", "permission"),
        (400, "invalid_request", "business"),
        (400, None, "business"),
        (404, "model_not_found", "business"),
        (413, None, "business"),
        (408, None, "transient"),
        (429, "rate_limit", "transient"),
        (500, None, "transient"),
        (529, "overloaded", "transient"),
        (None, "authentication_failed", "permission"),
        (None, "invalid_request", "business"),
        (None, "unknown", "transient"),
        (None, None, "transient"),
    ],
)
def test_class_of_an_error(status: int | None, word: str | None, kind: str) -> None:
    """What passes, what needs a person and what needs another question."""
    assert kind_of(status=status, word=word) == kind


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("two\n lines\tand  spaces", "two lines and spaces"),
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("exe.\u202egpj", r"exe.\u202egpj"),
        ("\x9b31m\u200b\u2066\ufeff", r"\x9b31m\u200b\u2066\ufeff"),
        ("\ud800", r"\ud800"),
        ("Grüße 日本 😀", "Grüße 日本 😀"),
    ],
)
def test_text_of_others_is_one_plain_line(text: str, shown: str) -> None:
    """Nothing in it moves a cursor, hides or turns around."""
    assert plain(text) == shown
    assert shown.isprintable()


def test_text_of_others_is_bounded() -> None:
    """However long it is, and however long its characters are spelled."""
    assert plain("x" * 10_000) == "x" * 600 + "..."
    assert len(plain("\u202e" * 10_000)) < 700


def test_error_says_what_it_took_and_what_to_do() -> None:
    """The step, the reason, the proposals, the cost, the way on."""
    attempts = [AiAttempt(value=1, errors=("no",)), AiAttempt(value=2, errors=("no", "never"))]

    error = ai_error(Failure("nothing fits."), step="triage", attempts=attempts, cost_usd=0.25)

    assert str(error) == (
        "step 'triage' has no answer from the model: nothing fits. 2 answers were proposed. The last one was refused: no; never. "
        "It cost $0.2500. What was proposed and why it was refused is in the evidence of the step."
    )
    assert (error.kind, error.cost_usd) == ("business", 0.25)
    assert error.attempts == ({"value": 1, "errors": ["no"]}, {"value": 2, "errors": ["no", "never"]})


@pytest.mark.parametrize(
    ("failure", "end"),
    [
        (Failure("x", "transient"), "Try again later."),
        (Failure("x", "permission"), "ANTHROPIC_AUTH_TOKEN or CLAUDE_CODE_OAUTH_TOKEN."),
        (Failure("x", "business"), "Look at the name of the model and at what was asked."),
        (Failure("x", "transient", "Do this."), "Do this."),
    ],
)
def test_way_on_fits_the_class(failure: Failure, end: str) -> None:
    """Unless the failure knows a better one."""
    assert str(ai_error(failure, step="s")).endswith(end)
