"""An API that fails: each fault ends in bounded time, with its class and one clear line."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_workflow_exec.ai import ClaudeBackend
from pytest_workflow_exec.ai.testing import FakeClaude

from .conftest import Asker

ERROR = FakeClaude.error


@pytest.mark.parametrize(
    ("fault", "kind", "requests", "words"),
    [
        (ERROR(400, "no such field"), "business", None, "HTTP 400"),
        (ERROR(400, "Your credit balance is too low"), "permission", None, "Credit balance"),
        (ERROR(401), "permission", 1, "refuses the login .HTTP 401"),
        (ERROR(403), "permission", 1, "HTTP 403"),
        (ERROR(404), "business", None, "HTTP 404"),
        (ERROR(413), "business", None, "HTTP 413"),
        (ERROR(429), "transient", 3, "HTTP 429"),
        (ERROR(429, retry_after_s=3600), "transient", 1, "HTTP 429"),
        (ERROR(500), "transient", 3, "HTTP 500"),
        (ERROR(529), "transient", 3, "HTTP 529"),
        (FakeClaude.cut(), "transient", 3, "Connection"),
        (FakeClaude.cut("half an"), "transient", None, "Connection"),
        (FakeClaude.refuse(), "business", None, "refuses to answer"),
    ],
    ids=lambda value: str(getattr(value, "status", type(value).__name__)),
)
def test_fault_has_its_class(ask: Asker, fault: Any, kind: str, requests: int | None, words: str) -> None:
    """What will pass, what needs a person, and what needs another question are told apart; nothing is tried for minutes."""
    ask.fake.answers(*[fault] * 12)

    with ask.failing(words) as caught:
        ask()

    assert caught.value.kind == kind
    assert len(ask.fake.requests) == requests or (requests is None and len(ask.fake.requests) <= 4)


def test_fault_that_passes_costs_nothing_but_time(ask: Asker) -> None:
    """An overloaded API is tried again, and a person who waits hears it."""
    ask.fake.answers(ERROR(529), {"n": 1})

    assert ask().value == {"n": 1}
    assert any(text.startswith("API overloaded (HTTP 529), attempt 2 of 3 in ") for text in ask.news)


def test_api_says_itself_how_long_to_wait(ask: Asker) -> None:
    """A short wait that the API asks for is kept."""
    ask.fake.answers(ERROR(429, retry_after_s=1), {"n": 1})

    assert ask().value == {"n": 1}
    assert any(text.startswith("too many requests (HTTP 429), attempt 2 of 3 in 1.") for text in ask.news)


def test_answer_that_was_cut_is_asked_for_again(ask: Asker) -> None:
    """Half an answer counts for nothing."""
    ask.fake.answers(ask.fake.cut('{"n": 7'), {"n": 1})

    answer = ask()

    assert (answer.value, len(answer.attempts)) == ({"n": 1}, 1)


def test_nothing_listens(ask: Asker) -> None:
    """A refused connection may be another one later."""
    ask.fake.close()

    with ask.failing("Connection refused") as caught:
        ask()

    assert caught.value.kind == "transient"


def test_silence_ends_with_the_time_of_the_request(ask: Asker) -> None:
    """The request's own clock ends it, whatever the program waits for."""
    ask.fake.answers(ask.fake.silence())

    with ask.failing("there was none after 3 s") as caught:
        ask(timeout=3.0)

    assert caught.value.kind == "transient"
    assert len(ask.fake.requests) <= 1


def test_silence_ends_before_the_time_of_the_request(ask: Asker) -> None:
    """A model that says nothing at all is not waited for as long as one that works."""
    ask.backend = ClaudeBackend(idle_s=2)
    ask.fake.answers(*[ask.fake.silence()] * 3)

    with ask.failing("nothing was heard for 2 s") as caught:
        ask(timeout=3600.0)

    assert caught.value.kind == "transient"


def test_request_that_is_given_up_says_what_it_cost(ask: Asker) -> None:
    """A program that is interrupted still tells; what was proposed before is kept."""
    ask.fake.answers({"n": "many"}, ask.fake.silence())

    with ask.failing("there was none after") as caught:
        ask(timeout=15.0)

    assert caught.value.cost_usd == pytest.approx(0.000138)
    assert [each["value"] for each in caught.value.attempts] == [{"n": "many"}]  # type: ignore[index]  # JSON
