"""The fake of the Messages API, asked over real connections."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from pytest_workflow_exec.ai._schema_wrap import wrap_schema
from pytest_workflow_exec.ai.testing import FakeClaude

PLAIN: dict[str, Any] = {"type": "object"}


@pytest.fixture
def fake() -> Iterator[FakeClaude]:
    """A fake that nobody scripted yet."""
    with closing(FakeClaude()) as made:
        yield made


def asked(
    fake: FakeClaude, *, schema: Mapping[str, Any] = PLAIN, prompt: str = "Say it", path: str = "/v1/messages"
) -> Any:
    """Return what the fake answers to a request without streaming."""
    body = {
        "model": "claude-x-1",
        "tools": [{"name": "StructuredOutput", "input_schema": schema}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "before"}, {"type": "text", "text": prompt}]}
        ],
    }
    request = urllib.request.Request(fake.url + path, json.dumps(body).encode(), {"content-type": "application/json"})  # noqa: S310  # the fake's own
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        return json.load(response)


def test_answers_are_given_in_order(fake: FakeClaude) -> None:
    """A mapping is a call of the tool for structured answers, a text is prose."""
    fake.answers({"cause": "disk"}, "Good morning")

    first, second = asked(fake, prompt="Why?"), asked(fake)

    assert [(each["name"], each["input"]) for each in first["content"]] == [("StructuredOutput", {"cause": "disk"})]
    assert first["stop_reason"] == "tool_use"
    assert (second["content"], second["stop_reason"]) == ([{"type": "text", "text": "Good morning"}], "end_turn")
    assert fake.prompts == ["Why?", "Say it"]
    assert [body["model"] for body in fake.requests] == ["claude-x-1", "claude-x-1"]
    assert fake.left == 0


def test_more_requests_than_answers_fail_and_say_so(fake: FakeClaude) -> None:
    """A test that forgot an answer hears it, and nothing is made up."""
    fake.answers("one")
    asked(fake)

    with pytest.raises(urllib.error.HTTPError) as caught:
        asked(fake)

    assert caught.value.code == 400
    assert "script one more" in caught.value.read().decode()


def test_value_is_put_into_the_object_that_was_asked_for(fake: FakeClaude) -> None:
    """A script says values of the author's type; what stands around them is not its business."""
    listed = wrap_schema({"type": "array"})
    fake.answers([1, 2], {"kind": "a"}, fake.value("text"), {"kind": "b"})

    given = [asked(fake, schema=schema)["content"][0]["input"] for schema in (listed, listed, listed, PLAIN)]

    assert given == [{"answer": [1, 2]}, {"answer": {"kind": "a"}}, {"answer": "text"}, {"kind": "b"}]


def test_function_sees_the_request(fake: FakeClaude) -> None:
    """An answer may depend on what is asked."""
    fake.answers(lambda body: f"{body['model']} says hello")

    assert asked(fake)["content"][0]["text"] == "claude-x-1 says hello"


def test_several_calls_come_in_one_turn(fake: FakeClaude) -> None:
    """Every call has an id of its own, over all requests."""
    fake.answers(fake.calls(("Bash", {"command": "id"}), ("Read", {"file_path": "/etc/passwd"})), fake.raw({"x": 1}))

    calls = [*asked(fake)["content"], *asked(fake)["content"]]

    assert [each["name"] for each in calls] == ["Bash", "Read", "StructuredOutput"]
    assert len({each["id"] for each in calls}) == 3


def test_refusal_is_told_by_its_reason(fake: FakeClaude) -> None:
    """A model that refuses stops for that reason."""
    fake.answers(fake.refuse("No."))

    answer = asked(fake)

    assert (answer["content"][0]["text"], answer["stop_reason"]) == ("No.", "refusal")


@pytest.mark.parametrize(
    ("status", "kind"), [(401, "authentication_error"), (529, "overloaded_error"), (503, "api_error")]
)
def test_error_has_the_status_and_kind_of_the_api(fake: FakeClaude, status: int, kind: str) -> None:
    """Clients see an error as the API spells it."""
    fake.answers(fake.error(status, "no", retry_after_s=7))

    with pytest.raises(urllib.error.HTTPError) as caught:
        asked(fake)

    assert (caught.value.code, caught.value.headers["retry-after"]) == (status, "7")
    assert json.load(caught.value) == {"type": "error", "error": {"type": kind, "message": "no"}}


@pytest.mark.parametrize("lost", [FakeClaude.cut(), FakeClaude.silence(0.01)])
def test_connection_ends_without_an_answer(fake: FakeClaude, lost: Any) -> None:
    """A connection that is lost is no answer."""
    fake.answers(lost)

    with pytest.raises(OSError, match=r"closed|reset"):
        asked(fake)


def test_other_paths_are_not_there(fake: FakeClaude) -> None:
    """Nothing but messages and the counting of tokens is answered."""
    assert asked(fake, path="/v1/messages/count_tokens?beta=true") == {"input_tokens": 10}
    for path in ("/v1/files", "/"):
        with pytest.raises(urllib.error.HTTPError, match="404"):
            asked(fake, path=path)
    assert fake.requests == []


def test_closed_fake_refuses_connections() -> None:
    """What is closed can't be reached, and who waits for it is let go."""
    with closing(FakeClaude()) as fake:
        pass

    with pytest.raises(urllib.error.URLError, match="refused"):
        asked(fake)
