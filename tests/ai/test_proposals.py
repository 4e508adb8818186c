"""What a model proposed, put together from a stream."""

from __future__ import annotations

import pytest

from pytest_workflow_exec.ai._proposals import ONE_ONLY, Proposals
from pytest_workflow_exec.digests import Json


def said(proposals: Proposals, call: str, *pieces: str) -> None:
    """Let a model say a call in pieces."""
    proposals.begin(call)
    for piece in pieces:
        proposals.add(call, piece)
    proposals.end(call)


def anything(_: Json) -> tuple[str, ...]:
    """Accept it."""
    return ()


def never(_: Json) -> tuple[str, ...]:
    """Accept nothing, and say that it was asked."""
    return ("asked",)


def test_pieces_are_one_value() -> None:
    """Whatever the stream cuts them at."""
    proposals = Proposals(wrapped=False)
    said(proposals, "a", '{"n', '": "\\u00', 'fc"}')

    assert proposals.judge("a", {"n": "ü"}, anything) == ()
    assert proposals.attempts[0].value == {"n": "ü"}
    assert proposals.is_whole("a")
    assert not proposals.is_whole("b")


def test_call_without_a_text_is_an_empty_object() -> None:
    """So the API sends it."""
    proposals = Proposals(wrapped=False)
    said(proposals, "a")

    assert proposals.judge("a", {}, anything) == ()
    assert proposals.attempts[0].value == {}


@pytest.mark.parametrize("text", ['{"n": 1', '{"n": NaN}', '{"n": 1e999}', '{"n": 1, "n": 2}', "[" * 9999, "x"])
def test_what_is_no_plain_json_is_refused_unseen(text: str) -> None:
    """Python's own rules are not asked about it, and it is kept as the text that it is."""
    proposals = Proposals(wrapped=False)
    said(proposals, "a", text)

    [error] = proposals.judge("a", {}, never)

    assert error.startswith("the answer is not usable")
    assert proposals.attempts[0].value == text
    assert not proposals.is_accepted({})


@pytest.mark.parametrize("text", ["[1]", '{"other": [1]}', '{"answer": [1], "more": 1}', "{}"])
def test_wrapped_answer_stands_alone_under_its_key(text: str) -> None:
    """Anything else is not even shown to Python's rules."""
    proposals = Proposals(wrapped=True)
    said(proposals, "a", text)

    assert proposals.judge("a", {}, never) == ("the answer stands alone under the key 'answer'",)


def test_nothing_is_accepted_after_an_accepted_answer() -> None:
    """Until the program itself refuses it."""
    proposals = Proposals(wrapped=False)
    for call, text in (("a", '{"n": 1}'), ("b", '{"n": 2}'), ("c", '{"n": 3}')):
        said(proposals, call, text)

    assert proposals.judge("a", {"n": 1}, anything) == ()
    assert proposals.judge("b", {"n": 2}, anything) == (ONE_ONLY,)
    proposals.refuse("b", "not his")
    assert proposals.is_accepted({"n": 1})
    proposals.refuse("a", "no such thing")
    assert not proposals.is_accepted({"n": 1})
    assert proposals.judge("c", {"n": 3}, anything) == ()

    assert [(each.value, each.errors) for each in proposals.attempts] == [
        ({"n": 1}, ("no such thing",)),
        ({"n": 3}, ()),
    ]


@pytest.mark.parametrize("given_out", [{"n": 2}, {"n": True}, {"n": "1"}, None, {}, {"n": 1, "m": 1}])
def test_what_was_not_accepted_is_not_taken(given_out: object) -> None:
    """Truth values and numbers are not the same, whatever Python thinks."""
    proposals = Proposals(wrapped=False)
    said(proposals, "a", '{"n": 1}')
    proposals.judge("a", {"n": 1}, anything)

    assert proposals.is_accepted({"n": 1})
    assert not proposals.is_accepted(given_out)


def test_refused_answer_is_never_taken() -> None:
    """Even if the program gives it out."""
    proposals = Proposals(wrapped=False)
    said(proposals, "a", '{"n": 1}')

    assert proposals.judge("a", {"n": 1}, never) == ("asked",)
    assert not proposals.is_accepted({"n": 1})
